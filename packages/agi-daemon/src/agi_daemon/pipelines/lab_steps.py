"""The steps in the data of a ``lab_steps.toml``: what is there, checked, and nothing changed.

The format is that of existing users; keys that are not named here belong to others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from attrs import evolve, frozen

from agi_cluster.model.pipeline import PipelineStep
from agi_cluster.model.snippet import SnippetFacts, SnippetKind
from agi_env.settings_schema import shown

META = "__meta__"
ORIGIN = "agi"
"""The key of a step's table in which we record what its code was rendered from."""
DEPS = ("deps", "depends_on", "dependencies")
_NOT_READ = frozenset({META, "steps", "stages"})
_FACTS = ("app", "settings", "selection", "sources", "plan", "code")

Key = tuple[str | int, ...]


class LabError(Exception):
    """Something in the data that cannot be used.

    Attributes:
        key: Where it is.
        what: What is wrong.
    """

    def __init__(self, key: Key, what: str) -> None:
        super().__init__(what)
        self.key = key
        self.what = what


@frozen(kw_only=True)
class LabStep:
    """A step and its place in the file's list, from 0."""

    index: int
    step: PipelineStep


@frozen(kw_only=True)
class LabModule:
    """The list of steps under one key."""

    name: str
    steps: tuple[LabStep, ...]
    """Those that are shown, in the order in which they run; those left out of it last."""
    sequence: tuple[int, ...] | None
    """The places that the file's own sequence names; None: it has none."""
    serial: bool

    def find(self, step_id: str) -> LabStep | None:
        """The step of this id, or with this number in the order."""
        for each in self.steps:
            if each.step.id == step_id:
                return each
        numbered = (each for each in self.steps if step_id == str(each.step.number))
        return next(numbered, None)


def modules(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys that hold lists of steps."""
    return tuple(key for key, value in data.items() if key not in _NOT_READ and _is_list(value))


def read_module(data: Mapping[str, Any], name: str) -> LabModule:
    """The steps under a key.

    Raises:
        LabError: A value cannot be used, an id is there twice, or dependencies lead nowhere or
            in a circle.
    """
    rows = data[name]
    if not _is_list(rows):
        raise LabError((name,), f"{name} must be a list of tables, not {shown(rows)}")
    sequence = _sequence(data, name)
    steps = [
        LabStep(index=i, step=_step(row, (name, i))) for i, row in enumerate(rows) if _is_shown(row)
    ]
    _check_ids(name, steps)
    _check_deps(name, rows, steps)
    return LabModule(
        name=name,
        steps=tuple(_ordered(steps, sequence)),
        sequence=sequence,
        serial=not any(key in rows[each.index] for each in steps for key in DEPS),
    )


def facts_to_data(facts: SnippetFacts) -> dict[str, str]:
    """What is recorded of a snippet, as the table of its step."""
    recorded = {"api": facts.api, "kind": facts.kind.value}
    recorded |= {name: getattr(facts, name) for name in _FACTS}
    return {key: value for key, value in recorded.items() if value}


def digest_of_code(code: str) -> str:
    """The SHA-256 of a step's code."""
    return hashlib.sha256(code.encode()).hexdigest()


def _step(row: Mapping[str, Any], key: Key) -> PipelineStep:
    environment, engine = _text(row, "E", key), _text(row, "R", key)
    code, automation = _text(row, "C", key), _table(row, "automation", key)
    origin = _origin(row)
    timeout = _typed(automation, "timeout", (*key, "automation"), (int, float), 0)
    if not 0 <= timeout < math.inf:
        raise LabError((*key, "automation", "timeout"), "timeout must be seconds, 0 or more")
    return PipelineStep(
        id=_text(row, "id", key).strip() or f"step-{int(key[-1]) + 1}",
        deps=_deps(row, key),
        description=_text(row, "D", key),
        question=_text(row, "Q", key),
        model=_text(row, "M", key),
        code=code,
        environment=environment,
        engine=engine.strip() or ("agi.run" if environment.strip() else "runpy"),
        enabled=_typed(row, "enabled", key, bool, True),
        outputs=_texts(automation, "outputs", (*key, "automation")),
        skip_if_outputs_exist=_typed(
            automation, "skip_if_outputs_exist", (*key, "automation"), bool, False
        ),
        parallel_safe=_typed(automation, "parallel_safe", (*key, "automation"), bool, True),
        timeout=float(timeout),
        origin=origin,
        edited=origin is not None and origin.code != digest_of_code(code),
    )


def _origin(row: Mapping[str, Any]) -> SnippetFacts | None:
    """What is recorded of the code; a table of this name that is not ours records nothing."""
    table = row.get(ORIGIN)
    if not isinstance(table, Mapping) or not isinstance(table.get("app"), str):
        return None
    texts = {name: table[name] for name in _FACTS if isinstance(table.get(name), str)}
    try:
        return SnippetFacts(
            api=str(table.get("api", "")), kind=SnippetKind(table.get("kind")), **texts
        )
    except ValueError:
        return None


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(row, Mapping) for row in value)


