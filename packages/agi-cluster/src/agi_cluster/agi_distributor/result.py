"""What ``AGI.run`` returns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from attrs import frozen

from agi_cluster.agi_distributor.failure import marked
from agi_cluster.model.run import (
    PartitionState,
    Run,
    RunPartition,
    RunPaths,
    RunProgress,
    RunSlot,
    RunState,
)
from agi_cluster.text import LONGEST, columns, cut, duration, one_line
from agi_env.errors import AgiError, CancelledRunError, RunFailedError
from agi_env.mode import Mode


@frozen(kw_only=True, repr=False)
class RunResult:
    """A settled run; prints as a table of slots with what it returned and where its files are."""

    run: str
    """The id of the run; ``agi runs show ID`` shows it again."""
    app: str
    mode: Mode
    state: RunState
    data: Any
    """What the app's ``reduce`` returned."""
    seconds: float
    """From when the run was accepted to when it was settled."""
    progress: RunProgress
    partitions: tuple[RunPartition, ...]
    """Each with its slot, attempts and seconds, in plan order."""
    slots: tuple[RunSlot, ...]
    paths: RunPaths
    warnings: tuple[str, ...] = ()
    installed: str = ""
    """What was installed before the run could start; empty when nothing had to be."""
    plan: str = ""
    error: AgiError | None = None

    @classmethod
    def of(cls, run: Run, partitions: tuple[RunPartition, ...]) -> RunResult:
        """The facts of a run that is settled."""
        return cls(
            run=run.id,
            app=run.app,
            mode=run.mode,
            state=run.state,
            data=run.result,
            seconds=_span(run.create_time, run.end_time),
            progress=run.progress,
            partitions=partitions,
            slots=run.slots,
            paths=run.paths,
            warnings=run.warnings,
            installed=run.installed,
            plan=run.plan,
            error=run.error,
        )

    @property
    def failed_partitions(self) -> tuple[RunPartition, ...]:
        """The partitions that failed for good, in plan order."""
        return tuple(p for p in self.partitions if p.state is PartitionState.FAILED)

    def failure(self) -> AgiError:
        """The error to raise for a run that did not succeed: its own, with this result in words."""
        return marked(
            self.error or self._unnamed_error(),
            "\n".join([str(self), *self._traceback()]),
            run=self.run,
            kept=self.paths.kept,
        )

    def __str__(self) -> str:
        return "\n".join([*self._head(), *self._slots(), *self._failures(), *self._facts()])

    __repr__ = __str__

    def _unnamed_error(self) -> AgiError:
        kind = CancelledRunError if self.state is RunState.CANCELLED else RunFailedError
        facts = {"run": self.run, "app": self.app}
        return kind(f"the run ended {self.state.value}", where=f"runs/{self.run}", metadata=facts)

    def _head(self) -> Iterator[str]:
        done, total = self.progress.succeeded, self.progress.total
        yield f"{self.app}  {self.state.value}  mode {self.mode.words}  in {duration(self.seconds)}"
        yield f"run {self.run}  {done} of {total} partitions"

    def _slots(self) -> list[str]:
        if not self.slots:
            return []
        rows = columns([_HEADER, *map(_row, self.slots), self._total()], left=(1,))
        return [rows[0], *cut(rows[1:-1], LONGEST, "slots"), rows[-1]]

    def _total(self) -> tuple[str, ...]:
        return (
            "all",
            "",
            str(sum(slot.cores for slot in self.slots)),
            str(sum(slot.partitions for slot in self.slots)),
            duration(sum(slot.busy_seconds for slot in self.slots)),
            duration(sum(slot.cpu_seconds for slot in self.slots)),
        )

    def _failures(self) -> list[str]:
        lines = [f"failed   {p.label}: {_why(p)}" for p in self.failed_partitions]
        return cut(lines, 5, "failed partitions")

    def _facts(self) -> Iterator[str]:
        if self.data is not None:
            yield f"data     {one_line(json.dumps(self.data, ensure_ascii=False))}"
        named = (
            ("results", self.paths.published),
            ("kept", self.paths.kept),
            ("install", self.installed),
            *(("warning", warning) for warning in self.warnings),
        )
        yield from (f"{name:<7}  {text}" for name, text in named if text)

    def _traceback(self) -> list[str]:
        return [p.traceback.rstrip() for p in self.failed_partitions if p.traceback][:1]


_HEADER = ("slot", "host", "cores", "partitions", "busy", "cpu")


def _why(failed: RunPartition) -> str:
    return one_line(failed.error.what) if failed.error else "it failed"


def _row(slot: RunSlot) -> tuple[str, ...]:
    return (
        str(slot.index),
        slot.host,
        str(slot.cores),
        str(slot.partitions),
        duration(slot.busy_seconds),
        duration(slot.cpu_seconds),
    )


def _span(start: datetime, end: datetime | None) -> float:
    return (end - start).total_seconds() if end else 0.0
