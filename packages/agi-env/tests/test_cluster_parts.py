"""The small parts of a cluster: leases, turns, words, keys, ports and Dask's settings."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import RequestInvalidError
from agi_env.runtime import dispatch_events as events
from agi_env.runtime import worker_messages
from agi_env.runtime.carrying import Carrying
from agi_env.runtime.causes import EndCause, EndKind, FailureCause, FailureKind
from agi_env.runtime.cluster_executors import EXPIRED, ClusterExecutors
from agi_env.runtime.cluster_keys import ClusterKeys, KeyFiles
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.frames import Message
from agi_env.runtime.port_range import PortRange
from agi_env.runtime.spec import RunSpec, SlotSpec
from agi_env.runtime.worker_leases import WorkerLeases

KEYS = ClusterKeys("the authority", "the certificate", "the key")


# Leases.


def test_a_lease_lasts_as_long_as_it_is_renewed() -> None:
    leases = WorkerLeases(3, 5.0)
    lease = leases.grant(0, "there", 10.0)
    assert lease is not None
    assert (lease.id, leases.deadline()) == ("3.1", 15.0)
    assert leases.renew("3.1", 14.0)
    assert leases.expired(18.0) == []
    assert [each.id for each in leases.expired(19.0)] == ["3.1"]


def test_a_lease_that_expired_cannot_be_renewed_even_before_anybody_noticed() -> None:
    leases = WorkerLeases(1, 5.0)
    leases.grant(0, "there", 0.0)
    assert not leases.renew("1.1", 5.0)


def test_a_slot_is_granted_to_one_worker_and_a_name_is_used_once() -> None:
    leases = WorkerLeases(1, 5.0)
    leases.grant(0, "there", 0.0)
    assert leases.grant(0, "elsewhere", 1.0) is None
    leases.end(0)
    second = leases.grant(0, "elsewhere", 1.0)
    assert second is not None and second.id == "1.2"
    assert not leases.renew("1.1", 1.0)
    assert leases.held_by("there") is None


# What is said.


@pytest.mark.parametrize(
    "event",
    [
        events.ExecutorStarted(1, 0, 4711, 5.0),
        events.ExecutorReady(1, 0, True, 5.0),
        events.ExecutorUnfit(1, 0, FailureCause(FailureKind.IMPORT, "no module", "T", "log"), 5.0),
        events.ExecutorStopped(1, 0, None, 5.0),
        events.ExecutorEnded(1, 0, EndCause(EndKind.SIGNAL, None, 11, "", "last words"), 5.0),
        events.PartitionBegan(1, 0, "p", 2, 5.0),
        events.PartitionFinished(1, 0, "p", 2, 0.5, 0.4, 1, "ab", 2, 5.0),
        events.PartitionFailed(1, 0, "p", 2, FailureCause(FailureKind.EXCEPTION, "no"), 5.0),
        events.ReduceFinished(1, 0, 1, 0.5, "ab", 2, 5.0),
        events.ReduceFailed(1, 0, FailureCause(FailureKind.NOT_JSON, "a set"), 5.0),
    ],
)
def test_events_travel_whole_and_get_the_time_of_their_arrival(event: events.SeatEvent) -> None:
    message = json.loads(json.dumps(worker_messages.event("1.1", event)))
    heard = worker_messages.understood_event(message, 5.0)
    assert heard == event
    assert worker_messages.understood_event(message, 7.0).at == 7.0


# Turns.


def a_task(number: int, turn: int, start: int = 1) -> str:
    return worker_messages.task(0, start, turn, {"op": "work", "number": number})


def finished() -> events.SeatEvent:
    return events.PartitionFinished(0, 0, "p", 1, 0.5, 0.4, 1, "ab", 2, 5.0)


async def test_tasks_are_passed_on_in_their_turn_and_end_when_their_executor_is_done() -> None:
    sent: list[int] = []
    carrying = Carrying(lambda _, message: sent.append(message["number"]))
    carrying.begin(0, 1)
    second = asyncio.create_task(carrying.carry(a_task(2, 1)))
    await asyncio.sleep(0)
    assert sent == []
    first = asyncio.create_task(carrying.carry(a_task(1, 0)))
    await asyncio.sleep(0)
    assert sent == [1, 2]
    carrying.note(finished())
    await asyncio.wait_for(first, 5)
    assert not second.done()
    carrying.note(finished())
    await asyncio.wait_for(second, 5)


async def test_no_start_of_an_executor_gets_the_tasks_of_another() -> None:
    sent: list[int] = []
    carrying = Carrying(lambda _, message: sent.append(message["number"]))
    carrying.begin(0, 1)
    waiting = asyncio.create_task(carrying.carry(a_task(1, 1)))
    await asyncio.sleep(0)
    carrying.note(events.ExecutorEnded(0, 0, EndCause(EndKind.SIGNAL, signal=9), 1.0))
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(carrying.carry(a_task(2, 0)), 5)
    carrying.begin(0, 2)
    await asyncio.wait_for(carrying.carry(a_task(3, 0)), 5)
    assert sent == []


# Who holds which slot.


class FakeLink:
    """A link whose workers are names."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Message]] = []
        self.handed: list[tuple[str, str]] = []
        self.dropped: list[str] = []
        self.workers: tuple[str, ...] = ()

    def tell(self, worker: str, message: Message) -> None:
        self.told.append((worker, message))

    def hand(self, worker: str, key: str, text: str) -> None:
        self.handed.append((worker, key))

    async def drop(self, worker: str, reason: str) -> None:
        self.dropped.append(worker)

    async def close(self) -> None:
        self.workers = ()


