"""Retrying runs, limits of one call, and what is said of the causes of failures; on one machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunState
from agi_env.runtime.identity import Identity

WORKER = """
import os
import signal
import time
from pathlib import Path


class {manager}Worker:
    def __init__(self, env, **args): self.args = args

    def work(self, partition, out):
        scratch, number = Path(self.args["scratch"]), partition.payload
        with (scratch / f"begun-{number}").open("a") as notes:
            notes.write("x")
        (out / "number.txt").write_text(str(number))
        mended = (scratch / "mended").exists()
        if number == self.args.get("raises") and not mended:
            raise ValueError("not yet")
        if number == self.args.get("dies") and not mended:
            print("these were my last words", flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == self.args.get("waits") and not mended:
            time.sleep(3600)
        return number

    def reduce(self, results): return sum(result.value for result in results)
"""

PARTS = 4


@pytest.fixture(scope="module")
def app(make_app: Callable[..., Path]) -> Path:
    """An app whose partitions fail in several ways until they are mended."""
    return make_app("fickle", worker=WORKER)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path


def begun(scratch: Path) -> list[int]:
    return [len((scratch / f"begun-{n}").read_text()) for n in range(PARTS)]


def partitions(client: Client, run: Run) -> dict[str, RunPartition]:
    return {each.id: each for each in client.list_run_partitions(run.id).items}


def end_runner(directory: Path) -> None:
    runner = Identity.read(directory)
    if runner is not None and runner.is_living:
        os.kill(runner.pid, signal.SIGKILL)


def failed(client: Client, run: Run) -> RunPartition:
    (one,) = [p for p in partitions(client, run).values() if p.state is PartitionState.FAILED]
    return one


def test_a_retry_does_only_what_failed_and_publishes_the_whole(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    first = ask.run(app, args={"parts": PARTS, "scratch": str(scratch), "raises": 2})
    assert (first.state, first.progress.succeeded) == (RunState.FAILED, PARTS - 1)
    assert failed(client, first).cause.kind == "exception"
    (scratch / "mended").touch()
    again = ask.settled(client.retry_run(first.id).id)
    assert again.state is RunState.SUCCEEDED, again.error
    assert again.retry_of == first.id
    assert again.result == sum(range(PARTS))
    assert begun(scratch) == [1, 1, 2, 1]
    inherited = {p.inherited_from for p in partitions(client, again).values()}
    assert inherited == {"", first.id}
    manifest = json.loads((Path(again.paths.published) / "manifest.json").read_text())
    assert [each["files"][0]["path"] for each in manifest["partitions"]] == ["number.txt"] * PARTS
    ask.refused("RETRY_REFUSED", lambda: client.retry_run(again.id))


def test_a_retry_of_a_retry_has_what_both_did(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    args = {"parts": PARTS, "scratch": str(scratch), "raises": 1}
    first = ask.run(app, args=args)
    second = ask.settled(client.retry_run(first.id).id)
    assert second.state is RunState.FAILED
    (scratch / "mended").touch()
    third = ask.settled(client.retry_run(second.id).id)
    assert (third.state, third.result) == (RunState.SUCCEEDED, sum(range(PARTS)))
    assert begun(scratch) == [1, 3, 1, 1]


def test_a_damaged_result_is_made_again(ask: Any, client: Client, app: Path, scratch: Path) -> None:
    first = ask.run(app, args={"parts": PARTS, "scratch": str(scratch), "raises": 3})
    stored = next(Path(first.paths.kept).glob("attempts/000000/*/result.json"))
    stored.write_bytes(stored.read_bytes().replace(b"0}", b"9}"))
    cut = next(Path(first.paths.kept).glob("attempts/000001/*/out/number.txt"))
    cut.write_text("")
    (scratch / "mended").touch()
    again = ask.settled(client.retry_run(first.id).id)
    assert again.result == sum(range(PARTS))
    assert begun(scratch) == [2, 2, 1, 2]


def test_a_cancelled_run_is_resumed_by_a_retry(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    started = client.start_run(
        ask.request(app, args={"parts": PARTS, "scratch": str(scratch), "waits": 3})
    )
    ask.until(lambda: client.get_run(started.id).progress.succeeded == PARTS - 1)
    ask.refused("RETRY_REFUSED", lambda: client.retry_run(started.id))
    client.cancel_run(started.id, grace_seconds=0)
    assert ask.settled(started.id).state is RunState.CANCELLED
    (scratch / "mended").touch()
    assert ask.settled(client.retry_run(started.id).id).result == sum(range(PARTS))
    assert begun(scratch)[:3] == [1, 1, 1]


def test_a_run_that_lost_its_runner_too_often_is_finished_by_a_retry(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    args = {"parts": PARTS, "scratch": str(scratch), "waits": 3}
    started = client.start_run(ask.request(app, args=args))
    ask.until(lambda: client.get_run(started.id).progress.succeeded == PARTS - 1)
    directory = Path(client.get_run(started.id).paths.run_directory)
    ask.until(lambda: end_runner(directory) or client.get_run(started.id).state.settled)
    lost = client.get_run(started.id)
    ask.told(lost.error, "RUNNER_LOST")
    assert lost.runner_lost.kind == "killed"
    (scratch / "mended").touch()
    again = ask.settled(client.retry_run(started.id).id)
    assert again.state is RunState.SUCCEEDED, again.error
    assert again.result == sum(range(PARTS))
    assert begun(scratch)[: PARTS - 1] == [1] * (PARTS - 1)


def test_what_is_gone_or_was_made_by_other_sources_is_not_taken_over(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    first = ask.run(app, args={"parts": PARTS, "scratch": str(scratch), "raises": 2})
    source = app / "src" / "fickle_worker" / "fickle_worker.py"
    text = source.read_text()
    source.write_text(text + "\n# edited\n")
    error = ask.refused("RETRY_REFUSED", lambda: client.retry_run(first.id))
    assert "--current-sources" in error.remedy
    (scratch / "mended").touch()
    again = ask.settled(client.retry_run(first.id, current_sources=True).id)
    assert again.result == sum(range(PARTS))
    assert again.warnings
    source.write_text(text)
    shutil.rmtree(first.paths.kept)
    error = ask.refused("RETRY_REFUSED", lambda: client.retry_run(first.id))
    assert first.paths.kept in str(error)


def test_a_partition_that_kills_its_executors_is_quarantined_and_named(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    args = {"parts": PARTS, "scratch": str(scratch), "dies": 1}
    run = ask.run(app, args=args)
    assert (run.state, run.progress.succeeded) == (RunState.FAILED, PARTS - 1)
    assert ask.told(run.error, "EXECUTOR_DIED").metadata["partition"] == failed(client, run).id
    lost = failed(client, run)
    assert (lost.executor_deaths, lost.quarantined, lost.attempts) == (3, True, 3)
    assert (lost.cause.kind, lost.cause.signal) == ("signal", 11)
    assert "these were my last words" in lost.cause.log_tail
    once = ask.run(app, args=args, max_attempts=1)
    assert failed(client, once).attempts == 1


def test_the_limits_of_one_call_go_before_those_of_the_settings(
    ask: Any, client: Client, app: Path, scratch: Path
) -> None:
    args = {"parts": PARTS, "scratch": str(scratch), "waits": 0}
    run = ask.run(app, args=args, partition_timeout=0.3)
    assert failed(client, run).cause.kind == "timeout"
    ask.failure(app, "RUN_TIMEOUT", args=args, run_timeout=2.0)
