from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agi_env.errors import AgiError
from agi_env.runtime import control, process_tree, runner
from agi_env.runtime.spec import SPEC_FILE

WAIT_S = 30.0


def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    pause = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if true():
            return
        pause.wait(0.01)
    pytest.fail("it did not happen in time")


def is_gone(pid: int) -> bool:
    process = process_tree.find(pid)
    return process is None or process.has_ended


def executor_pids(run: Any) -> list[int]:
    return [record["pid"] for record in run.records("executor_started")]


def test_a_run_in_mode_0_is_done_in_order_by_one_executor_and_published(toy_run: Any) -> None:
    settled = toy_run.plan(("give", 1), ("write", "deep/file.txt"), ("give", [3.5, None])).go()
    assert settled["state"] == "SUCCEEDED"
    assert settled["error"] is None
    assert settled["kept"] is None
    assert settled["summary"]["succeeded"] == 3
    assert [note.split()[:2] for note in toy_run.notes if note.startswith("work")] == [
        ["work", "p0"],
        ["work", "p1"],
        ["work", "p2"],
    ]
    assert len(executor_pids(toy_run)) == 1
    assert [note.split()[0] for note in toy_run.notes] == ["start", "work", "work", "work", "stop"]
    assert toy_run.results() == [1, "deep/file.txt", [3.5, None]]
    assert not toy_run.work_area.exists()
    assert json.loads((toy_run.published / "result.json").read_text()) is None


def test_what_is_published_says_what_it_is(toy_run: Any) -> None:
    toy_run.plan(("write", "deep/file.txt"), ("give", 2)).go()
    manifest = json.loads((toy_run.published / "manifest.json").read_text())
    first, second = manifest["partitions"]
    assert manifest["schema"] == "agi.run_manifest.v1"
    assert (manifest["run_id"], manifest["epoch"], manifest["mode"]) == ("run-1", 1, 0)
    assert first["directory"] == "partitions/000000-deed-0-write"
    assert first["files"] == [{"path": "deep/file.txt", "size": 7}]
    assert (toy_run.published / first["directory"] / "deep/file.txt").read_text() == "content"
    assert second["directory"] is None
    assert [each.name for each in (toy_run.published / "partitions").iterdir()] == [
        "000000-deed-0-write"
    ]


def test_the_journal_tells_the_run_in_order(reducing_run: Any) -> None:
    reducing_run.plan(("give", 1)).go()
    records = reducing_run.records()
    assert [record["kind"] for record in records] == [
        "runner_started",
        "executor_started",
        "partition_started",
        "partition_finished",
        "reduce_started",
        "reduce_finished",
        "executor_ended",
        "published",
        "settled",
    ]
    finished = records[3]
    assert 0 <= finished["seconds"] < 60
    assert finished["cpu_seconds"] >= 0
    assert finished["max_rss_bytes"] > 1_000_000
    assert records[6]["cause"]["kind"] == "stopped"


def test_a_pool_runs_the_partitions_of_each_slot_there(toy_run: Any) -> None:
    deeds = [("give", number) for number in range(12)]
    settled = toy_run.pool(2, 1).plan(*deeds, slots=[0] * 8 + [1] * 4).go()
    assert settled["state"] == "SUCCEEDED"
    assert toy_run.results() == list(range(12))
    finished = toy_run.records("partition_finished")
    assert sorted(each["id"] for each in finished if each["slot"] == 1) == [
        "p10",
        "p11",
        "p8",
        "p9",
    ]
    assert len(executor_pids(toy_run)) == 3
    # One that is still starting when all is done has nothing to stop; who worked was stopped.
    stopped = {note.split()[1] for note in toy_run.notes if note.startswith("stop")}
    assert {f"{each['slot']}.{each['executor']}" for each in finished} <= stopped


def test_reduce_gets_the_results_in_the_order_of_the_plan(reducing_run: Any) -> None:
    reducing_run.pool(3).plan(("give", "a"), ("write", "b"), ("give", "c")).go()
    assert json.loads((reducing_run.published / "result.json").read_text()) == [
        ["p0", "a", True],
        ["p1", "b", True],
        ["p2", "c", True],
    ]
    assert sum(note.startswith("reduce") for note in reducing_run.notes) == 1


