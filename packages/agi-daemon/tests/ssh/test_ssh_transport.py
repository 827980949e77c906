"""Commands and files of a host over SSH: a real server, real processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.ssh import SshTransport
from agi_env.errors import (
    HostCommandTimeoutError,
    HostConnectionLostError,
    HostError,
    HostLoginError,
    LoginShellHangsError,
    NotFoundError,
    OutputTooLargeError,
    PythonMissingError,
    RefusedError,
    StateUnwritableError,
    UvMissingError,
)

PARENT = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
Gone = Callable[[int], None]


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


async def test_a_command_gets_its_input_and_its_outputs_come_back(host: HostTransport) -> None:
    code = "import sys; print(sys.stdin.read().upper()); print('e', file=sys.stderr); sys.exit(3)"
    done = await host.run(python(code), stdin=b"abc", deadline_s=20)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"ABC\n", b"e\n")


async def test_a_signal_is_told_from_an_exit(host: HostTransport) -> None:
    done = await host.run(["sh", "-c", "kill -TERM $$"], deadline_s=20)
    assert done.returncode == -signal.SIGTERM


async def test_many_mib_go_in_and_come_out(host: HostTransport) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield os.urandom(1) * 1_000_000

    done = await host.run(["cat"], stdin=pieces(), deadline_s=60, max_output_bytes=2**27)
    assert len(done.stdout) == 64_000_000


async def test_a_command_that_reads_nothing_is_no_error(host: HostTransport) -> None:
    done = await host.run(python("print(1)"), stdin=b"x" * 20_000_000, deadline_s=20)
    assert (done.returncode, done.stdout) == (0, b"1\n")


async def test_lines_are_told_as_they_come(host: HostTransport) -> None:
    lines: list[bytes] = []
    await host.run(python("print('a'); print('b')"), deadline_s=20, on_line=lines.append)
    assert lines == [b"a", b"b"]


async def test_what_hears_a_line_may_fail_and_harms_nothing_else(host: HostTransport) -> None:
    def fail(_: bytes) -> None:
        raise ValueError("not understood")

    other = asyncio.create_task(host.run(["sleep", "0.5"], deadline_s=20))
    with pytest.raises(ValueError, match="not understood"):
        await host.run(python(PARENT), deadline_s=20, on_line=fail)
    assert (await other).returncode == 0


async def test_input_that_fails_ends_the_command(host: HostTransport, assert_gone: Gone) -> None:
    heard: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        while not heard:
            await asyncio.sleep(0.01)
        yield b"x"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await host.run(python(PARENT), stdin=pieces(), deadline_s=20, on_line=heard.append)
    assert_gone(int(heard[0]))


async def test_at_the_deadline_the_whole_group_dies(host: HostTransport, assert_gone: Gone) -> None:
    lines: list[bytes] = []
    with pytest.raises(HostCommandTimeoutError, match=r"did not end in 1 s.*killed") as caught:
        await host.run(python(PARENT), deadline_s=1, on_line=lines.append)
    assert caught.value.where == "127.0.0.1"
    assert_gone(int(lines[0]))


async def test_a_group_whose_leader_has_ended_dies_too(
    host: HostTransport, assert_gone: Gone
) -> None:
    lines: list[bytes] = []
    with pytest.raises(HostCommandTimeoutError):
        await host.run(["sh", "-c", "sleep 600 & echo $!"], deadline_s=1, on_line=lines.append)
    assert_gone(int(lines[0]))


async def test_silence_is_a_reason_to_kill(host: HostTransport, assert_gone: Gone) -> None:
    lines: list[bytes] = []
    with pytest.raises(HostCommandTimeoutError, match="no progress"):
        await host.run(python(PARENT), deadline_s=60, idle_s=0.5, on_line=lines.append)
    assert_gone(int(lines[0]))


async def test_cancelling_kills_the_whole_group(host: HostTransport, assert_gone: Gone) -> None:
    heard = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        host.run(python(PARENT), deadline_s=60, on_line=heard.set_result), name="to be cancelled"
    )
    child = int(await heard)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_gone(child)


async def test_output_is_bounded(host: HostTransport, assert_gone: Gone) -> None:
    code = "import os, sys\nprint(os.getpid())\nwhile True: sys.stdout.write('x' * 65536)"
    lines: list[bytes] = []
    with pytest.raises(OutputTooLargeError, match="more than 100000 bytes"):
        await host.run(python(code), deadline_s=30, max_output_bytes=100_000, on_line=lines.append)
    done = await host.run(["true"], deadline_s=20)
    assert done.returncode == 0


async def test_the_environment_is_as_was_asked(new_server: Any, reach: Any) -> None:
    code = "import os; print([os.environ.get(n) for n in ('PYTHONPATH', 'GIVEN', 'ODD')])"
    with new_server("AcceptEnv PYTHON*") as server:
        (server.home / ".bashrc").write_text("export PYTHONPATH=/nowhere\n")
        done = await reach(server).run(
            python(code), deadline_s=20, env={"GIVEN": "a=b c", "ODD": "'\n$HOME"}
        )
    assert done.stdout.decode() == "[None, 'a=b c', \"'\\n$HOME\"]\n"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("/nowhere/at/all", RefusedError),
        ("no-such-command", RefusedError),
        ("/etc/passwd", RefusedError),
        ("/nowhere/bin/python3.11", PythonMissingError),
        ("/nowhere/uv", UvMissingError),
    ],
)
async def test_a_command_that_is_not_there_is_refused(
    host: HostTransport, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"{name} cannot be started: .*(not found|denied|No such)"):
        await host.run([name], deadline_s=5)


async def test_an_exit_code_of_127_is_the_commands_own(host: HostTransport) -> None:
    done = await host.run(["sh", "-c", "echo 'sh: x: not found' >&2; exit 127"], deadline_s=5)
    assert done.returncode == 127


ODD = [
    "",
    " ",
    "'",
    "''",
    '"',
    "\\",
    "\\'",
    "\\\\n",
    "$HOME",
    "`id`",
    "!",
    "!!",
    "a!b",
    "-n",
    "--",
    "A=b",
]
WORDS = st.lists(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30)
)


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "zsh"])
async def test_arguments_arrive_as_they_were_given(new_server: Any, reach: Any, shell: str) -> None:
    """Through other login shells than this user's too, which ForceCommand stands in for."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on this machine")
    given_words = [*ODD, *some(WORDS)] if shell == "tcsh" else [*ODD, "\n", "a\nb", *some(WORDS)]
    words = [word.replace("\n", "") for word in given_words] if shell == "tcsh" else given_words
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    with new_server(f'ForceCommand exec {shell} -c "$SSH_ORIGINAL_COMMAND"') as server:
        done = await reach(server).run([*python(code), *words], deadline_s=20)
    assert json.loads(done.stdout) == words