def _is_shown(row: Mapping[str, Any]) -> bool:
    return any(str(row.get(key, "")).strip() for key in ("Q", "C"))


def _text(row: Mapping[str, Any], name: str, key: Key) -> str:
    value: str = _typed(row, name, key, str, "")
    return value


def _table(row: Mapping[str, Any], name: str, key: Key) -> Mapping[str, Any]:
    value: Mapping[str, Any] = _typed(row, name, key, Mapping, {})
    return value


def _typed(
    row: Mapping[str, Any],
    name: str,
    key: Key,
    kind: type[Any] | tuple[type[Any], ...],
    default: Any,
) -> Any:
    value = row.get(name, default)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = _NAMES[kinds[0]]
        raise LabError((*key, name), f"{name} must be {expected}, not {shown(value)}")
    return value


_NAMES: dict[type[Any], str] = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    Mapping: "a table",
}


def _texts(row: Mapping[str, Any], name: str, key: Key) -> tuple[str, ...]:
    value = row.get(name, [])
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise LabError((*key, name), f"{name} must be a list of texts, not {shown(value)}")
    return tuple(each.strip() for each in values if each.strip())


def _deps(row: Mapping[str, Any], key: Key) -> tuple[str, ...]:
    named = [dep for name in DEPS for dep in _texts(row, name, key)]
    return tuple(dict.fromkeys(named))


def _sequence(data: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    meta = _table(data, META, ())
    key = f"{name}__sequence"
    value = meta.get(key)
    if value is None or value == []:
        return None
    if not isinstance(value, list) or not all(type(each) is int for each in value):
        raise LabError((META, key), f"{key} must be a list of numbers, not {shown(value)}")
    return tuple(dict.fromkeys(value))


def _ordered(steps: Sequence[LabStep], sequence: tuple[int, ...] | None) -> Iterator[LabStep]:
    by_place = {each.index: each for each in steps}
    order = list(by_place) if sequence is None else [i for i in sequence if i in by_place]
    for number, index in enumerate(order, start=1):
        found = by_place.pop(index)
        yield evolve(found, step=evolve(found.step, number=number))
    yield from by_place.values()


def _check_ids(name: str, steps: Sequence[LabStep]) -> None:
    seen: dict[str, int] = {}
    for each in steps:
        if each.step.id in seen:
            what = f"the id {shown(each.step.id)} is that of an earlier step, too"
            raise LabError((name, each.index, "id"), what)
        seen[each.step.id] = each.index


def _check_deps(name: str, rows: Sequence[Mapping[str, Any]], steps: Sequence[LabStep]) -> None:
    blank = {f"step-{i + 1}" for i, row in enumerate(rows) if not _is_shown(row)}
    blank |= {str(row["id"]).strip() for row in rows if not _is_shown(row) and "id" in row}
    known = {each.step.id for each in steps}
    for each in steps:
        for dep in each.step.deps:
            if dep not in known | blank:
                what = f"step {each.step.id} depends on {shown(dep)}, and there is no such step"
                raise LabError((name, each.index, _deps_key(rows[each.index])), what)
    try:
        TopologicalSorter({each.step.id: each.step.deps for each in steps}).prepare()
    except CycleError as error:
        circle = " -> ".join(map(str, reversed(error.args[1])))
        raise LabError((name,), f"steps depend on each other in a circle: {circle}") from error


def _deps_key(row: Mapping[str, Any]) -> str:
    return next(key for key in DEPS if key in row)
