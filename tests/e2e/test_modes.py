"""All sixteen modes on this machine: equal totals, or the exact refusal; compiled code at worst.

There is no GPU in a test: the daemon pretends two, see ``agi_env.runtime.devices``, and a second
daemon has none.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.errors import ExecutorDiedError, NotCompiledError
from agi_env.mode import Mode
from agi_env.runtime import executor_messages
from agi_env.runtime.frames import FrameDecoder, encode
from agi_env.runtime.spec import RunSpec

TWO = Selection(workers={"127.0.0.1": 2}, cores_per_slot=1)
ALL = [Mode(number) for number in range(16)]

SUMMING_WORKER = """\
import os
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def start(self):
        self.seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")

    def work(self, partition, out):
        total = 0
        for number in range(1000 * (partition.payload + 1)):
            total += number
        return {"total": total, "device": self.env.device, "seen": self.seen}

    def reduce(self, results):
        return sum(result.value["total"] for result in results)
"""

HARD_WORKER = """\
from agi_env import BaseWorker
from hard_worker.deeds import crash, hold


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        if self.args["deed"] == "crash" and partition.payload == 1:
            crash()
        if self.args["deed"] == "hold":
            hold(self.args["seconds"])
        return partition.payload
"""
DEEDS = """\
from libc.time cimport time, time_t


def hold(double seconds):
    "Compute without ever letting go of the interpreter's lock."
    cdef time_t end = time(NULL) + <time_t>seconds
    while time(NULL) < end:
        pass


def crash():
    cdef int* nowhere = NULL
    nowhere[0] = 1
"""

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="a C compiler is not installed"),
    pytest.mark.timeout(300),  # the first in a mode collects, builds and compiles for it
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    """A daemon with two pretended GPUs, and leases shorter than what a test holds."""
    share = str(tmp_path_factory.mktemp("cluster-share"))
    env = {"AGI_CLUSTER_SHARE": share, "AGI_FAKE_DEVICES": "2", "AGI_WORKER_LEASE": "2"}
    with running_daemon(env=env) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A daemon on a host without a GPU."""
    share = str(tmp_path_factory.mktemp("cluster-share"))
    with running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon, daemon.client() as client:
        yield client


@pytest.fixture(scope="module")
def summing(make_app) -> str:
    return str(make_app("summing", worker=SUMMING_WORKER))


@pytest.fixture(scope="module")
def hard(make_app) -> str:
    """An app whose compiled code does its worst."""
    root = make_app("hard", worker=HARD_WORKER)
    (root / "src/hard_worker/deeds.pyx").write_text(DEEDS)
    return str(root)


def run(client: Client, app: str, mode: Mode, **args: object) -> Run:
    request = StartRun(app=app, mode=mode, args=args, selection=TWO)
    *_, (last, _) = client.watch_run(client.start_run(request).id, verbose=0)
    assert isinstance(last, Run)
    return last


def events(client: Client, run_id: str, kind: str) -> list[Event]:
    updates = [update for update, _ in client.watch_run(run_id, verbose=3)]
    return [each for each in updates if isinstance(each, Event) and each.kind == kind]


@pytest.mark.parametrize("mode", ALL, ids=lambda mode: f"{int(mode)}-{mode.letters}")
def test_each_mode_gives_the_same_total_and_proves_what_it_is(
    client: Client, summing: str, mode: Mode
) -> None:
    settled = run(client, summing, mode, parts=4)
    assert settled.state is RunState.SUCCEEDED, settled.error
    assert settled.result == sum(sum(range(1000 * n)) for n in (1, 2, 3, 4))
    proofs = [event.data for event in events(client, settled.id, "executor_ready")]
    assert bool(proofs) == bool(mode & (Mode.CYTHON | Mode.RAPIDS))
    assert all(("module" in each) == (Mode.CYTHON in mode) for each in proofs)
    assert all(each.get("module", ".so").endswith(".so") for each in proofs)
    seen = {each.get("device") for each in proofs if Mode.RAPIDS in mode}
    slots = {each["slot"] for each in proofs}
    bound = {f"fake device {slot}" for slot in slots} if len(settled.slots) > 1 else seen
    assert seen == (bound if Mode.RAPIDS in mode else set())


@pytest.mark.parametrize("mode", [mode for mode in ALL if Mode.RAPIDS in mode], ids=int)
def test_without_a_gpu_the_host_refuses_by_name(ask, bare: Client, summing, mode: Mode) -> None:
    request = StartRun(app=summing, mode=mode, selection=TWO)
    error = ask.refused("MODE_NOT_RUNNABLE", lambda: bare.start_run(request))
    assert error.where == "127.0.0.1" and mode.words in error.what
    assert error.metadata["host"] == "127.0.0.1" and "driver" in error.metadata["reason"]


def test_a_build_that_lost_its_extension_is_refused_not_run_as_python(
    client: Client, daemon: RunningDaemon, summing: str
) -> None:
    settled = run(client, summing, Mode.CYTHON)
    build = _build_of(daemon, settled)
    lost = list(build.glob("lib/*/site-packages/summing_worker/*.so"))
    spec = daemon.state / "host/runs" / settled.id / "spec.json"
    assert lost and str(build) in spec.read_text()
    hidden = [path.rename(path.with_suffix(".hidden")) for path in lost]
    try:
        said = _executor(build, spec)
    finally:
        for path in hidden:
            path.rename(path.with_suffix(".so"))
    assert "not_compiled" in said and "summing_worker.py" in said
    assert NotCompiledError.code == "NOT_COMPILED"


def test_a_crashing_extension_fails_its_partition_and_nothing_else(
    client: Client, hard: str, summing: str
) -> None:
    beside = client.start_run(StartRun(app=summing, mode=Mode.PLAIN, args={"parts": 2}))
    settled = run(client, hard, Mode.CYTHON | Mode.POOL, deed="crash", parts=3)
    assert settled.state is RunState.FAILED and isinstance(settled.error, ExecutorDiedError)
    assert "SIGSEGV" in settled.error.what and settled.progress.succeeded == 2
    *_, (other, _) = client.watch_run(beside.id, verbose=0)
    assert other.state is RunState.SUCCEEDED


def test_a_loop_that_holds_the_lock_loses_no_lease(client: Client, hard: str) -> None:
    """The loop lasts longer than two leases; the worker's heartbeat is not in its process."""
    began = time.monotonic()
    settled = run(client, hard, Mode.CYTHON | Mode.CLUSTER, deed="hold", seconds=5, parts=2)
    assert settled.state is RunState.SUCCEEDED and time.monotonic() - began > 4
    assert events(client, settled.id, "slot_lost") == []
    assert events(client, settled.id, "partition_moved") == []


def _build_of(daemon: RunningDaemon, settled: Run) -> Path:
    spec = json.loads((daemon.state / "host/runs" / settled.id / "spec.json").read_text())
    return Path(spec["build"])


def _executor(build: Path, spec: Path) -> str:
    """What an executor of this build says of itself when it is told to start."""
    asked = RunSpec.from_json(spec.read_bytes())
    ours, theirs = socket.socketpair()
    words = [str(build / "bin/python"), "-P", "-m", "agi_env.runtime.executor"]
    process = subprocess.Popen(
        [*words, str(theirs.fileno()), str(os.getpid())], pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    ours.settimeout(30)
    ours.sendall(encode(executor_messages.start(asked, asked.slots[0], 0)))
    decoder, said = FrameDecoder(), []
    while not said:
        said = list(decoder.feed(ours.recv(65536)))
    ours.close()
    process.wait(30)
    return json.dumps(said)