def test_a_run_without_partitions_succeeds(reducing_run: Any) -> None:
    assert reducing_run.plan().go()["state"] == "SUCCEEDED"
    assert json.loads((reducing_run.published / "result.json").read_text()) == []


def test_libraries_get_as_many_threads_as_the_slot_has(toy_run: Any) -> None:
    toy_run.plan(("environment", "OMP_NUM_THREADS")).go()
    assert toy_run.results() == ["1"]


@pytest.mark.parametrize(
    ("deed", "code", "kind", "message"),
    [
        (("fail", "no such month"), "PARTITION_FAILED", "exception", "ValueError: no such month"),
        (("give_set", None), "RESULT_NOT_JSON", "not_json", "set is not JSON serializable"),
        (("give_nan", None), "RESULT_NOT_JSON", "not_json", "not JSON compliant"),
        (("exit", 3), "PARTITION_FAILED", "exception", "work() called sys.exit(3)"),
    ],
)
def test_a_partition_that_fails_fails_the_run_and_the_others_are_kept(
    toy_run: Any, deed: tuple[str, Any], code: str, kind: str, message: str
) -> None:
    settled = toy_run.plan(("give", 1), deed, ("give", 3)).go()
    assert settled["state"] == "FAILED"
    assert settled["error"]["code"] == code
    assert settled["error"]["metadata"]["partition"] == "p1"
    assert message in settled["error"]["metadata"]["what"]
    assert settled["summary"]["succeeded"] == 2
    assert settled["kept"] == str(toy_run.work_area)
    assert len(list(toy_run.work_area.glob("attempts/*/*/result.json"))) == 2
    assert not toy_run.published.exists()
    (failed,) = toy_run.records("partition_failed")
    assert (failed["cause"]["kind"], failed["final"]) == (kind, True)
    assert len(executor_pids(toy_run)) == 1


def test_a_traceback_begins_in_the_app(toy_run: Any) -> None:
    toy_run.plan(("fail", "no such month")).go()
    (failed,) = toy_run.records("partition_failed")
    lines = failed["cause"]["traceback"].splitlines()
    assert lines[0].startswith("Traceback")
    assert "toy_worker.py" in lines[1]
    assert "agi_env" not in failed["cause"]["traceback"]
    assert lines[-1] == "ValueError: no such month"


@pytest.mark.parametrize(
    ("deed", "kind", "code"),
    [
        (("segfault", None), "signal", "EXECUTOR_DIED"),
        (("hard_exit", 7), "exit", "EXECUTOR_DIED"),
    ],
)
def test_a_partition_that_kills_its_executor_is_tried_three_times(
    toy_run: Any, deed: tuple[str, Any], kind: str, code: str
) -> None:
    settled = toy_run.plan(deed, ("give", 2)).go()
    assert settled["state"] == "FAILED"
    assert settled["error"]["code"] == code
    assert settled["summary"]["succeeded"] == 1
    failures = toy_run.records("partition_failed")
    assert [each["final"] for each in failures] == [False, False, True]
    assert {each["cause"]["kind"] for each in failures} == {kind}
    ended = toy_run.records("executor_ended")
    assert [each["cause"]["kind"] for each in ended] == [kind, kind, kind, "stopped"]
    assert ended[0]["cause"]["signal"] == (signal.SIGSEGV if kind == "signal" else None)


def test_a_partition_whose_executor_died_once_succeeds_at_the_second_attempt(
    toy_run: Any, tmp_path: Path
) -> None:
    assert toy_run.plan(("once", str(tmp_path / "seen"))).go()["state"] == "SUCCEEDED"
    assert [each["attempt"] for each in toy_run.records("partition_started")] == [1, 2]
    assert [each["attempt"] for each in toy_run.records("partition_finished")] == [2]


