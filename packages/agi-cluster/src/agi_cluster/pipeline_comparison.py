"""What differs between two executions of a pipeline, step by step and field by field: pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from attrs import frozen

from agi_cluster.model.pipeline_run import PipelineRun, StepExecution
from agi_cluster.text import duration


@frozen(kw_only=True)
class Difference:
    """One field in which they differ, each as text; empty where one has none."""

    step: str
    """The step; empty: the executions themselves."""
    field: str
    first: str
    second: str
    text: str = ""
    """Of code, the lines that differ."""


def differences(first: PipelineRun, second: PipelineRun) -> tuple[Difference, ...]:
    """Everything in which two executions differ but their names and moments."""
    return (*_of_runs(first, second), *_of_steps(first, second))


def _of_runs(first: PipelineRun, second: PipelineRun) -> Iterator[Difference]:
    pairs = {
        "file": (first.file, second.file),
        "module": (first.module, second.module),
        "state": (first.state.value, second.state.value),
        "steps": (", ".join(_ids(first)), ", ".join(_ids(second))),
    }
    for field, (one, other) in pairs.items():
        if one != other:
            yield Difference(step="", field=field, first=one, second=other)


def _of_steps(first: PipelineRun, second: PipelineRun) -> Iterator[Difference]:
    others = {step.step: step for step in second.steps}
    for step in first.steps:
        other = others.get(step.step)
        if other is not None:
            yield from _between(step, other)


def _between(one: StepExecution, other: StepExecution) -> Iterator[Difference]:
    before, after = _fields(one), _fields(other)
    for field in before:
        if before[field] != after.get(field, ""):
            yield Difference(
                step=one.step, field=field, first=before[field], second=after.get(field, "")
            )
    for field in after.keys() - before.keys():
        yield Difference(step=one.step, field=field, first="", second=after[field])
    if one.code_digest != other.code_digest:
        yield Difference(
            step=one.step,
            field="code",
            first=one.code_digest[:12],
            second=other.code_digest[:12],
            text=_diff(one, other),
        )


def _fields(step: StepExecution) -> dict[str, str]:
    origin = step.origin
    fields = {
        "state": step.state.value,
        "took": duration(step.seconds) if step.end_time else "",
        "exit code": "" if step.exit_code is None else str(step.exit_code),
        "engine": step.engine,
        "environment": step.environment,
        "after": ", ".join(step.deps),
        "settings": origin.settings[:12] if origin else "",
        "selection": origin.selection[:12] if origin else "",
        "sources": origin.sources[:12] if origin else "",
        "runs": ", ".join(each.told for each in step.linked),
        "plans": ", ".join(each.plan for each in step.linked if each.plan),
        "releases": ", ".join(each.release[:12] for each in step.linked if each.release),
    }
    outputs = {f"output {each.path}": each.sha256[:12] for each in step.outputs}
    return {**fields, **outputs}


def _diff(one: StepExecution, other: StepExecution) -> str:
    lines = difflib.unified_diff(
        one.code.splitlines(), other.code.splitlines(), "first", "second", n=1, lineterm=""
    )
    return "\n".join(lines)


def _ids(run: PipelineRun) -> list[str]:
    return [step.step for step in run.steps]
