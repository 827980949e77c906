"""Runs on real workers of this machine: a real scheduler, real TLS, real kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from distributed.security import Security

from agi_env.runtime import process_tree
from agi_env.runtime.cluster_keys import ClusterKeys
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.spec import SlotSpec
from agi_env.runtime.worker_attach import Commands, worker_directory

WAIT_S = 30.0


def until(true: Callable[[], Any]) -> Any:
    """Wait for what other processes do."""
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if found := true():
            return found
        pause.wait(0.01)
    pytest.fail("it did not happen in time")


def is_gone(pid: int) -> bool:
    process = process_tree.find(pid)
    return process is None or process.has_ended


def children(pid: int) -> list[int]:
    return [each.pid for each in process_tree.descendants(pid) if each.parent == pid]


class Line:
    """One of the two attaches, and what it said."""

    def __init__(self, run: Any, keys: ClusterKeys, module: str, *arguments: str) -> None:
        self.said: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(run.run_dir), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=run.interpreter.environment(1, "none"),
        )
        self.write(keys.to_line())
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def order(self, **command: Any) -> None:
        self.write(json.dumps(command).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # it has ended
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def first(self, key: str) -> Any:
        return until(lambda: [line for line in self.said if key in line])[0][key]

    def close(self) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self.said.append(json.loads(line))


class Cluster:
    """A run with its runner and its workers, all of them below attaches of ours."""

    def __init__(self, run: Any) -> None:
        self.run = run
        temporary = Security.temporary()
        self.keys = ClusterKeys(
            temporary.tls_ca_file, temporary.tls_worker_cert, temporary.tls_worker_key
        )
        self.workers: dict[int, Line] = {}
        self.lines: list[Line] = []

    def begin(self, epoch: int = 1) -> Cluster:
        self.runner = self._line("agi_env.runtime.attach", "--epoch", str(epoch), "--keys")
        for slot in self.run.spec.slots:
            self.man(slot.index, epoch)
        return self

    def man(self, slot: int, epoch: int = 1) -> Line:
        line = self._line("agi_env.runtime.worker_attach", "--slot", str(slot))
        address = until(lambda: self.address(epoch))
        line.order(op="join", scheduler=address, epoch=epoch)
        self.workers[slot] = line
        return line

    def address(self, epoch: int) -> str:
        started = [each for each in self.records("scheduler_started") if each["epoch"] == epoch]
        return started[0]["address"] if started else ""

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        return self.run.records(*kinds) if (self.run.run_dir / "journal").exists() else []

    def worker_pid(self, slot: int) -> int:
        """The worker itself: the one child of its supervisor."""
        (pid,) = until(lambda: children(self.workers[slot].first("attached")["pid"]))
        return pid

    def runner_pid(self) -> int:
        return self.records("runner_started")[-1]["pid"]

    def settled(self) -> dict[str, Any]:
        self.runner.first("gone")
        return self.records("settled")[-1]

    def places(self) -> dict[str, int]:
        return {each["id"]: each["slot"] for each in self.records("partition_finished")}

    def ours(self) -> list[int]:
        marks = [str(self.run.run_dir), self.run.spec.run_id + "/"]
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and int(entry.name) not in (os.getpid(), *(each.process.pid for each in self.lines))
            and any(mark in told(entry) for mark in marks)
        ]

    def close(self) -> None:
        for line in self.lines:
            for attached in [said["attached"] for said in line.said if "attached" in said]:
                if attached["pid"] is not None:
                    process_tree.kill_tree(attached["pid"])
        for line in self.lines:
            line.close()

    def _line(self, module: str, *arguments: str) -> Line:
        line = Line(self.run, self.keys, module, *arguments)
        self.lines.append(line)
        return line


def told(process: Path) -> str:
    try:
        return (process / "cmdline").read_text() + (process / "environ").read_text()
    except (OSError, UnicodeDecodeError):
        return ""


@pytest.fixture
def cluster(reducing_run: Any) -> Iterator[Cluster]:
    """A run on two workers; it still wants a plan, and to be begun."""
    slots = tuple(SlotSpec(index, "127.0.0.1") for index in range(2))
    cluster = Cluster(reducing_run.spec_with(mode=4, slots=slots, cluster=ClusterSpec()))
    yield cluster
    cluster.close()
    until(lambda: not cluster.ours())


def leased(cluster: Cluster, seconds: float) -> Cluster:
    cluster.run.spec_with(cluster=ClusterSpec(lease_s=seconds))
    return cluster


def test_partitions_run_on_the_slots_of_the_plan(cluster: Cluster) -> None:
    cluster.run.plan(*[("give", number) for number in range(8)], slots=[0, 1, 1, 0, 1, 0, 0, 1])
    settled = cluster.begin().settled()
    assert settled["state"] == "SUCCEEDED", settled
    assert [cluster.places()[f"p{n}"] for n in range(8)] == [0, 1, 1, 0, 1, 0, 0, 1]
    assert cluster.run.results() == list(range(8))
    assert {record["slot"] for record in cluster.records("slot_joined")} == {0, 1}
    for line in cluster.workers.values():
        assert line.first("gone")["code"] == 0
    assert not cluster.ours()


def test_a_pool_in_each_slot(cluster: Cluster) -> None:
    slots = tuple(SlotSpec(index, "127.0.0.1", 2, 2) for index in range(2))
    cluster.run.spec_with(mode=5, slots=slots)
    cluster.run.plan(*[("give", number) for number in range(12)], slots=[0, 1] * 6)
    assert cluster.begin().settled()["state"] == "SUCCEEDED"
    assert cluster.run.results() == list(range(12))
    assert [cluster.places()[f"p{n}"] for n in range(12)] == [0, 1] * 6


def test_failures_of_the_app_travel_whole(cluster: Cluster) -> None:
    cluster.run.plan(("give", 1), ("fail", "no luck"), ("segfault", 0), slots=[0, 0, 1])
    settled = cluster.begin().settled()
    assert settled["state"] == "FAILED"
    assert settled["summary"]["succeeded"] == 1
    failed = {each["id"]: each for each in cluster.records("partition_failed") if each["final"]}
    assert "no luck" in failed["p1"]["cause"]["message"]
    assert failed["p2"]["cause"]["kind"] == "signal"
    assert failed["p2"]["attempt"] == 3


def test_a_killed_worker_loses_what_ran_and_keeps_what_is_finished(
    cluster: Cluster, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    cluster.run.plan(("give", 0), ("wait_for", str(gate)), ("give", 2), slots=[1, 1, 0])
    cluster.begin()
    until(lambda: any(each["id"] == "p1" for each in cluster.records("partition_started")))
    executors = [e["pid"] for e in cluster.records("executor_started") if e["slot"] == 1]
    os.kill(cluster.worker_pid(1), signal.SIGKILL)
    until(lambda: len([e for e in cluster.records("partition_started") if e["id"] == "p1"]) == 2)
    gate.touch()
    assert cluster.settled()["state"] == "SUCCEEDED"
    assert cluster.places() == {"p0": 1, "p1": 0, "p2": 0}
    assert [each["id"] for each in cluster.records("partition_moved")] == ["p1"]
    assert cluster.records("partition_failed") == []
    assert cluster.run.results() == [0, "waited", 2]
    until(lambda: all(is_gone(pid) for pid in executors))


def test_a_lost_slot_is_taken_by_a_new_worker(cluster: Cluster, tmp_path: Path) -> None:
    gates = [tmp_path / f"gate {number}" for number in range(2)]
    deeds = [("wait_for", str(gates[0])), *[("wait_for", str(gates[1]))] * 3]
    cluster.run.plan(*deeds, slots=[0, 1, 1, 1])
    cluster.begin()
    until(lambda: len(cluster.records("partition_started")) == 2)
    os.kill(cluster.worker_pid(1), signal.SIGKILL)
    until(lambda: cluster.records("slot_lost"))
    assert cluster.workers[1].first("gone")
    cluster.man(1)
    until(lambda: len(cluster.records("slot_joined")) == 3)
    gates[1].touch()
    until(lambda: len(cluster.records("partition_finished")) >= 2)
    gates[0].touch()
    assert cluster.settled()["state"] == "SUCCEEDED"
    assert cluster.places()["p3"] == 1


def test_a_silent_worker_loses_its_slot_and_ends_when_it_wakes(
    cluster: Cluster, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    leased(cluster, 1.0).run.plan(("give", 0), ("wait_for", str(gate)), slots=[0, 1])
    cluster.begin()
    until(lambda: any(each["id"] == "p1" for each in cluster.records("partition_started")))
    silent = cluster.worker_pid(1)
    executors = [e["pid"] for e in cluster.records("executor_started") if e["slot"] == 1]
    os.kill(silent, signal.SIGSTOP)
    lost = until(lambda: cluster.records("slot_lost"))
    assert lost[0]["reason"] == "its lease expired"
    until(lambda: len([e for e in cluster.records("partition_started") if e["id"] == "p1"]) == 2)
    assert not is_gone(silent)
    assert not any(is_gone(pid) for pid in executors)
    os.kill(silent, signal.SIGCONT)
    until(lambda: is_gone(silent) and all(is_gone(pid) for pid in executors))
    gate.touch()
    assert cluster.settled()["state"] == "SUCCEEDED"
    assert cluster.places() == {"p0": 0, "p1": 0}
    assert cluster.workers[1].first("gone")["code"] != 0


def test_a_stopped_worker_can_be_ended_from_its_host(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    cluster.run.plan(("give", 0), ("wait_for", str(gate)), slots=[0, 1])
    cluster.begin()
    until(lambda: any(each["id"] == "p1" for each in cluster.records("partition_started")))
    silent = cluster.worker_pid(1)
    os.kill(silent, signal.SIGSTOP)
    cluster.workers[1].order(op="kill")
    assert cluster.workers[1].first("gone") is None
    assert is_gone(silent)
    gate.touch()
    assert cluster.settled()["state"] == "SUCCEEDED"


@pytest.mark.parametrize("wait_s", [0.0, 60.0])
def test_a_worker_that_never_begins_to_listen_is_killed(tmp_path: Path, wait_s: float) -> None:
    silent = subprocess.Popen(["sleep", "600"])
    try:
        commands = Commands(tmp_path, silent.pid, listen_s=wait_s)
        commands.take([b'{"op": "join", "scheduler": "tls://127.0.0.1:1", "epoch": 1}'])
        commands.take([])
        assert commands.waiting is (wait_s > 0)
        if wait_s:
            assert silent.poll() is None
        else:
            assert silent.wait(10) == -signal.SIGKILL
    finally:
        silent.kill()
        silent.wait()


def test_a_killed_runner_takes_its_workers_along_and_the_next_goes_on(
    cluster: Cluster, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    cluster.run.plan(("give", 0), ("wait_for", str(gate)), slots=[0, 1])
    cluster.begin()
    until(lambda: any(each["id"] == "p0" for each in cluster.records("partition_finished")))
    until(lambda: any(each["id"] == "p1" for each in cluster.records("partition_started")))
    workers = [cluster.worker_pid(slot) for slot in (0, 1)]
    os.kill(cluster.runner_pid(), signal.SIGKILL)
    assert cluster.runner.first("gone")["signal"] == signal.SIGKILL
    until(lambda: all(is_gone(pid) for pid in workers))
    for line in cluster.workers.values():
        line.first("gone")
    until(lambda: not cluster.ours())
    gate.touch()
    assert cluster.begin(epoch=2).settled()["state"] == "SUCCEEDED"
    assert cluster.run.results() == [0, "waited"]
    assert len([e for e in cluster.records("partition_started") if e["id"] == "p0"]) == 1


def test_a_worker_of_another_epoch_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slots = (SlotSpec(0, "127.0.0.1"),)
    cluster.run.spec_with(slots=slots).plan(("wait_for", str(gate)))
    cluster.runner = cluster._line("agi_env.runtime.attach", "--epoch", "2", "--keys")
    stale = cluster._line("agi_env.runtime.worker_attach", "--slot", "0")
    address = until(lambda: cluster.address(2))
    stale.order(op="join", scheduler=address, epoch=1)
    assert stale.first("gone")["code"] == 6
    assert cluster.records("slot_joined") == []
    cluster.man(0, epoch=2)
    gate.touch()
    assert cluster.settled()["state"] == "SUCCEEDED"


def test_a_slot_that_is_given_up_leaves_its_work_to_the_others(cluster: Cluster) -> None:
    cluster.run.plan(("give", 0), ("give", 1), slots=[0, 1])
    cluster.runner = cluster._line("agi_env.runtime.attach", "--epoch", "1", "--keys")
    cluster.man(0)
    until(lambda: cluster.records("partition_finished"))
    cluster.runner.order(op="give_up_slot", slot=1, reason="no way to its host")
    assert cluster.settled()["state"] == "SUCCEEDED"
    assert cluster.places() == {"p0": 0, "p1": 0}


def test_without_any_worker_the_run_fails_and_says_why(cluster: Cluster) -> None:
    cluster.run.plan(("give", 0), slots=[0])
    cluster.runner = cluster._line("agi_env.runtime.attach", "--epoch", "1", "--keys")
    until(lambda: cluster.address(1))
    for slot in (0, 1):
        cluster.runner.order(op="give_up_slot", slot=slot, reason="no way to its host")
    error = cluster.settled()["error"]
    assert error["code"] == "WORKERS_LOST"
    assert "no way to its host" in error["metadata"]["what"]


def test_nobody_without_the_keys_of_the_run_gets_in(cluster: Cluster) -> None:
    cluster.run.plan(("give", 0), slots=[0])
    cluster.runner = cluster._line("agi_env.runtime.attach", "--epoch", "1", "--keys")
    address = until(lambda: cluster.address(1))
    assert address.startswith("tls://127.0.0.1:247")
    cluster.keys = Cluster(cluster.run).keys
    stranger = cluster.man(0)
    assert stranger.first("gone")["code"] != 0
    assert cluster.records("slot_joined") == []
    cluster.runner.order(op="stop_now")
    assert cluster.settled()["state"] == "CANCELLED"


def test_the_keys_are_in_no_file_argument_or_environment(cluster: Cluster, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    cluster.run.plan(("wait_for", str(gate)), slots=[0])
    cluster.begin()
    until(lambda: cluster.records("partition_started"))
    secret = cluster.keys.key.splitlines()[1]
    assert not any(secret in told(entry) for entry in Path("/proc").iterdir())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in files)
    assert worker_directory(cluster.run.run_dir, 0) in {path.parent for path in files}
    gate.touch()
    assert cluster.settled()["state"] == "SUCCEEDED"
