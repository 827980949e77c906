"""Commands and files of this machine, with real processes."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

import pytest

from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import (
    HostCommandTimeoutError,
    NotFoundError,
    OutputTooLargeError,
    RefusedError,
)

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def local(tmp_path: Path) -> HostTransport:
    return LocalTransport(tmp_path / "host")


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def assert_gone(pid: int) -> None:
    """The process ends: a kill is not instant, and its parent may be slow to reap it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state in "ZX":
            return
        os.sched_yield()
    pytest.fail(f"process {pid} is alive")


async def test_a_command_gets_its_input_and_its_outputs_come_back(local: HostTransport) -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('e', file=sys.stderr); sys.exit(3)"
    done = await local.run(python(code), stdin=b"abc", deadline_s=20)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"ABC\n", b"e\n")


async def test_input_may_come_in_pieces_and_be_larger_than_any_pipe(local: HostTransport) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    code = "import sys; print(len(sys.stdin.buffer.read()))"
    done = await local.run(python(code), stdin=pieces(), deadline_s=20)
    assert done.stdout == b"4000000\n"


async def test_a_command_that_reads_nothing_is_no_error(local: HostTransport) -> None:
    done = await local.run(python("print(1)"), stdin=b"x" * 4_000_000, deadline_s=20)
    assert (done.returncode, done.stdout) == (0, b"1\n")


async def test_lines_are_told_as_they_come(local: HostTransport) -> None:
    lines: list[bytes] = []
    await local.run(python("print('a'); print('b')"), deadline_s=20, on_line=lines.append)
    assert lines == [b"a", b"b"]


async def test_at_the_deadline_the_whole_group_dies(local: HostTransport) -> None:
    lines: list[bytes] = []
    with pytest.raises(HostCommandTimeoutError, match=r"did not end in 1 s.*killed") as caught:
        await local.run(python(PARENT), deadline_s=1, on_line=lines.append)
    assert caught.value.where == "127.0.0.1"
    assert_gone(int(lines[0]))


async def test_silence_is_a_reason_to_kill(local: HostTransport) -> None:
    with pytest.raises(HostCommandTimeoutError, match="no progress"):
        await local.run(python("import time; time.sleep(600)"), deadline_s=60, idle_s=0.3)


async def test_cancelling_kills_the_whole_group(local: HostTransport) -> None:
    heard = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        local.run(python(PARENT), deadline_s=60, on_line=heard.set_result), name="to be cancelled"
    )
    child = int(await heard)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_gone(child)


async def test_what_a_command_leaves_in_its_group_does_not_outlive_it(local: HostTransport) -> None:
    code = (
        "import subprocess, sys\n"
        "quiet = dict(stdin=-3, stdout=-3, stderr=-3)\n"
        "argv = [sys.executable, '-S', '-c', 'import time; time.sleep(600)']\n"
        "print(subprocess.Popen(argv, **quiet).pid)\n"
    )
    done = await local.run(python(code), deadline_s=20)
    assert_gone(int(done.stdout))


async def test_output_is_bounded(local: HostTransport) -> None:
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    with pytest.raises(OutputTooLargeError, match="more than 100000 bytes"):
        await local.run(python(code), deadline_s=30, max_output_bytes=100_000)


async def test_the_environment_is_clean(
    local: HostTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("AGI_SHOWN", "yes")
    code = "import os; print(sorted(os.environ))"
    done = await local.run(python(code), deadline_s=20, env={"GIVEN": "1"})
    seen = done.stdout.decode()
    assert "GIVEN" in seen and "AGI_SHOWN" in seen and "'PATH'" in seen
    assert "SECRET" not in seen and "PYTHONPATH" not in seen


async def test_a_command_that_is_not_there_is_refused(local: HostTransport) -> None:
    with pytest.raises(RefusedError, match="cannot be started: No such file"):
        await local.run(["/nowhere/at/all"], deadline_s=5)


async def test_a_channel_is_talked_to(local: HostTransport) -> None:
    code = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
    async with await local.open_channel(python(code)) as channel:
        await channel.send(b"abc\n")
        lines = channel.lines()
        assert await anext(lines) == b"cba"
        await channel.close()
        assert await channel.wait() == 0


async def test_closing_a_channel_ends_one_that_does_not_listen(local: HostTransport) -> None:
    async with await local.open_channel(python(PARENT)) as channel:
        child = int(await anext(channel.lines()))
    assert await channel.wait() == -9
    assert_gone(child)


async def test_a_channel_keeps_the_tail_of_the_errors(local: HostTransport) -> None:
    code = "import sys; sys.stderr.write('x' * 1000000 + 'the end'); sys.exit(4)"
    async with await local.open_channel(python(code)) as channel:
        assert [line async for line in channel.lines()] == []
        assert await channel.wait() == 4
    assert channel.stderr_tail().endswith(b"the end")


async def test_files_are_written_privately_and_read_back(
    local: HostTransport, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    files = {"a.json": b"{}", "b": b"x" * 10}
    await local.write_files(PurePosixPath(folder), files, deadline_s=5)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert await local.read_file(PurePosixPath(folder / "b"), deadline_s=5) == b"x" * 10
    with pytest.raises(OutputTooLargeError, match="exceeds 9 bytes"):
        await local.read_file(PurePosixPath(folder / "b"), deadline_s=5, max_bytes=9)
    with pytest.raises(NotFoundError):
        await local.read_file(PurePosixPath(folder / "c"), deadline_s=5)