def test_a_partition_that_never_returns_is_ended_and_the_others_go_on(
    toy_run: Any, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    toy_run.spec_with(partition_timeout_s=0.3)
    settled = toy_run.plan(("hang", str(pid_file)), ("give", 2)).go()
    assert settled["error"]["code"] == "PARTITION_TIMEOUT"
    assert settled["summary"]["succeeded"] == 1
    assert is_gone(int(pid_file.read_text()))
    assert toy_run.records("executor_ended")[0]["cause"]["kind"] == "timeout"


def test_a_run_past_its_deadline_is_ended(toy_run: Any, tmp_path: Path) -> None:
    settled = toy_run.spec_with(run_timeout_s=1.0).plan(("hang", str(tmp_path / "pid"))).go()
    assert settled["error"]["code"] == "RUN_TIMEOUT"
    assert all(is_gone(pid) for pid in executor_pids(toy_run))


@pytest.mark.parametrize(
    ("source", "code", "what"),
    [
        ("import polarsx", "APP_IMPORT_FAILED", "No module named 'polarsx'"),
        ("def broken(:\n    pass", "APP_IMPORT_FAILED", "SyntaxError"),
        ("import sys; sys.exit(3)", "APP_IMPORT_FAILED", "sys.exit(3)"),
        ("class Other: pass", "APP_INVALID", "has no class ToyWorker"),
        ("class ToyWorker: pass", "APP_WORK_MISSING", "class ToyWorker has no work()"),
        (
            "from agi_env import BaseWorker\nclass ToyWorker(BaseWorker): pass",
            "APP_WORK_MISSING",
            "class ToyWorker has no work()",
        ),
        (
            "class ToyWorker:\n"
            " def __init__(self, env, **args): pass\n"
            " def start(self): raise OSError('no GPU')\n"
            " def work(self, partition, out): pass",
            "APP_FAILED",
            "no GPU",
        ),
    ],
)
def test_an_app_that_cannot_start_ends_the_run_at_once(
    toy_run: Any, source: str, code: str, what: str
) -> None:
    settled = toy_run.worker(source).pool(2).plan(("give", 1), ("give", 2)).go()
    assert settled["state"] == "FAILED"
    assert settled["error"]["code"] == code
    assert what in settled["error"]["metadata"]["what"]
    assert settled["summary"]["succeeded"] == 0


def test_an_app_that_kills_every_executor_when_imported_fails_the_run(toy_run: Any) -> None:
    settled = toy_run.worker("import os; os.abort()").plan(("give", 1)).go()
    assert settled["error"]["code"] == "EXECUTOR_DIED"
    assert len(executor_pids(toy_run)) == 3


def test_a_start_that_hangs_is_ended(toy_run: Any) -> None:
    source = """
        import time
        class ToyWorker:
            def __init__(self, env, **args): time.sleep(600)
            def work(self, partition, out): pass
    """
    settled = toy_run.worker(source).spec_with(start_timeout_s=0.5).plan(("give", 1)).go()
    assert settled["error"]["code"] == "APP_FAILED"
    assert "did not start within 0.5 s" in settled["error"]["metadata"]["what"]


def test_a_stop_that_raises_fails_the_run(toy_run: Any) -> None:
    source = """
        class ToyWorker:
            def __init__(self, env, **args): pass
            def work(self, partition, out): return 1
            def stop(self): raise OSError("cannot flush")
    """
    settled = toy_run.worker(source).plan(("give", 1)).go()
    assert settled["error"]["code"] == "APP_FAILED"
    assert "cannot flush" in settled["error"]["metadata"]["what"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise KeyError('month')", "REDUCE_FAILED"),
        ("return {1, 2}", "RESULT_NOT_JSON"),
        ("import os; os._exit(4)", "REDUCE_FAILED"),
    ],
)
def test_a_reduce_that_fails_fails_the_run_and_results_are_kept(
    toy_run: Any, body: str, code: str
) -> None:
    source = f"""
        class ToyWorker:
            def __init__(self, env, **args): pass
            def work(self, partition, out): return 1
            def reduce(self, results): {body}
    """
    settled = toy_run.worker(source).plan(("give", 1)).go()
    assert settled["error"]["code"] == code
    assert settled["kept"] == str(toy_run.work_area)
    assert settled["summary"]["succeeded"] == 1