class Desk:
    """Cluster executors over a fake link, and the events that came out."""

    def __init__(self) -> None:
        self.link = FakeLink()
        self.posted: list[events.Event] = []
        self.now = 0.0
        slots = (SlotSpec(0, "host"), SlotSpec(1, "host"))
        spec = RunSpec("r1", "a_project", "a", 4, "/in", "/out", "/build", "rel", "plan", slots)
        self.executors = ClusterExecutors(
            spec, 1, self.link, lease_s=5.0, post=self.posted.append, clock=lambda: self.now
        )

    def join(self, worker: str, slot: int = 0, epoch: int = 1) -> None:
        self.executors.heard(worker, worker_messages.join(slot, epoch, 1.0))

    def ops(self, worker: str) -> list[str]:
        return [message["op"] for name, message in self.link.told if name == worker]


async def test_a_worker_gets_the_slot_that_it_asks_for_once() -> None:
    desk = Desk()
    desk.join("a")
    desk.join("a")
    desk.join("b")
    desk.join("c", slot=1, epoch=2)
    assert (desk.ops("a"), desk.ops("b"), desk.ops("c")) == (
        ["granted", "granted"],
        ["fenced"],
        ["fenced"],
    )
    assert desk.posted == [events.SlotJoined(0, "1.1", "a", 0.0)]
    await desk.executors.close()


async def test_a_lost_slot_is_granted_anew_only_when_dispatch_has_let_go_of_it() -> None:
    desk = Desk()
    desk.join("a")
    desk.executors.gone("a", "its connection broke")
    desk.join("b")
    assert desk.ops("b") == []
    desk.executors.start(0, 0)
    assert desk.ops("a") == ["granted", "fenced"]
    desk.executors.fence(0)
    assert desk.ops("b") == ["granted"]
    assert [type(each).__name__ for each in desk.posted] == ["SlotJoined", "SlotLost", "SlotJoined"]
    await desk.executors.close()
    assert desk.link.dropped == ["a"]


async def test_what_is_said_under_a_lease_that_ended_counts_for_nothing() -> None:
    desk = Desk()
    desk.join("a")
    desk.executors.gone("a", "its connection broke")
    desk.posted.clear()
    desk.executors.heard("a", worker_messages.event("1.1", finished()))
    desk.executors.heard("a", worker_messages.renew("1.1", 0.0))
    assert desk.posted == []
    assert desk.ops("a")[-1] == "fenced"
    await desk.executors.close()


async def test_a_renewal_that_comes_too_late_is_refused() -> None:
    desk = Desk()
    desk.join("a")
    desk.now = 5.0
    desk.executors.heard("a", worker_messages.renew("1.1", 1.0))
    told = [message for name, message in desk.link.told if message["op"] == "fenced"]
    assert told == [worker_messages.fenced(EXPIRED)]
    await desk.executors.close()


async def test_work_goes_as_tasks_of_the_slots_worker_and_the_rest_as_words() -> None:
    desk = Desk()
    desk.join("a")
    desk.executors.start(0, 0)
    desk.executors.send(0, 0, {"op": "work", "partition": {"id": "p7"}})
    desk.executors.send(0, 0, {"op": "stop"})
    desk.executors.send(1, 0, {"op": "work", "partition": {"id": "p8"}})
    desk.executors.kill(0, 0)
    assert desk.link.handed == [("a", "work-p7-0.0.1.0")]
    assert desk.ops("a") == ["granted", "start", "send", "kill"]
    await desk.executors.close()


# Keys, ports, the spec.


def test_keys_travel_on_one_line() -> None:
    assert ClusterKeys.from_line(KEYS.to_line()) == KEYS
    assert "the key" not in repr(KEYS)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"keys": {}}', b'{"keys": {"key": 3}}'])
def test_a_line_without_keys_is_refused(line: bytes) -> None:
    with pytest.raises(RequestInvalidError):
        ClusterKeys.from_line(line)


def test_keys_are_files_in_memory_while_they_are_needed() -> None:
    files = KeyFiles(KEYS)
    assert Path(files.key).read_text() == "the key"
    assert Path(files.key).read_text() == "the key"
    assert str(Path(files.key).readlink()).startswith("/memfd:")
    files.close()
    assert not Path(files.key).exists()


def test_a_range_of_ports_is_read_and_written() -> None:
    assert list(PortRange.parse("24700-24702")) == [24700, 24701, 24702]
    assert str(PortRange.parse(" 24700 ")) == "24700-24700"


@pytest.mark.parametrize("text", ["", "a", "0", "70000", "5-4", "1-2-3", "-1", "٣"])
def test_what_is_no_range_of_ports_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no range of ports"):
        PortRange.parse(text)


def test_the_spec_carries_how_runner_and_workers_meet(toy_run: Any) -> None:
    spec = toy_run.spec_with(cluster=ClusterSpec(lease_s=1.5)).spec
    assert RunSpec.from_json(spec.to_json()) == spec


# Dask.

ASK = """
from agi_env.runtime import dask_settings
dask_settings.apply()
import os, dask
print(dask.config.get("distributed.scheduler.work-stealing"), dask.config.get("mine", None))
print(os.environ.get("HOME"), os.environ.get("DASK_MINE"))
"""


@pytest.mark.parametrize("text", ["mine: 1\ndistributed: {scheduler: {work-stealing: true}}", "{"])
def test_the_users_settings_of_dask_do_not_matter(tmp_path: Path, text: str) -> None:
    place = tmp_path / ".config" / "dask"
    place.mkdir(parents=True)
    (place / "mine.yaml").write_text(text)
    env = {**os.environ, "HOME": str(tmp_path), "DASK_MINE": "2"}
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "None", str(tmp_path), "2"]


def test_a_local_run_loads_no_dask() -> None:
    code = (
        "import sys\n"
        "from agi_env.runtime import attach, runner, worker_attach\n"
        "assert not {'dask', 'distributed', 'cryptography'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
