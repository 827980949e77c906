from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from agi_env.runtime import attempt, executor_messages, process_tree
from agi_env.runtime.bounded_log import BoundedLog
from agi_env.runtime.causes import EndKind
from agi_env.runtime.executor_process import ExecutorProcess
from agi_env.runtime.frames import Message
from agi_env.runtime.history import Accepted
from agi_env.runtime.partitions import Partition

WAIT_S = 30.0


class Parent:
    """The parent of one executor, and what it heard."""

    def __init__(self, run: Any, tmp_path: Path) -> None:
        self.run = run
        self.area = tmp_path / "attempts"
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.log = BoundedLog(tmp_path / "executor.log", 100_000)
        self.process = ExecutorProcess(
            run.interpreter,
            mark=f"test/{os.getpid()}/{tmp_path}",
            threads=1,
            directory=tmp_path,
            log=self.log,
            on_message=self.heard.put_nowait,
        )

    def start(self) -> None:
        self.process.send(executor_messages.start(self.run.spec, self.run.spec.slots[0], 0))

    def work(self, name: str, *payload: Any) -> Path:
        directory = self.area / name / "1-1"
        partition = Partition(name, name, 1.0, list(payload))
        self.process.send(executor_messages.work(partition, 1, directory))
        return directory

    async def hears(self, op: str) -> Message:
        message = await asyncio.wait_for(self.heard.get(), WAIT_S)
        assert message["op"] == op, message
        return message

    async def ready(self) -> Message:
        self.start()
        return await self.hears("ready")

    async def end(self) -> Any:
        return await asyncio.wait_for(self.process.wait(), WAIT_S)


@pytest.fixture
async def parent(toy_run: Any, tmp_path: Path) -> Any:
    return Parent(toy_run, tmp_path)


async def test_a_life_from_start_to_stop(parent: Parent) -> None:
    assert (await parent.ready())["reduces"] is False
    directory = parent.work("p0", "write", "a/b.txt")
    assert await parent.hears("began") == {"op": "began", "id": "p0", "attempt": 1}
    finished = await parent.hears("finished")
    assert attempt.load(directory, finished["sha256"]) == b'"a/b.txt"'
    assert finished["bytes"] == len(b'"a/b.txt"' + b"content")
    assert (directory / "out" / "a" / "b.txt").is_file()
    parent.process.send(executor_messages.stop())
    assert (await parent.hears("stopped"))["cause"] is None
    cause = await parent.end()
    assert (cause.kind, cause.exit_code) == (EndKind.STOPPED, 0)


async def test_it_leads_a_session_of_its_own(parent: Parent) -> None:
    await parent.ready()
    assert os.getsid(parent.process.pid) == parent.process.pid
    assert os.getpgid(parent.process.pid) == parent.process.pid
    parent.process.kill()
    cause = await parent.end()
    assert (cause.kind, cause.signal) == (EndKind.SIGNAL, 9)


async def test_a_stop_overtakes_what_has_not_begun(parent: Parent, tmp_path: Path) -> None:
    await parent.ready()
    gate = tmp_path / "gate"
    parent.work("p0", "wait_for", str(gate))
    parent.work("p1", "give", 2)
    await parent.hears("began")
    parent.process.send(executor_messages.stop())
    gate.touch()
    assert (await parent.hears("finished"))["id"] == "p0"
    await parent.hears("stopped")
    assert (await parent.end()).kind is EndKind.STOPPED


async def test_it_leaves_when_nobody_is_there(toy_run: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        arguments = (str(theirs.fileno()), str(os.getpid()))
        process = await asyncio.create_subprocess_exec(
            *toy_run.interpreter.command("agi_env.runtime.executor", *arguments),
            env=toy_run.interpreter.environment(1, "none"),
            pass_fds=(theirs.fileno(),),
        )
    assert await asyncio.wait_for(process.wait(), WAIT_S) == 1


async def test_one_without_its_parent_does_not_begin(toy_run: Any) -> None:
    command = toy_run.interpreter.command("agi_env.runtime.executor", "0", "1")
    process = await asyncio.create_subprocess_exec(
        *command, env=toy_run.interpreter.environment(1, "none")
    )
    assert await asyncio.wait_for(process.wait(), WAIT_S) == -9


async def test_an_app_that_writes_into_the_link_is_ended(toy_run: Any, tmp_path: Path) -> None:
    toy_run.worker(
        """
        import os, time
        class ToyWorker:
            def __init__(self, env, **args): pass
            def work(self, partition, out):
                for fd in range(3, 64):
                    try: os.write(fd, b"garbage")
                    except OSError: pass
                time.sleep(600)
        """
    )
    parent = Parent(toy_run, tmp_path)
    await parent.ready()
    parent.work("p0", "any", None)
    await parent.hears("began")
    cause = await parent.end()
    assert cause.kind is EndKind.SIGNAL
    assert "frame" in cause.detail


async def test_what_it_printed_last_comes_with_its_cause(parent: Parent) -> None:
    await parent.ready()
    parent.work("p0", "shout", 1)
    await parent.hears("began")
    await parent.hears("finished")
    assert parent.process.log_tail().endswith("the last words\n")
    parent.work("p1", "segfault", None)
    cause = await parent.end()
    assert cause.words == "was ended by SIGSEGV"
    assert cause.log_tail.endswith("the last words\n")


async def test_what_it_leaves_behind_is_killed_wherever_it_hides(
    parent: Parent, tmp_path: Path
) -> None:
    await parent.ready()
    pid_file = tmp_path / "stray"
    parent.work("p0", "stray", str(pid_file))
    await parent.hears("began")
    await parent.hears("finished")
    pid = int(pid_file.read_text())
    assert process_tree.find(pid) is not None
    parent.work("p1", "hard_exit", 5)
    cause = await parent.end()
    assert (cause.kind, cause.exit_code) == (EndKind.EXIT, 5)
    left = process_tree.find(pid)
    assert left is None or left.has_ended


async def test_a_result_that_cannot_be_stored_fails_the_partition(parent: Parent) -> None:
    await parent.ready()
    parent.area.touch()
    parent.work("p0", "give", 1)
    await parent.hears("began")
    failed = await parent.hears("failed")
    assert "cannot be written" in failed["cause"]["message"]
    parent.process.kill()
    await parent.end()


async def test_reduce_gets_only_what_matches_its_digest(reducing_run: Any, tmp_path: Path) -> None:
    parent = Parent(reducing_run, tmp_path)
    assert (await parent.ready())["reduces"] is True
    directory = parent.work("p0", "give", 1)
    await parent.hears("began")
    finished = await parent.hears("finished")
    for digest, op in ((finished["sha256"], "reduced"), ("0" * 64, "reduce_failed")):
        accepted = Accepted(1, 1, 0.0, digest)
        results = [(Partition("p0", "p0"), accepted, directory)]
        message = executor_messages.reduce(results, 1, parent.area / "reduce" / op)
        parent.process.send(message)
        answer = await parent.hears(op)
    assert "digest" in answer["cause"]["message"]
    stored = json.loads((parent.area / "reduce" / "reduced" / "result.json").read_text())
    assert stored["value"] == [["p0", 1, True]]
    parent.process.kill()
    await parent.end()