def some(strategy: st.SearchStrategy[list[str]]) -> list[str]:
    """All words of many examples, which travel in one command."""
    found: list[str] = []

    @settings(max_examples=150, database=None)
    @given(strategy)
    def collect(words: list[str]) -> None:
        found.extend(words)

    collect()
    return found


async def test_a_command_may_be_as_long_as_the_system_takes(host: HostTransport) -> None:
    done = await host.run(["printf", "%s", "x" * 120_000], deadline_s=20)
    assert len(done.stdout) == 120_000
    for argv, reason in ((["echo", "x" * 140_000], "longer"), (["echo", "\0"], "zero byte")):
        with pytest.raises(RefusedError, match=reason):
            await host.run(argv, deadline_s=20)


async def test_noise_of_a_login_shell_is_remembered_and_no_output(
    new_server: Any, reach: Any
) -> None:
    with new_server() as server:
        noise = "echo welcome; printf 'no newline'; echo warning >&2\n"
        (server.home / ".bashrc").write_text(noise)
        host = reach(server)
        done = await host.run(["echo", "mine"], deadline_s=20)
        assert done.stdout == b"mine\n"
        assert host.noise == b"welcome\nno newline"


async def test_a_login_shell_that_hangs_is_named(new_server: Any, reach: Any) -> None:
    with new_server() as server:
        (server.home / ".bashrc").write_text("echo one moment $$; read -r answer; exit 1\n")
        host = reach(server, shell_s=1.0)
        with pytest.raises(LoginShellHangsError, match=r"in 1 s; it said 'one moment \d+'"):
            await host.run(["true"], deadline_s=20)


