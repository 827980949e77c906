"""What ``agi doctor`` shows, and what it ends with."""

from __future__ import annotations

import io
import json

from agi_cli.session import Session
from agi_cli.views.diagnosis import diagnosis_report, ladders
from agi_cluster.model.diagnosis import (
    Diagnose,
    Diagnosis,
    Family,
    Finding,
    Rung,
    Severity,
    Step,
    StepState,
)


def drawn(content) -> str:
    out = io.StringIO()
    Session(out=out, err=io.StringIO()).print(content)
    return out.getvalue()


NO_SHARE = Finding(
    code="SHARE_MISSING",
    severity=Severity.ERROR,
    family=Family.OUTPUTS_ASTRAY,
    rung=Rung.SHARE,
    host="10.0.0.2",
    what="the share /data is not there: no such file",
    remedy="Mount the share at /data on 10.0.0.2",
)
LATE = Finding(
    code="CLOCK_SKEW",
    severity=Severity.WARNING,
    family=Family.WORKERS_MISSING,
    rung=Rung.CLOCK,
    host="10.0.0.1",
    what="the clock is 2 h 0 min behind the manager's",
    remedy="Set the clock of 10.0.0.1",
)


def step(host: str, rung: Rung, state: StepState = StepState.PASSED, *found: Finding) -> Step:
    return Step(host=host, rung=rung, state=state, evidence="seen", findings=found)


STEPS = (
    step("127.0.0.1", Rung.UV),
    step("10.0.0.1", Rung.UV),
    step("10.0.0.1", Rung.CLOCK, StepState.WARNED, LATE),
    step("10.0.0.1", Rung.SHARE),
    step("10.0.0.2", Rung.UV),
    step("10.0.0.2", Rung.SHARE, StepState.FAILED, NO_SHARE),
    step("10.0.0.2", Rung.BUILD, StepState.SKIPPED),
)
HOSTS = ("127.0.0.1", "10.0.0.1", "10.0.0.2")
ILL = Diagnosis(app="weather_project", hosts=HOSTS, steps=STEPS, seconds=1.5)
WELL = Diagnosis(hosts=HOSTS[:1], steps=STEPS[:1], seconds=0.25)


def test_a_diagnosis_is_ladders_and_findings_by_what_people_notice():
    assert (
        drawn(diagnosis_report(ILL))
        == """\
       127.0.0.1  10.0.0.1  10.0.0.2
uv     ✓          ✓         ✓
clock             !
share             ✓         ✗
build                       ·

Workers do not join
  CLOCK_SKEW  10.0.0.1: the clock is 2 h 0 min behind the manager's.
    Set the clock of 10.0.0.1.

Outputs go to the wrong place
  SHARE_MISSING  10.0.0.2: the share /data is not there: no such file.
    Mount the share at /data on 10.0.0.2.

1 error and 1 warning on 3 machines, in 1.50 s
"""
    )


def test_one_machine_shows_what_was_seen():
    assert (
        drawn(diagnosis_report(WELL))
        == """\
   127.0.0.1
✓  uv         seen

Nothing is wrong: looked at 1 machine in 250 ms
"""
    )


def test_many_hosts_are_rows():
    steps = tuple(step(f"h{n}", rung) for n in range(12) for rung in (Rung.UV, Rung.DISK))
    first, *rows = drawn(ladders(steps)).splitlines()
    assert first.split() == ["host", "uv", "disk"] and len(rows) == 12


def test_the_exit_code_tells_whether_work_can_be_done(terminal):
    terminal.client.diagnosis = ILL
    assert terminal.type("doctor", "--host", "10.0.0.1", "--host", "10.0.0.2") == 5
    assert terminal.client.asked[-1] == Diagnose(hosts=("10.0.0.1", "10.0.0.2"))
    terminal.client.diagnosis = WELL
    assert terminal.type("doctor") == 0


def test_json_has_every_step_and_finding(terminal):
    terminal.client.diagnosis = ILL
    assert terminal.type("doctor", "-o", "json") == 5
    value = json.loads(terminal.shown)
    assert value["healthy"] is False and len(value["steps"]) == len(STEPS)
    (found,) = value["steps"][5]["findings"]
    assert (found["code"], found["family"]) == ("SHARE_MISSING", "FAMILY_OUTPUTS_ASTRAY")
