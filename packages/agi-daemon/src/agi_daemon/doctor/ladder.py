"""The ladder of one host: rungs that stand on others, each climbed within its own deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from attrs import frozen

from agi_cluster.model.diagnosis import Finding, Rung, Severity, Step, StepState
from agi_daemon.defects import defect
from agi_daemon.doctor.catalogue import finding_of
from agi_env.errors import AgiError, HostCommandTimeoutError

Tell = Callable[[Step], None]


@frozen
class Seen:
    """What was seen on a rung.

    Attributes:
        evidence: In words.
        findings: What is wrong with it.
        skipped: It could not be looked at; the evidence says why.
    """

    evidence: str = ""
    findings: tuple[Finding, ...] = ()
    skipped: bool = False


@frozen
class Probe:
    """How one rung is climbed on one host.

    Attributes:
        rung: Which.
        look: Looks; an error of the catalogue that it raises is a finding of this rung.
        stands_on: Rungs that have to hold before.
        deadline_s: Seconds after which it is given up.
    """

    rung: Rung
    look: Callable[[], Awaitable[Seen]]
    stands_on: tuple[Rung, ...] = ()
    deadline_s: float = 3.0


async def climb(host: str, probes: Sequence[Probe], tell: Tell) -> tuple[Step, ...]:
    """Climb all rungs of a host, those that do not stand on each other at the same time.

    Args:
        host: The host.
        probes: Its rungs, each after those that it stands on.
        tell: Called with each step when it is done.

    Returns:
        A step for each rung, in their order.
    """
    tasks: dict[Rung, asyncio.Task[Step]] = {}
    async with asyncio.TaskGroup() as group:
        for probe in probes:
            below = {rung: tasks[rung] for rung in probe.stands_on if rung in tasks}
            climbing = _climbed(host, probe, below, tell)
            tasks[probe.rung] = group.create_task(climbing, name=f"{probe.rung.value} of {host}")
    return tuple(task.result() for task in tasks.values())


async def _climbed(
    host: str, probe: Probe, below: Mapping[Rung, asyncio.Task[Step]], tell: Tell
) -> Step:
    broken = [rung for rung, task in below.items() if not _holds(await task)]
    began = time.monotonic()
    if broken:
        seen = Seen(f"stands on {broken[0].value}", skipped=True)
    else:
        seen = await _looked(host, probe)
    step = step_of(host, probe.rung, seen, time.monotonic() - began)
    tell(step)
    return step


def step_of(host: str, rung: Rung, seen: Seen, seconds: float = 0.0) -> Step:
    """What was seen, as a step of the ladder."""
    return Step(
        host=host,
        rung=rung,
        state=_state(seen),
        evidence=seen.evidence,
        seconds=seconds,
        findings=seen.findings,
    )


async def _looked(host: str, probe: Probe) -> Seen:
    try:
        async with asyncio.timeout(probe.deadline_s):
            return await probe.look()
    except AgiError as error:
        found = error
    except TimeoutError:
        what = f"{probe.rung.value}: no answer in {probe.deadline_s:g} s"
        found = HostCommandTimeoutError(what, where=host)
    except Exception as error:  # noqa: BLE001 - the boundary: logged, and the rung says it
        found = defect(error, where=f"{probe.rung.value} of {host}")
    return Seen(found.what, (finding_of(found, host, probe.rung),))


def _state(seen: Seen) -> StepState:
    if seen.skipped:
        return StepState.SKIPPED
    if any(finding.severity is Severity.ERROR for finding in seen.findings):
        return StepState.FAILED
    return StepState.WARNED if seen.findings else StepState.PASSED


def _holds(step: Step) -> bool:
    return step.state in (StepState.PASSED, StepState.WARNED)
