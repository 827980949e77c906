"""What a person asks of a list of steps, as edits of its file: pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import evolve

from agi_cluster.model.pipeline import PipelineStep
from agi_cluster.model.snippet import SnippetFacts, SnippetKind
from agi_daemon.pipelines.lab_edit import Append, Edit, Move, Order, Remove, Update
from agi_daemon.pipelines.lab_steps import ORIGIN, LabModule, digest_of_code, facts_to_data
from agi_env.errors import RefusedError, RequestInvalidError

_WORD = re.compile(r"[^a-z0-9]+")


def recorded(step: PipelineStep, facts: SnippetFacts) -> PipelineStep:
    """A step of a generated snippet, with what it was rendered from."""
    target = facts.app.removesuffix("_project")
    engine = "agi.install" if facts.kind is SnippetKind.INSTALL else "agi.run"
    return evolve(
        step,
        id=step.id or f"{facts.kind.value}-{target}",
        description=step.description or f"{facts.kind.value.capitalize()} {facts.app}",
        question=step.question or f"agi snippet {facts.kind.value} {facts.app}",
        engine=engine,
        origin=evolve(facts, code=digest_of_code(step.code)),
    )


def default_module(file: str, step: PipelineStep) -> str:
    """The key of the list in a file that has none: the app's target, else the folder's name."""
    name = step.origin.app if step.origin else Path(file).parent.name
    return name.removesuffix("_project") or "lab"


def added(module: LabModule, rows: int, step: PipelineStep) -> Edit:
    """A new step after all others.

    Args:
        module: The list.
        rows: How many tables it has, those among them that are not shown.
        step: The step; without an id it gets one.

    Raises:
        RequestInvalidError: It has no code, or its id is taken.
    """
    if not step.code.strip():
        raise RequestInvalidError("it has no code", where="step", remedy="Give a program")
    known = {each.step.id for each in module.steps}
    if step.id in known and step.origin is None:
        raise RequestInvalidError(f"there is a step {step.id} already", where="step.id")
    edit: list[Any] = [
        Append(module=module.name, row=_row(evolve(step, id=_free(step, known, rows))))
    ]
    if module.sequence is not None:
        edit.append(Order(module=module.name, sequence=(*module.sequence, rows)))
    return edit


def removed(module: LabModule, place: int) -> Edit:
    """A step goes.

    Raises:
        RefusedError: Another one depends on it.
    """
    step, index = module.steps[place].step, module.steps[place].index
    needing = [each.step.id for each in module.steps if step.id in each.step.deps]
    if needing:
        raise RefusedError(
            f"{', '.join(needing)} depends on it",
            where=f"step {step.id}",
            remedy="Change deps there first",
        )
    edit: list[Any] = [Remove(module=module.name, index=index)]
    if module.sequence is not None:
        left = tuple(each - (each > index) for each in module.sequence if each != index)
        edit.append(Order(module=module.name, sequence=left))
    return edit


def moved(module: LabModule, place: int, position: int) -> Edit:
    """A step takes another place in the order: in the sequence where there is one.

    Raises:
        RequestInvalidError: There is no such place.
    """
    order = [each.index for each in module.steps if each.step.number]
    index = module.steps[place].index
    places = len({*order, index})
    if not 1 <= position <= places:
        raise RequestInvalidError(
            f"{position} is no place in the order", where="position", remedy=f"Give 1 to {places}"
        )
    if module.sequence is None:
        if order[position - 1] == index:
            return []
        return [Move(module=module.name, index=index, to=order[position - 1])]
    rest = [each for each in order if each != index]
    rest.insert(position - 1, index)
    return [Order(module=module.name, sequence=tuple(rest))]


def rendered_anew(module: LabModule, place: int, facts: SnippetFacts, code: str) -> Update:
    """New code of a step, with what it was rendered from."""
    now = evolve(facts, code=digest_of_code(code))
    values = {"C": code, ORIGIN: facts_to_data(now)}
    return Update(module=module.name, index=module.steps[place].index, values=values)


def _row(step: PipelineStep) -> dict[str, Any]:
    automation = {
        "outputs": list(step.outputs),
        "skip_if_outputs_exist": step.skip_if_outputs_exist,
        "timeout": step.timeout,
    }
    row: dict[str, Any] = {
        "id": step.id,
        "deps": list(step.deps),
        "D": step.description,
        "Q": step.question,
        "M": step.model,
        "C": step.code,
        "E": step.environment,
        "R": step.engine or ("agi.run" if step.environment else "runpy"),
        "automation": {key: value for key, value in automation.items() if value},
        ORIGIN: facts_to_data(step.origin) if step.origin else {},
    }
    always = ("id", "D", "Q", "M", "C", "E", "R")
    return {key: value for key, value in row.items() if value or key in always}


def _free(step: PipelineStep, known: set[str], rows: int) -> str:
    """The step's id, or one that is made of what it does, that no other step has."""
    wanted = step.id or _WORD.sub("-", step.description.lower()).strip("-") or f"step-{rows + 1}"
    candidates = (wanted, *(f"{wanted}-{number}" for number in range(2, rows + 3)))
    return next(each for each in candidates if each not in known)