async def test_a_login_shell_that_starts_no_command_is_named(new_server: Any, reach: Any) -> None:
    with (
        new_server("ForceCommand echo This account is not available; exit 1") as server,
        pytest.raises(HostLoginError, match=r"code 1 .*'This account is not available'"),
    ):
        await reach(server).run(["true"], deadline_s=20)


async def test_where_the_server_sends_no_signals_it_is_done_from_beside(
    new_server: Any, reach: Any, assert_gone: Gone
) -> None:
    lines: list[bytes] = []
    with new_server('ForceCommand eval "$SSH_ORIGINAL_COMMAND"') as server:
        host = reach(server)
        with pytest.raises(HostCommandTimeoutError):
            await host.run(python(PARENT), deadline_s=1, on_line=lines.append)
        assert "refusing to send signal" in server.log
        assert_gone(int(lines[0]))


async def test_more_commands_than_a_connection_takes(new_server: Any, reach: Any) -> None:
    with new_server() as server:
        host = reach(server)
        codes = [
            (await done).returncode
            for done in asyncio.as_completed(
                [host.run(["sleep", "0.2"], deadline_s=60) for _ in range(30)]
            )
        ]
        assert codes == [0] * 30
        logins = server.log.count("Accepted publickey")
        assert 1 < logins < 6
        await host.run(["true"], deadline_s=20)
        assert server.log.count("Accepted publickey") == logins


@pytest.mark.parametrize("sessions", [1, 3])
async def test_a_server_that_allows_fewer_sessions_is_found_out(
    new_server: Any, reach: Any, sessions: int
) -> None:
    with new_server(f"MaxSessions {sessions}") as server:
        host = reach(server)
        runs = [host.run(["sleep", "0.2"], deadline_s=60) for _ in range(8)]
        assert [done.returncode for done in await asyncio.gather(*runs)] == [0] * 8
        with pytest.raises(HostCommandTimeoutError):
            await host.run(python(PARENT), deadline_s=1)


async def test_who_finds_no_room_for_long_is_told_so(new_server: Any, reach: Any) -> None:
    with new_server("MaxSessions 1") as server:
        host = reach(server, links=2, room_s=0.5)
        async with await host.open_channel(["cat"]):
            async with await host.open_channel(["cat"]):
                with pytest.raises(HostError, match=r"all 2 sessions .* are in use") as caught:
                    await host.open_channel(["cat"])
                assert "MaxSessions" in caught.value.remedy
            async with await host.open_channel(["cat"]) as channel:
                await channel.send(b"hello\n")
                assert await anext(channel.lines()) == b"hello"


async def test_a_server_that_allows_no_session_says_so(new_server: Any, reach: Any) -> None:
    with new_server("MaxSessions 0") as server:
        with pytest.raises(HostError, match="opens no session") as caught:
            await reach(server).run(["true"], deadline_s=20)
        assert caught.value.code == "HOST_FAILED"


async def test_a_dropped_connection_is_no_failure_of_the_command(host: SshTransport) -> None:
    def drop(line: bytes) -> None:
        os.kill(int(line), signal.SIGKILL)

    with pytest.raises(HostConnectionLostError) as caught:
        await host.run(["sh", "-c", "echo $PPID; exec sleep 20"], deadline_s=60, on_line=drop)
    assert caught.value.where == "127.0.0.1"
    assert (await host.run(["echo", "again"], deadline_s=20)).stdout == b"again\n"