def test_output_without_end_neither_blocks_nor_fills_the_disk(toy_run: Any) -> None:
    settled = toy_run.spec_with(log_limit_bytes=100_000).plan(("shout", 200)).go()
    assert settled["state"] == "SUCCEEDED"
    log = toy_run.log()
    assert len(log) <= 100_000
    assert log.endswith(b"the last words\n")
    assert b"were dropped here" in log


def test_what_was_printed_last_goes_with_the_failure(toy_run: Any) -> None:
    toy_run.plan(("shout", 1), ("fail", "then")).go()
    (failed,) = toy_run.records("partition_failed")
    assert failed["cause"]["log_tail"].endswith("the last words\n")


def test_a_forked_child_that_comes_back_speaks_for_nobody(toy_run: Any) -> None:
    settled = toy_run.plan(("fork", "once"), ("give", 2)).go()
    assert settled["state"] == "SUCCEEDED"
    assert toy_run.results() == ["once", 2]
    assert len(toy_run.records("partition_finished")) == 2


def test_nothing_that_an_app_starts_outlives_its_executor(toy_run: Any, tmp_path: Path) -> None:
    pid_file = tmp_path / "stray"
    assert toy_run.plan(("stray", str(pid_file))).go()["state"] == "SUCCEEDED"
    assert is_gone(int(pid_file.read_text()))


