"""What the doctor found, as people see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import Cell, grid
from agi_cluster.model.diagnosis import (
    Diagnosis,
    Family,
    Finding,
    Rung,
    Severity,
    Step,
    StepState,
)
from agi_cluster.text import counted, duration

MARKS = {
    StepState.PASSED: Text("✓", style="green"),
    StepState.WARNED: Text("!", style="bold yellow"),
    StepState.FAILED: Text("✗", style="bold red"),
    StepState.SKIPPED: Text("·", style="dim"),
}

_MOST_COLUMNS = 8
_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow"}


def diagnosis_report(diagnosis: Diagnosis) -> RenderableType:
    """The ladders, and below them what was found, by what people notice of it."""
    return Group(
        ladders(diagnosis.steps),
        Text(),
        *_findings(diagnosis.findings),
        Text(_verdict(diagnosis)),
    )


def ladders(steps: Sequence[Step]) -> RenderableType:
    """A column of ticks for each host; for one host alone, what was seen on each rung."""
    hosts = list(dict.fromkeys(step.host for step in steps))
    if len(hosts) == 1:
        return _one(steps)
    if len(hosts) > _MOST_COLUMNS:
        return _turned(hosts, steps)
    marks = {(step.host, step.rung): MARKS[step.state] for step in steps}
    rows: list[tuple[Cell, ...]] = [
        (rung.value, *(marks.get((host, rung), Text()) for host in hosts))
        for rung in Rung
        if any((host, rung) in marks for host in hosts)
    ]
    return grid(("", *hosts), rows)


def _one(steps: Sequence[Step]) -> RenderableType:
    rows = [(MARKS[step.state], step.rung.value, _evidence(step)) for step in _ordered(steps)]
    return grid(("", steps[0].host, ""), rows, prose=("",))


def _turned(hosts: Sequence[str], steps: Sequence[Step]) -> RenderableType:
    """Many hosts: each a row, with its ticks side by side."""
    rungs = [rung for rung in Rung if any(step.rung is rung for step in steps)]
    marks = {(step.host, step.rung): MARKS[step.state] for step in steps}
    rows: list[tuple[Cell, ...]] = [
        (host, *(marks.get((host, rung), Text()) for rung in rungs)) for host in hosts
    ]
    return grid(("host", *(rung.value for rung in rungs)), rows)


def _evidence(step: Step) -> Text:
    return Text(step.evidence, style="dim" if step.state is StepState.SKIPPED else "")


def _ordered(steps: Sequence[Step]) -> list[Step]:
    order = list(Rung)
    return sorted(steps, key=lambda step: order.index(step.rung))


def _findings(findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for family in Family:
        found = [finding for finding in findings if finding.family is family]
        if found:
            yield Text(f"{family.value[0].upper()}{family.value[1:]}", style="bold")
            for finding in found:
                yield _finding(finding)
            yield Text()


def _finding(finding: Finding) -> RenderableType:
    said = Text()
    said.append(f"  {finding.code}", style=_COLOURS[finding.severity])
    said.append(f"  {finding.host}: {finding.what}.\n")
    said.append(f"    {finding.remedy.rstrip('.')}.")
    return said


def _verdict(diagnosis: Diagnosis) -> str:
    place = counted(len(diagnosis.hosts), "machine")
    spent = duration(diagnosis.seconds)
    errors = sum(finding.severity is Severity.ERROR for finding in diagnosis.findings)
    warnings = len(diagnosis.findings) - errors
    if not diagnosis.findings:
        return f"Nothing is wrong: looked at {place} in {spent}"
    words = [counted(n, noun) for n, noun in ((errors, "error"), (warnings, "warning")) if n]
    return f"{' and '.join(words)} on {place}, in {spent}"
