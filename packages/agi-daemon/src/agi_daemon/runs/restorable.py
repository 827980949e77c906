"""What the directories of a run say about it, wherever they are: all that a store needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import evolve, frozen, mutable

from agi_cluster.model.run import RunState
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs.directories import VERDICT_FILE, FoundRun
from agi_daemon.runs.order import order_in
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.codec import plain, structured
from agi_env.errors import StateUnreadableError
from agi_env.runtime.journal import SETTLED, Record
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE

VERDICT_SCHEMA = "agi.run_verdict.v1"
_SEE_THERE = "Daemons write no such thing: see who else can write on that host"


@frozen
class Course:
    """What one directory with a runner says: what was asked for, and what happened."""

    record: RunRecord
    content: PlanContent
    records: Sequence[Record]

    @property
    def settled(self) -> bool:
        """Whether the journal has come to its end."""
        return any(record.kind == SETTLED for record in self.records)

    @property
    def reach(self) -> tuple[bool, int, int]:
        """Tells the directory of a runner that was moved from the one it left."""
        return self.settled, self.record.epoch, len(self.records)


@mutable
class Restorable:
    """One run, from all of its directories."""

    run_id: str
    course: Course | None = None
    verdict: RunRecord | None = None
    """The run as the daemon settled it, where the journal could not say so."""

    def learn(self, found: FoundRun) -> None:
        """Take one directory into account.

        Raises:
            StateUnreadableError: A file of it is damaged, of another version, or nothing that its
                host can know.
        """
        if found.has(VERDICT_FILE):
            self.verdict = _verdict(found)
        if found.has(SPEC_FILE) and found.has(PLAN_FILE):
            course = _course(found)
            if self.course is None or course.reach > self.course.reach:
                self.course = course

    @property
    def record(self) -> RunRecord | None:
        """The run as it began, or as it was settled; None where no directory told either."""
        return self.course.record if self.course else self.verdict

    @property
    def settled(self) -> bool:
        """Whether the run is over."""
        return self.verdict is not None or bool(self.course and self.course.settled)

    @property
    def accepted(self) -> tuple[datetime, int]:
        """When it was accepted, for the order of runs."""
        assert self.record is not None
        return self.record.run.create_time, self.record.number


def verdict_of(record: RunRecord) -> bytes:
    """The file that says how the daemon itself settled a run."""
    return json.dumps({"schema": VERDICT_SCHEMA, "record": plain(record)}).encode()


def verdict_in(data: bytes) -> RunRecord:
    """Read what `verdict_of` wrote.

    Raises:
        StateUnreadableError: It is damaged, or of another version.
    """
    try:
        facts: dict[str, Any] = json.loads(data)
        if facts["schema"] != VERDICT_SCHEMA:
            raise StateUnreadableError(f"{facts['schema']!r} is no verdict of this version")
        return structured(facts["record"], RunRecord)
    except (ValueError, KeyError, TypeError) as error:
        raise StateUnreadableError(f"its verdict cannot be read ({error})") from error


def _verdict(found: FoundRun) -> RunRecord:
    if found.host != THIS_MACHINE:
        fault = f"{found.host} tells a verdict, which this machine alone gives"
        raise StateUnreadableError(fault, remedy=_SEE_THERE)
    verdict = verdict_in(found.content(VERDICT_FILE))
    _refuse_another(found, verdict.run.id)
    return verdict


def _course(found: FoundRun) -> Course:
    spec = found.read_spec()
    if spec.order is None:
        raise StateUnreadableError("its spec is of a version that kept no order")
    order = order_in(spec.order)
    _refuse_another(found, spec.run_id, order.record.run.id)
    _refuse_elsewhere(found, order.record)
    plan = found.read_plan()
    records = found.read_journal().records
    stopped = any(record.kind == "cancel_requested" for record in records)
    target = RunState.CANCELLED if stopped else RunState.SUCCEEDED
    epoch = max((record.epoch for record in records), default=0)
    record = evolve(order.record, epoch=epoch, run=evolve(order.record.run, target=target))
    return Course(record, PlanContent(order.plan, plan.partitions, plan.assignment), records)


def _refuse_another(found: FoundRun, *told: str) -> None:
    """See that a directory, which is named after its run, tells of that one."""
    others = {*told} - {found.run_id}
    if others:
        fault = f"its directory tells of another run, {', '.join(others)}"
        raise StateUnreadableError(fault, remedy=_SEE_THERE)
    if found.run_id.startswith(".") or "/" in found.run_id:
        raise StateUnreadableError("it has a name that no run gets", remedy=_SEE_THERE)


def _refuse_elsewhere(found: FoundRun, record: RunRecord) -> None:
    """See that a host tells of the runners that it has.

    A runner that was moved is told by both hosts, and by each as its own: the order is written
    again for the host it went to.
    """
    if record.runner_host != found.host:
        raise StateUnreadableError(
            f"{found.host} tells it, and its runner is on {record.runner_host}",
            remedy=f"Where that is the same machine, enrol it as {record.runner_host}",
        )