def test_cancel_lets_the_running_partition_finish(toy_run: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    toy_run.plan(("wait_for", str(gate)), ("give", 2), ("give", 3))
    with toy_run.begin() as process:
        until(Path(f"{gate}.waiting").exists)
        command = {"op": "cancel", "grace_s": WAIT_S}
        assert control.send(toy_run.run_dir, command, WAIT_S) == {"accepted": True}
        gate.touch()
        assert process.wait(WAIT_S) == 0
    (settled,) = toy_run.records("settled")
    assert settled["state"] == "CANCELLED"
    assert settled["error"]["code"] == "RUN_CANCELLED"
    assert settled["kept"] == str(toy_run.work_area)
    assert [each["id"] for each in toy_run.records("partition_finished")] == ["p0"]
    assert [each["id"] for each in toy_run.records("partition_started")] == ["p0"]
    assert toy_run.notes[-1].startswith("stop")
    assert not toy_run.published.exists()


@pytest.mark.parametrize("command", [{"op": "cancel", "grace_s": 0.1}, {"op": "stop_now"}])
def test_cancel_ends_what_does_not_finish_in_time(
    toy_run: Any, tmp_path: Path, command: dict[str, Any]
) -> None:
    pid_file, stray_file = tmp_path / "pid", tmp_path / "stray"
    toy_run.plan(("stray", str(stray_file)), ("hang", str(pid_file)))
    with toy_run.begin() as process:
        until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        control.send(toy_run.run_dir, command, WAIT_S)
        assert process.wait(WAIT_S) == 0
    (settled,) = toy_run.records("settled")
    assert settled["state"] == "CANCELLED"
    assert is_gone(int(pid_file.read_text()))
    assert is_gone(int(stray_file.read_text()))


def test_a_command_that_makes_no_sense_is_refused(toy_run: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    toy_run.plan(("wait_for", str(gate)))
    with toy_run.begin() as process:
        until(Path(f"{gate}.waiting").exists)
        for command in ({"op": "dance"}, {"op": "cancel", "grace_s": -1}, {}):
            with pytest.raises(AgiError) as refused:
                control.send(toy_run.run_dir, command, WAIT_S)
            assert refused.value.code == "REQUEST_INVALID"
        gate.touch()
        assert process.wait(WAIT_S) == 0
    assert toy_run.records("settled")[0]["state"] == "SUCCEEDED"


def test_a_killed_runner_takes_its_executors_along_and_the_next_goes_on(
    reducing_run: Any, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = reducing_run.pool(2)
    run.plan(("give", 1), ("give", 2), ("wait_for", str(gate)), ("give", 4))
    with run.begin() as process:
        until(lambda: len(run.records("partition_finished")) == 3)
        until(Path(f"{gate}.waiting").exists)
        process.kill()
    pids = executor_pids(run)
    until(lambda: all(is_gone(pid) for pid in pids))
    gate.touch()
    settled = run.go(epoch=2)
    assert settled["state"] == "SUCCEEDED"
    assert run.results() == [1, 2, "waited", 4]
    finished = [each["id"] for each in run.records("partition_finished")]
    assert sorted(finished) == ["p0", "p1", "p2", "p3"]
    assert sum(note.startswith("work p0") for note in run.notes) == 1
    assert run.records("partition_failed") == []


def test_a_result_that_the_disk_lost_is_made_again(toy_run: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    toy_run.plan(("give", 1), ("wait_for", str(gate)))
    with toy_run.begin() as process:
        until(Path(f"{gate}.waiting").exists)
        process.kill()
    (stored,) = toy_run.work_area.glob("attempts/000000/*/result.json")
    stored.write_bytes(stored.read_bytes().replace(b"1}", b"2}"))
    gate.touch()
    assert toy_run.go(epoch=2)["state"] == "SUCCEEDED"
    assert [each["id"] for each in toy_run.records("result_lost")] == ["p0"]
    assert toy_run.results() == [1, "waited"]


def test_a_settled_run_stays_as_it_is(toy_run: Any) -> None:
    toy_run.plan(("give", 1)).go()
    before = toy_run.records()
    assert runner.main(toy_run.run_dir, 2, toy_run.interpreter) == 0
    assert toy_run.records() == before


def test_a_run_published_by_a_runner_that_died_then_is_only_settled(toy_run: Any) -> None:
    toy_run.plan(("give", 1)).go()
    journal = toy_run.run_dir / "journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    settled = toy_run.go(epoch=2)
    assert settled["state"] == "SUCCEEDED"
    assert len(toy_run.records("published")) == 1
    assert len(toy_run.notes) == 3


def test_a_data_out_that_cannot_be_written_fails_the_run(toy_run: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settled = toy_run.spec_with(data_out=str(tmp_path / "file" / "out")).plan(("give", 1)).go()
    assert settled["error"]["code"] == "RUN_FAILED"
    assert settled["error"]["metadata"]["where"] == str(tmp_path / "file" / "out")


def test_a_work_area_that_cannot_be_claimed_is_named(toy_run: Any) -> None:
    toy_run.work_area.mkdir(parents=True)
    (toy_run.work_area / "epoch").write_text("7\n")
    settled = toy_run.plan(("give", 1)).go()
    assert settled["state"] == "FAILED"
    assert settled["kept"] == str(toy_run.work_area)


def test_something_else_at_the_place_of_publication_is_left_alone(toy_run: Any) -> None:
    toy_run.published.mkdir(parents=True)
    (toy_run.published / "mine").touch()
    settled = toy_run.plan(("give", 1)).go()
    assert settled["error"]["code"] == "ALREADY_EXISTS"
    assert settled["kept"] == str(toy_run.work_area)
    assert [each.name for each in toy_run.published.iterdir()] == ["mine"]


def test_a_spec_that_cannot_be_read_is_one_line(
    toy_run: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    toy_run.plan(("give", 1))
    (toy_run.run_dir / SPEC_FILE).write_text("{")
    assert runner.main(toy_run.run_dir, 1, toy_run.interpreter) == 7
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_the_runner_serves_under_attach(toy_run: Any) -> None:
    toy_run.plan(("give", 1))
    command = toy_run.interpreter.command(
        "agi_env.runtime.attach", str(toy_run.run_dir), "--epoch", "1", "--after", "0"
    )
    done = subprocess.run(
        command,
        env={**os.environ, **toy_run.interpreter.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=WAIT_S,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["attached"]["started"] is True
    assert lines[-1]["settled"] is True
    assert lines[-1]["gone"]["code"] == 0
    assert toy_run.results() == [1]