async def test_a_link_that_is_cut_silently_is_known_soon(
    server: Any, reach: Any, proxy: Any
) -> None:
    host = reach(server, login={"port": proxy.port}, keepalive_s=0.3)
    async with await host.open_channel(["cat"]) as channel:
        await channel.send(b"hello\n")
        assert await anext(channel.lines()) == b"hello"
        proxy.fall_silent()
        with pytest.raises(HostConnectionLostError, match="not responding"):
            await anext(channel.lines())
        with pytest.raises(HostConnectionLostError):
            await channel.wait()


async def test_an_idle_connection_is_closed_and_made_again(new_server: Any, reach: Any) -> None:
    with new_server() as server:
        host = reach(server, idle_s=0.05)
        for _ in range(2):
            await host.run(["true"], deadline_s=20)
            async with asyncio.timeout(20):
                while host._pool._links[0].is_open:
                    await asyncio.sleep(0.01)
        assert server.log.count("Accepted publickey") == 2


async def test_a_server_that_restarts_is_reached_again(new_server: Any, reach: Any) -> None:
    with new_server() as server:
        host = reach(server)
        done = await host.run(["sh", "-c", "echo $PPID"], deadline_s=20)
        server.__exit__()
        os.kill(int(done.stdout), signal.SIGKILL)
        with pytest.raises(HostError):
            await host.run(["true"], deadline_s=20)
        server.__enter__()
        assert (await host.run(["true"], deadline_s=20)).returncode == 0


async def test_closing_ends_what_runs(server: Any, reach: Any) -> None:
    host = reach(server)
    heard = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        host.run(python(PARENT), deadline_s=60, on_line=heard.set_result), name="running"
    )
    os.kill(int(await heard), signal.SIGKILL)
    await host.aclose()
    with pytest.raises(HostConnectionLostError):
        await running
    before = {task.get_name() for task in asyncio.all_tasks()}
    assert before == {asyncio.current_task().get_name()}  # type: ignore[union-attr]


async def test_files_are_written_privately_and_read_back(
    host: HostTransport, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "fol der"
    files = {"a.json": b"{}", "b": os.urandom(300_000), "it's": b""}
    await host.write_files(PurePosixPath(folder), files, deadline_s=20)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert (
        stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    folder.chmod(0o755)
    await host.write_files(PurePosixPath(folder), {"b": b"x" * 10}, deadline_s=20)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert await host.read_file(PurePosixPath(folder / "b"), deadline_s=20) == b"x" * 10
    assert await host.read_file(PurePosixPath(folder / "it's"), deadline_s=20) == b""
    with pytest.raises(OutputTooLargeError, match="exceeds 9 bytes"):
        await host.read_file(PurePosixPath(folder / "b"), deadline_s=20, max_bytes=9)
    with pytest.raises(NotFoundError, match=f"127.0.0.1:{folder}/c: there is no such file"):
        await host.read_file(PurePosixPath(folder / "c"), deadline_s=20)
    with pytest.raises(RefusedError, match="cannot be read"):
        await host.read_file(PurePosixPath(folder), deadline_s=20)


async def test_a_tilde_is_the_home_there(server: Any, host: HostTransport) -> None:
    await host.write_files(PurePosixPath("~/ours"), {"f": b"1"}, deadline_s=20)
    assert (server.home / "ours" / "f").read_bytes() == b"1"
    assert await host.read_file(PurePosixPath("~/ours/f"), deadline_s=20) == b"1"


async def test_what_the_disk_refuses_is_an_error_of_the_catalogue(
    host: HostTransport, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnwritableError, match=r"127\.0\.0\.1:.*Not a directory"):
        await host.write_files(PurePosixPath(tmp_path / "file" / "x"), {"f": b""}, deadline_s=20)
