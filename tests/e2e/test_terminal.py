"""The command line at a real terminal: live progress, a change of its size, Ctrl-C, coming back."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

from agi_cluster.model.requests import StartRun
from agi_cluster.testing import RunningDaemon

DEADLINE_S = 60.0
WATCHED_S = 2.0
LINES, COLUMNS, NARROW = 24, 100, 40
MOST_BYTES_A_SECOND = 8_000
"""What an idle live line may write: ten frames of some hundred bytes, and no more."""


class Terminal:
    """A terminal of this size, what a program does to it, and what is to be seen on it."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._turn = threading.Lock()
        self.received = 0
        self._reader = threading.Thread(target=self._read, name="terminal")
        self._reader.start()

    def seen(self) -> list[str]:
        """The lines that are not empty."""
        with self._turn:
            return [line.rstrip() for line in self._screen.display if line.strip()]

    @property
    def cursor_hidden(self) -> bool:
        """Whether a program took the cursor away and did not bring it back."""
        with self._turn:
            return bool(self._screen.cursor.hidden)

    def resize(self, columns: int) -> None:
        """Make the window as wide as this."""
        with self._turn:
            self._screen.resize(LINES, columns)
        set_size(self._master, columns)

    def press_ctrl_c(self) -> None:
        """Type it."""
        os.write(self._master, b"\x03")

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """What is seen once the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(lines := self.seen()):
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.02)
        return lines

    def close(self) -> None:
        """After the program has ended."""
        self._reader.join(timeout=DEADLINE_S)
        os.close(self._master)

    def _read(self) -> None:
        while piece := self._piece():
            with self._turn:
                self.received += len(piece)
                self._stream.feed(piece)

    def _piece(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:  # the other end was closed
            return b""


def set_size(descriptor: int, columns: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))


def without_size(env: Mapping[str, str]) -> dict[str, str]:
    """What a shell passes on: the size is the terminal's to say, and no variable's."""
    return {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}


@contextmanager
def at_a_terminal(
    daemon: RunningDaemon, *words: str
) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """The command line as the session leader of a terminal, as a shell would start it."""
    master, slave = pty.openpty()
    set_size(slave, COLUMNS)
    process = subprocess.Popen(
        [sys.executable, "-m", "agi_cli", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**without_size(daemon.env), "TERM": "xterm-256color"},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no threads there
    )
    os.close(slave)
    terminal = Terminal(master)
    try:
        yield terminal, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE_S)
        terminal.close()


def test_a_person_watches_resizes_detaches_and_comes_back(
    daemon: RunningDaemon, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with at_a_terminal(daemon, "run", str(toy), "--arg", f"gate='{gate}'") as (terminal, process):
        terminal.until(lambda lines: any("0 of 2" in line for line in lines))
        received, begun = terminal.received, time.monotonic()
        terminal.resize(NARROW)
        while time.monotonic() < begun + WATCHED_S:
            lines = terminal.seen()
            # One live line, and what the narrowing itself may have cut off of the one before: no
            # terminal tells a program of its new size in time. They do not become more.
            assert sum("0 of 2" in line for line in lines) <= 2, "\n".join(lines)
            time.sleep(0.05)
        assert terminal.received - received < WATCHED_S * MOST_BYTES_A_SECOND
        terminal.resize(COLUMNS)
        terminal.press_ctrl_c()
        assert process.wait(DEADLINE_S) == 130
        lines = terminal.until(lambda lines: any("agi runs watch" in line for line in lines))
        assert not terminal.cursor_hidden
        (run_id,) = re.findall(r"`agi runs watch (\S+)`", " ".join(lines))
    with daemon.client() as client:
        assert not client.get_run(run_id).state.settled
    with at_a_terminal(daemon, "runs", "watch", run_id) as (terminal, process):
        terminal.until(lambda lines: any("0 of 2" in line for line in lines))
        gate.touch()
        assert process.wait(DEADLINE_S) == 0
        lines = terminal.until(lambda lines: any("SUCCEEDED" in line for line in lines))
        assert not any("0 of 2" in line for line in lines)
        assert not terminal.cursor_hidden


def test_who_watches_hears_that_the_daemon_is_gone_and_back(
    daemon: RunningDaemon, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with at_a_terminal(daemon, "run", str(toy), "--arg", f"gate='{gate}'") as (terminal, process):
        terminal.until(lambda lines: any("0 of 2" in line for line in lines))
        daemon.stop()
        try:
            terminal.until(lambda lines: "the daemon is gone; runs/" in " ".join(lines))
        finally:
            daemon.start()
        terminal.until(lambda lines: "the daemon is back" in lines)
        gate.touch()
        assert process.wait(DEADLINE_S) == 0
        terminal.until(lambda lines: any("SUCCEEDED" in line for line in lines))


def test_a_log_file_gets_a_few_plain_lines(
    daemon: RunningDaemon, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with daemon.client() as client:
        run = client.start_run(StartRun(app=str(toy), args={"gate": str(gate)}))
    watching = subprocess.Popen(
        [sys.executable, "-m", "agi_cli", "runs", "watch", run.id, "-o", "json"],
        env=daemon.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(WATCHED_S)  # as long as the file is to stay short
    gate.touch()
    out, err = watching.communicate(timeout=DEADLINE_S)
    assert watching.returncode == 0
    assert json.loads(out)["state"].endswith("SUCCEEDED")
    assert "\x1b" not in out + err
    assert "\r" not in err
    assert len(err.splitlines()) < 20, err
