"""A session whose processes end with its connection, however they detached themselves.

The SSH server runs it in place of every command (ForceCommand). A keeper adopts whatever the
command leaves behind, waits for the process of the connection to end, and kills what it adopted.
Runs on the host, by the system's Python.
"""

import ctypes
import os
import select
import signal
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def children() -> list[int]:
    """The direct children of this process."""
    me = os.getpid()
    return [int(word) for word in Path(f"/proc/{me}/task/{me}/children").read_text().split()]


def command() -> None:
    """Become what was asked for, as the leader of a session as the server makes one."""
    os.setsid()
    asked = os.environ.get("SSH_ORIGINAL_COMMAND")
    shell = os.environ.get("SHELL", "/bin/sh")
    os.execv(shell, [shell, "-c", asked] if asked else [shell, "-l"])


def end_all() -> None:
    """Kill every descendant; a killed one's children come to be ours."""
    while left := children():
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def keep(connection: int, answer: int) -> None:
    """Run the command, tell how it ended, and stay until the connection is gone."""
    handle = os.pidfd_open(connection)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    started = os.fork()
    if started == 0:
        command()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    _, status = os.waitpid(started, 0)
    os.write(answer, bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os.close(answer)
    select.select([handle], [], [])
    end_all()


def main() -> None:
    """Stand for the command towards the server."""
    connection, (told, answer) = os.getppid(), os.pipe()
    if os.fork() == 0:
        os.close(told)
        os.setsid()
        keep(connection, answer)
        os._exit(0)
    os.close(answer)
    os._exit((os.read(told, 1) or b"\xff")[0])


if __name__ == "__main__":
    main()
