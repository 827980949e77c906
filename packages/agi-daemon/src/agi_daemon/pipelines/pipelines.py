"""Pipelines as the API offers them: the steps in a file, looked at and edited."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from attrs import evolve, frozen

from agi_cluster.model.pipeline import Freshness, Pipeline, PipelineStep
from agi_cluster.model.snippet import SNIPPET_API
from agi_daemon.completion import completed
from agi_daemon.pipelines import lab_change, pipeline_run_store
from agi_daemon.pipelines.lab_edit import Edit
from agi_daemon.pipelines.lab_file import LabFile
from agi_daemon.pipelines.lab_steps import LabModule
from agi_daemon.snippets import facts as head
from agi_daemon.snippets.origins import Origins
from agi_daemon.snippets.renderer import rendered
from agi_daemon.store.requests import Claim, Requests
from agi_daemon.store.store import Store
from agi_env.errors import PipelineNotFoundError, RefusedError, SnippetApiError, StepNotFoundError


@frozen(kw_only=True)
class Found:
    """A file and one list of steps in it."""

    file: LabFile
    module: LabModule

    @property
    def rows(self) -> int:
        """How many tables the list has, those among them that are not shown."""
        rows: list[Any] = self.file.document.data.get(self.module.name, [])
        return len(rows)

    def step(self, step_id: str) -> PipelineStep:
        """The step of this id, or with this number in the order.

        Raises:
            StepNotFoundError: There is none.
        """
        return self.module.steps[self.place(step_id)].step

    def place(self, step_id: str) -> int:
        """The place of a step among those that are shown.

        Raises:
            StepNotFoundError: There is none.
        """
        found = self.module.find(step_id)
        if found is None:
            known = ", ".join(each.step.id for each in self.module.steps)
            raise StepNotFoundError(
                f"there is no step {step_id!r}",
                where=str(self.file.path),
                remedy=f"It has {known}" if known else "",
                metadata={"step": step_id},
            )
        return self.module.steps.index(found)


Edits = Callable[[Found], Edit]


class Pipelines:
    """Implements ``agi_cluster.model.services.PipelineService``."""

    def __init__(self, store: Store, requests: Requests, origins: Origins) -> None:
        self._store = store
        self._requests = requests
        self._origins = origins
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get_pipeline(self, file: str, *, module: str = "") -> Pipeline:
        """The steps in a file, and whether they are current."""
        return await self._described(await self.find(file, module))

    async def add_pipeline_step(
        self,
        file: str,
        step: PipelineStep,
        *,
        module: str = "",
        generated: bool = False,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline:
        """Add a step at the end; the file is made where there is none."""
        if generated:
            step = lab_change.recorded(step, head.read(step.code))
        content = (file, module, step, generated, etag)
        default = lab_change.default_module(file, step)
        async with self._requests.claim(request_id, "AddPipelineStep", content) as claim:
            if claim.earlier:
                return await self.get_pipeline(file, module=module)
            edits = _each(lambda found: lab_change.added(found.module, found.rows, step))
            return await self._edit(
                file, module, etag, edits, claim, default=default, dry_run=validate_only
            )

    async def refresh_pipeline_steps(
        self,
        file: str,
        *,
        module: str = "",
        steps: Sequence[str] = (),
        force: bool = False,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline:
        """Render steps anew from the settings as they are now; by default all that are stale."""
        content = (file, module, tuple(steps), force, etag)
        async with self._requests.claim(request_id, "RefreshPipelineSteps", content) as claim:
            if claim.earlier:
                return await self.get_pipeline(file, module=module)

            async def edits(found: Found) -> Edit:
                return await self._refreshed(found, steps, force=force, remember=not validate_only)

            return await self._edit(file, module, etag, edits, claim, dry_run=validate_only)

    async def remove_pipeline_step(
        self,
        file: str,
        step: str,
        *,
        module: str = "",
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline:
        """Remove a step on which no other depends."""
        content = (file, module, step, etag)
        async with self._requests.claim(request_id, "RemovePipelineStep", content) as claim:
            if claim.earlier:
                return await self.get_pipeline(file, module=module)
            edits = _each(lambda found: lab_change.removed(found.module, found.place(step)))
            return await self._edit(file, module, etag, edits, claim, dry_run=validate_only)

    async def move_pipeline_step(
        self,
        file: str,
        step: str,
        position: int,
        *,
        module: str = "",
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline:
        """Move a step to another place in the order, from 1."""
        content = (file, module, step, position, etag)
        async with self._requests.claim(request_id, "MovePipelineStep", content) as claim:
            if claim.earlier:
                return await self.get_pipeline(file, module=module)
            edits = _each(lambda found: lab_change.moved(found.module, found.place(step), position))
            return await self._edit(file, module, etag, edits, claim, dry_run=validate_only)

    async def find(self, file: str, module: str = "") -> Found:
        """The steps under a key of a file.

        Raises:
            PipelineNotFoundError: There is no such file, or no such list in it.
            PipelineSyntaxError, PipelineInvalidError: It cannot be used; with the line.
        """
        read = await asyncio.to_thread(LabFile.read, Path(file))
        return Found(file=read, module=read.module(module))

    async def fresh(self, step: PipelineStep) -> PipelineStep:
        """The step with what has changed since it was rendered.

        Raises:
            SnippetApiError: It is written against a version of the API that is not ours.
        """
        if step.origin is None:
            return step
        if step.origin.api != SNIPPET_API:
            raise SnippetApiError(
                f"it is written against {step.origin.api}, and this daemon knows {SNIPPET_API}",
                where=f"step {step.id}",
                remedy="`agi pipeline refresh` renders it anew, or use a daemon of its version",
            )
        stale = await self._origins.changes(step.origin)
        return evolve(step, stale=stale, freshness=_freshness(stale))

    async def refresh(self, found: Found, steps: Sequence[str], *, dry_run: bool) -> Found:
        """The pipeline with stale steps rendered anew, in its file; see the API's method."""
        async with self._locks.setdefault(str(found.file.path), asyncio.Lock()):
            edit = await self._refreshed(found, steps, force=False, remember=not dry_run)
            return await self._write(found, edit, dry_run=dry_run)

    async def _refreshed(
        self, found: Found, steps: Sequence[str], *, force: bool, remember: bool
    ) -> Edit:
        asked = [found.step(each).id for each in steps]
        changes = []
        for place, each in enumerate(found.module.steps):
            step = each.step
            if step.origin is None and step.id in asked:
                raise RefusedError(
                    "it was not rendered by agi",
                    where=f"step {step.id}",
                    remedy="`agi pipeline import` adds a generated snippet",
                )
            if step.origin is None or (asked and step.id not in asked):
                continue
            if not asked and not await self._origins.changes(step.origin):
                continue
            if step.edited and not force:
                raise RefusedError(
                    "its code was changed by hand, and that would be lost",
                    where=f"step {step.id}",
                    remedy="--force renders it anew all the same",
                )
            now, settings = await self._origins.now(
                step.origin.app, step.origin.kind, step.origin.plan, remember=remember
            )
            code = rendered(now, settings)
            changes.append(lab_change.rendered_anew(found.module, place, now, code))
        return changes

    async def _edit(
        self,
        file: str,
        module: str,
        etag: str,
        edits: Callable[[Found], Any],
        claim: Claim,
        *,
        default: str = "",
        dry_run: bool,
    ) -> Pipeline:
        async with self._locks.setdefault(file, asyncio.Lock()):
            read = await asyncio.to_thread(LabFile.read, Path(file), may_be_missing=bool(default))
            read.check(etag)
            if default and not Path(file).parent.is_dir():
                raise PipelineNotFoundError("its folder is not there", where=file)
            found = Found(file=read, module=read.module(module, default=default))
            edit = await edits(found)
            return await completed(self._edited(found, edit, claim, dry_run=dry_run))

    async def _edited(self, found: Found, edit: Edit, claim: Claim, *, dry_run: bool) -> Pipeline:
        now = await self._write(found, edit, dry_run=dry_run)
        if not dry_run:
            await self._store.write(_remembering(claim, str(found.file.path)))
        return await self._described(now)

    async def _write(self, found: Found, edit: Edit, *, dry_run: bool) -> Found:
        proposed = await asyncio.to_thread(found.file.edited, edit)
        now = Found(file=proposed, module=proposed.module(found.module.name))
        if not dry_run:
            await asyncio.to_thread(found.file.replace, proposed)
        return now

    async def _described(self, found: Found) -> Pipeline:
        file, module = str(found.file.path), found.module
        latest = self._store.read(lambda db: pipeline_run_store.latest(db, file, module.name))
        states = {step.step: step.state for step in latest.steps} if latest else {}
        steps = [await self._looked_at(each.step) for each in module.steps]
        return Pipeline(
            file=file,
            module=module.name,
            etag=found.file.etag,
            steps=tuple(evolve(step, latest_state=states.get(step.id)) for step in steps),
            serial=module.serial,
            latest_run=latest.id if latest else "",
        )

    async def _looked_at(self, step: PipelineStep) -> PipelineStep:
        if step.origin is None:
            return step
        stale = await self._origins.changes(step.origin)
        return evolve(step, stale=stale, freshness=_freshness(stale))


def _freshness(stale: Sequence[object]) -> Freshness:
    return Freshness.STALE if stale else Freshness.CURRENT


def _each(edits: Edits) -> Callable[[Found], Any]:
    async def call(found: Found) -> Edit:
        return edits(found)

    return call


def _remembering(claim: Claim, file: str) -> Callable[[sqlite3.Connection], None]:
    return lambda connection: claim.remember(connection, file)
