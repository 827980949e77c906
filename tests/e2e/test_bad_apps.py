"""Apps that misbehave, against a real daemon: one error each, and nothing else is harmed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunState
from agi_cluster.testing import RunningDaemon
from agi_env.errors import AgiError
from agi_env.mode import Mode

DEADLINE = 30.0
LOG_FILE_LIMIT = 10 << 20
"""What one log file of a run may hold."""

MANAGER = """
import math, os, sys, time
from agi_env import BaseApp, Partition


class {manager}(BaseApp):
    def partitions(self):
        return getattr(self, self.args.get("naming", "well"))()

    def well(self):
        return [Partition.of(id=f"p{number}", payload=number) for number in range(3)]

    def saying(self):
        print("three of them")
        return self.well()

    def no_partition(self): return []
    def one(self): return [Partition.of(id="p1", payload=1)]
    def text_as_weight(self): return [Partition.of(id="p", weight="x")]
    def nothing(self): return None
    def numbers(self): return [1, 2]
    def one_id_twice(self): return [Partition.of(id="same"), Partition.of(id="same")]
    def nan(self): return [Partition("p", "p", math.nan)]
    def infinite(self): return [Partition.of(id=name, weight=1e308) for name in "pq"]
    def a_set(self): return [Partition("p", "p", 1.0, {1, 2})]
    def exiting(self): sys.exit(3)
    def dying(self): os._exit(7)
    def crashing(self): os.kill(os.getpid(), 11)

    def raising(self):
        print("looking for months")
        yield Partition.of(id="first")
        raise LookupError("no such month")

    def printing(self):
        for _ in range(200):
            os.write(1, b"x" * (1 << 20))
        return self.well()

    def hiding(self):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)
        return self.well()
"""
WORKER = """
import ctypes, math, os, subprocess, sys, time
from agi_env import BaseWorker


class {manager}Worker(BaseWorker):
    def start(self): self.do("start")
    def stop(self): self.do("stop")

    def work(self, partition, out):
        (out / "number.txt").write_text(str(partition.payload))
        self.out = out
        return self.do("work") if partition.payload == 1 else partition.payload

    def reduce(self, results):
        self.out = None
        if "largest" in self.args: return max(results)
        return self.do("reduce") or [result.value for result in results]

    def do(self, moment): return getattr(self, self.args.get(moment, "well"))()
    def well(self): return None
    def raising(self): raise LookupError("no such airport")
    def a_set(self): return {1, 2}
    def nan(self): return math.nan
    def much(self): return "x" * (9 << 20)
    def exiting(self): sys.exit(3)
    def dying(self): os._exit(4)
    def crashing(self): ctypes.string_at(0)
    def never(self): time.sleep(1000)

    def spinning(self):
        while True: pass

    def printing(self):
        print("the first words", flush=True)
        for _ in range(300):
            os.write(1, b"x" * (1 << 20))
        print("\\nthe last words", flush=True)

    def forking(self):
        self.note(os.fork() or time.sleep(1000))

    def returning_twice(self):
        self.note(os.fork() or os.getpid())

    def hiding(self):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, str(os.getpid()).encode())
                time.sleep(1000)
            os._exit(0)
        self.note(os.read(reader, 100).decode())

    def nameless(self):
        child = subprocess.Popen(["sleep", "1000"], env={}, start_new_session=True)
        self.note(child.pid)

    def note(self, pid):
        (self.out / "pid.txt").write_text(str(pid))
"""
SETTINGS = "[cluster]\npartition_timeout = 1.5\nrun_timeout = 60.0\n"


class Bad:
    """The app whose arguments say when it misbehaves and how."""

    def __init__(self, client: Client, root: Path) -> None:
        self.client = client
        self.root = root

    def run(self, mode: int = 0, **args: str) -> Run:
        """Run it to its end."""
        started = self.client.start_run(StartRun(app=str(self.root), mode=Mode(mode), args=args))
        return settled(self.client, started.id)

    def fail(self, mode: int = 0, **args: str) -> Run:
        """Run it to its end, which is a failure that is told as every failure has to be."""
        run = self.run(mode, **args)
        assert run.state is RunState.FAILED
        assert run.error is not None
        assert_well_told(run.error)
        return run

    def partitions(self, run: Run) -> dict[str, RunPartition]:
        return {each.id: each for each in self.client.list_run_partitions(run.id).items}


def settled(client: Client, run_id: str) -> Run:
    for update, _ in client.watch_run(run_id, verbose=0):
        if isinstance(update, Run):
            last = update
    return last


def assert_well_told(error: AgiError) -> None:
    """One line with what, and what to do; a traceback begins with the app's own frame."""
    assert "\n" not in str(error)
    assert error.what and error.remedy
    assert type(error).code == error.code != "INTERNAL"
    trace = error.metadata.get("traceback", "")
    assert "agi_env" not in trace
    first = next((line for line in trace.splitlines() if 'File "' in line), None)
    assert first is None or re.match(r'  File "(\w+)/\1\.py"', first)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


