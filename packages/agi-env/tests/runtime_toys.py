"""Small runners for the tests of supervision: ``python runtime_toys.py TOY RUN_DIR ...``.

Each is attached to by the real ``attach``, in place of the real runner.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agi_env.errors import AgiError
from agi_env.runtime import attach, control
from agi_env.runtime.journal import JOURNAL_FILE, Journal

# A process that has left its session, its process group and its parent.
STRAY = (
    "import os, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "os.write(1, b'%d\\n' % os.getpid())\n"
    "time.sleep(600)\n"
)


def settles(run_dir: Path, epoch: int) -> int:
    """Say three things and end."""
    journal = Journal.open(run_dir / JOURNAL_FILE, epoch)
    journal.append("runner_started", pid=os.getpid())
    journal.append("fact", cwd=str(Path.cwd()))
    journal.append("settled", state="SUCCEEDED")
    journal.close()
    return 0


def obeys(run_dir: Path, epoch: int) -> int:
    """Take notes when told to, until it is told to settle; with a stray process beside it."""
    return asyncio.run(_obey(run_dir, epoch))


def raises(_run_dir: Path, _epoch: int) -> int:
    """Be broken."""
    raise ZeroDivisionError("a broken runner")


def exits(_run_dir: Path, _epoch: int) -> int:
    """Leave in the middle."""
    sys.exit(3)


def floods(run_dir: Path, epoch: int) -> int:
    """Print far more than any log holds."""
    line = "x" * 99 + "\n"
    for _ in range(400):
        sys.stdout.write(line * 1000)
    print("the last words")
    return settles(run_dir, epoch)


async def _obey(run_dir: Path, epoch: int) -> int:
    journal = Journal.open(run_dir / JOURNAL_FILE, epoch)
    settled = asyncio.Event()

    async def handle(command: dict[str, Any]) -> Mapping[str, Any]:
        journal.append(command["op"], **command.get("data", {}))
        if command["op"] == "settled":
            settled.set()
        return {"ok": True}

    async with control.serve(run_dir, handle):
        journal.append("runner_started", pid=os.getpid(), stray=_stray())
        await settled.wait()
    journal.close()
    return 0


def _stray() -> int:
    with subprocess.Popen([sys.executable, "-c", STRAY], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        return int(parent.stdout.readline())


def main() -> int:
    """Attach to a run whose runner is a toy."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    name, run_dir, epoch, after = sys.argv[1:]
    toys = {toy.__name__: toy for toy in (settles, obeys, raises, exits, floods)}
    try:
        return attach.follow(Path(run_dir), int(epoch), int(after), toys[name])
    except AgiError as error:
        attach.say(control.error_answer(error))
        return error.exit_code
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