def await_end(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} was left"
        time.sleep(0.01)


def size_of(directory: Path) -> int:
    return sum(path.lstat().st_size for path in directory.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def bad(client: Client, make_app) -> Bad:
    app = Bad(client, make_app("bad", manager=MANAGER, worker=WORKER, settings=SETTINGS))
    assert app.run().result == [0, None, 2]
    return app


@pytest.fixture(scope="module", autouse=True)
def app_that_goes_on_working(bad: Bad) -> Iterator[None]:
    """Whatever its runs did, the app and what is stored of earlier runs stay."""
    first = bad.client.list_runs().items[0]
    yield
    last = bad.run()
    assert (last.state, last.result) == (first.state, [0, None, 2])
    assert bad.client.get_run(first.id).paths == first.paths
    assert Path(first.paths.published, "manifest.json").is_file()


@pytest.mark.parametrize(
    ("naming", "code", "what"),
    [
        ("nothing", "APP_PARTITIONS_FAILED", "partitions() raised TypeError"),
        ("numbers", "APP_PARTITIONS_FAILED", "partitions() named 1, which is no Partition"),
        ("one_id_twice", "APP_PARTITIONS_FAILED", "two partitions have the id 'same'"),
        ("nan", "APP_PARTITIONS_FAILED", "the weight nan is no number"),
        ("a_set", "APP_PARTITIONS_FAILED", "the payload cannot be carried as JSON"),
        ("text_as_weight", "APP_PARTITIONS_FAILED", "partition 'p': the weight 'x' is no number"),
        ("infinite", "PLAN_INVALID", "the weights add up to more than a number can hold"),
        ("raising", "APP_PARTITIONS_FAILED", "partitions() raised LookupError: no such month"),
        ("exiting", "APP_PARTITIONS_FAILED", "partitions() called sys.exit(3)"),
        ("dying", "APP_PARTITIONS_FAILED", "the process exited with code 7"),
        ("crashing", "APP_PARTITIONS_FAILED", "the process was ended by SIGSEGV"),
    ],
)
def test_a_manager_that_names_no_partitions(bad: Bad, naming: str, code: str, what: str) -> None:
    run = bad.fail(naming=naming)
    assert run.error is not None
    assert (run.error.code, run.plan, run.paths.kept) == (code, "", "")
    assert what in run.error.what
    assert run.error.where or code == "PLAN_INVALID"


def test_a_plan_without_partitions_is_a_run_with_an_empty_result(bad: Bad) -> None:
    run = bad.run(naming="no_partition")
    assert (run.state, run.result, run.progress.total) == (RunState.SUCCEEDED, [], 0)
    assert (Path(run.paths.published) / "manifest.json").is_file()
    assert (Path(run.paths.published) / "results.jsonl").read_text() == ""
    assert run.warnings == ("partitions() named nothing: there was nothing to do",)
    request = CreatePlan(app=str(bad.root), args={"naming": "no_partition"})
    (finding,) = bad.client.create_plan(request).findings
    assert finding.code == "NO_PARTITIONS"
    failed = bad.fail(naming="no_partition", largest="yes").error
    assert failed is not None and failed.code == "REDUCE_FAILED"
    assert "partitions() named nothing, and for no results reduce() raised" in failed.what


def test_where_no_partition_succeeded_no_results_are_said_to_be_kept(bad: Bad) -> None:
    run = bad.fail(naming="one", work="raising")
    assert run.error is not None and run.progress.succeeded == 0
    assert run.error.remedy == f"`agi runs logs {run.id}` shows its output"


def test_what_a_manager_prints_is_no_answer_and_fills_nothing(
    bad: Bad, daemon: RunningDaemon
) -> None:
    before = size_of(daemon.root)
    run = bad.run(naming="printing")
    assert run.result == [0, None, 2]
    assert size_of(daemon.root) - before < 2 * LOG_FILE_LIMIT
    kept = [text for _, text in bad.client.read_run_log(run.id, file="planning.log")]
    assert set("".join(kept)) == {"x"}


def test_what_a_manager_prints_before_it_fails_is_in_the_logs(bad: Bad) -> None:
    run = bad.fail(naming="raising")
    assert list(bad.client.read_run_log(run.id)) == [("planning.log", "looking for months\n")]
    followed = bad.client.read_run_log(run.id, follow=True)
    assert list(followed) == [("planning.log", "looking for months\n")]


def test_what_a_manager_prints_comes_with_its_new_plan(bad: Bad) -> None:
    request = CreatePlan(app=str(bad.root), args={"naming": "saying"})
    plan = bad.client.create_plan(request)
    assert plan.printed == "three of them\n"
    assert bad.client.get_plan(plan.name).printed == ""


def test_a_manager_that_leaves_a_process_behind(bad: Bad, daemon: RunningDaemon) -> None:
    assert bad.run(naming="hiding").state is RunState.SUCCEEDED
    left = [line for line in daemon.processes().values() if "agi_env.runtime.naming" in line]
    assert left == []


@pytest.mark.parametrize(
    ("work", "code", "attempts", "what"),
    [
        ("raising", "PARTITION_FAILED", 1, "work() raised LookupError: no such airport"),
        ("exiting", "PARTITION_FAILED", 1, "work() called sys.exit(3)"),
        ("a_set", "RESULT_NOT_JSON", 1, "work() returned what JSON cannot carry"),
        ("nan", "RESULT_NOT_JSON", 1, "work() returned what JSON cannot carry"),
        ("much", "OUTPUT_TOO_LARGE", 1, "work() returned 9437186 bytes"),
        ("never", "PARTITION_TIMEOUT", 1, "work() took longer than 1.5 s"),
        ("dying", "EXECUTOR_DIED", 3, "the executor exited with code 4 during work(), 3 times"),
        ("crashing", "EXECUTOR_DIED", 3, "was ended by SIGSEGV during work(), 3 times"),
    ],
)
def test_a_partition_that_fails_leaves_the_others_results(
    bad: Bad, work: str, code: str, attempts: int, what: str
) -> None:
    run = bad.fail(work=work)
    failed = bad.partitions(run)["p1"]
    for error in (run.error, failed.error):
        assert error is not None
        assert "RUN" not in error.remedy
        assert (error.code, error.where) == (code, "partition p1")
        assert what in error.what
    assert (failed.state, failed.attempts) == (PartitionState.FAILED, attempts)
    assert (run.progress.succeeded, run.progress.failed) == (2, 1)
    kept = [path.read_text() for path in Path(run.paths.kept).rglob("number.txt")]
    assert {"0", "2"} <= set(kept)
    assert run.paths.published == ""


def test_a_loop_that_never_ends_in_a_pool(bad: Bad) -> None:
    run = bad.fail(mode=1, work="spinning")
    assert run.error is not None and run.error.code == "PARTITION_TIMEOUT"
    assert run.progress.succeeded == 2


@pytest.mark.parametrize(
    ("reduce", "code", "what"),
    [
        ("raising", "REDUCE_FAILED", "reduce() raised LookupError: no such airport"),
        ("exiting", "REDUCE_FAILED", "reduce() called sys.exit(3)"),
        ("crashing", "REDUCE_FAILED", "was ended by SIGSEGV during reduce()"),
        ("a_set", "RESULT_NOT_JSON", "reduce() returned what JSON cannot carry"),
        ("much", "OUTPUT_TOO_LARGE", "reduce() returned 9437186 bytes"),
    ],
)
def test_a_reduction_that_fails(bad: Bad, reduce: str, code: str, what: str) -> None:
    run = bad.fail(reduce=reduce)
    assert run.error is not None
    assert run.error.code == code
    assert what in run.error.what
    assert run.progress.succeeded == 3
    assert "`out`" not in run.error.remedy
    assert len(list(Path(run.paths.kept).rglob("number.txt"))) == 3


@pytest.mark.parametrize(
    ("moment", "how", "code", "what"),
    [
        ("start", "raising", "APP_FAILED", "raised LookupError: no such airport"),
        ("start", "exiting", "APP_FAILED", "called sys.exit(3)"),
        ("start", "dying", "EXECUTOR_DIED", "exited with code 4"),
        ("start", "crashing", "EXECUTOR_DIED", "was ended by SIGSEGV"),
        ("stop", "raising", "APP_FAILED", "stop() raised LookupError: no such airport"),
        ("stop", "exiting", "APP_FAILED", "stop() called sys.exit(3)"),
    ],
)
def test_a_worker_that_cannot_begin_or_end(
    bad: Bad, moment: str, how: str, code: str, what: str
) -> None:
    run = bad.fail(**{moment: how})
    assert run.error is not None
    assert run.error.code == code
    assert what in run.error.what


def test_a_worker_that_crashes_when_all_is_done_is_told_of(bad: Bad) -> None:
    run = bad.run(stop="crashing")
    assert (run.state, run.result) == (RunState.SUCCEEDED, [0, None, 2])
    (warning,) = run.warnings
    assert "SIGSEGV" in warning and "stop()" in warning


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("work", ["forking", "returning_twice", "hiding", "nameless"])
def test_nothing_that_an_app_started_outlives_its_run(bad: Bad, work: str, mode: int) -> None:
    run = bad.run(mode=mode, work=work)
    assert (run.state, run.result) == (RunState.SUCCEEDED, [0, None, 2])
    (noted,) = Path(run.paths.published).rglob("pid.txt")
    await_end(int(noted.read_text()))


def test_prints_without_end_fill_nothing_and_hold_nothing_up(
    bad: Bad, daemon: RunningDaemon
) -> None:
    before = size_of(daemon.root)
    run = bad.run(work="printing")
    assert (run.state, run.result) == (RunState.SUCCEEDED, [0, None, 2])
    assert size_of(daemon.root) - before < 2 * LOG_FILE_LIMIT
    log = "".join(text for _, text in bad.client.read_run_log(run.id, file="executor-0-0.log"))
    assert "the first words" in log[:100]
    assert "the last words" in log[-100:]


@pytest.mark.parametrize(
    ("name", "sources", "code", "words"),
    [
        ("lost", {"worker": "import polarsx\n"}, "APP_IMPORT_FAILED", "the missing package in"),
        ("zero", {"worker": "x = 1\ny = x / 0\n"}, "APP_IMPORT_FAILED", 'this line: "y = x / 0".'),
        ("away", {"manager": "import polarsx\n"}, "APP_IMPORT_FAILED", "'polarsx'"),
        ("typo", {"worker": "\ndef x(:\n"}, "APP_IMPORT_FAILED", 'this line: "def x(:".'),
        ("quit", {"worker": "import sys\nsys.exit(2)\n"}, "APP_IMPORT_FAILED", ":2: SystemExit"),
        (
            "dies",
            {"manager": "import os\nos.kill(os.getpid(), 11)\n"},
            "APP_IMPORT_FAILED",
            "by signal 11",
        ),
        ("idle", {"worker": "class IdleWorker: pass\n"}, "APP_WORK_MISSING", "has no work()"),
        ("anon", {"worker": "x = 1\n"}, "APP_INVALID", "has no class AnonWorker"),
        ("mute", {"manager": "x = 1\n"}, "APP_INVALID", "has no class Mute"),
    ],
)
def test_an_app_that_cannot_be_imported_or_lacks_a_part(
    client: Client, make_app, name: str, sources: dict[str, str], code: str, words: str
) -> None:
    root = make_app(name, **sources)
    started = client.start_run(StartRun(app=str(root)))
    run = settled(client, started.id)
    assert run.error is not None
    assert (run.state, run.error.code) == (RunState.FAILED, code)
    assert words in str(run.error)
    assert_well_told(run.error)
    assert ("traceback" in run.error.metadata) == (name in ("lost", "zero", "away", "typo", "quit"))


def test_an_install_of_what_cannot_be_imported_says_the_same(client: Client, make_app) -> None:
    root = make_app("gone", worker="import polarsx\n")
    started = client.create_installation(CreateInstallation(app=str(root)))
    *_, (last, _) = client.watch_installation(started.id)
    assert last.error.code == "APP_IMPORT_FAILED"
    assert last.error.where == "src/gone_worker/gone_worker.py:1"
    (root / "src/gone_worker/gone_worker.py").write_text(
        "class GoneWorker:\n"
        "    def __init__(self, env, **args): pass\n"
        "    def work(self, partition, out): return 1\n"
    )
    mended = settled(client, client.start_run(StartRun(app=str(root))).id)
    assert mended.state is RunState.SUCCEEDED
