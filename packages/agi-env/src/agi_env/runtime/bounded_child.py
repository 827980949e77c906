"""App code in a forked child: bounded in time, and nothing that it started outlives it.

A child of the app's that left its session and its parents still holds the pipes of whoever asked,
so it is found as a descendant and killed before anybody goes on waiting for those.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from agi_env.runtime import process_tree

CRASHED = 70
"""The exit code of a child that raised (``EX_SOFTWARE``)."""

_KILL_S = 10.0


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How the child ended.

    Attributes:
        code: Its exit code, negative for a signal.
        late: Its time was up, and it was killed.
    """

    code: int
    late: bool = False

    @property
    def words(self) -> str:
        """How it ended, in a few words: ``was ended by SIGSEGV``."""
        if self.code >= 0:
            return f"exited with code {self.code}"
        return f"was ended by {signal.Signals(-self.code).name}"


def run(target: Callable[[], int], timeout_s: float) -> ChildEnd:
    """Call a function in a child of this process, which must have one thread.

    Args:
        target: What to call; its answer is the child's exit code.
        timeout_s: Seconds until the child is killed.
    """
    process_tree.become_subreaper()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        process_tree.die_with_parent(parent)
        _leave(target)
    late = not _ends_within(child, timeout_s)
    if late:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    process_tree.kill_own_descendants(_KILL_S)
    return ChildEnd(os.waitstatus_to_exitcode(status), late)


def _ends_within(child: int, timeout_s: float) -> bool:
    handle = os.pidfd_open(child)
    try:
        return bool(select.select([handle], [], [], timeout_s)[0])
    finally:
        os.close(handle)


def _leave(target: Callable[[], int]) -> NoReturn:
    code = CRASHED
    try:
        code = target()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - the end of the process: said on its stderr
        traceback.print_exc()
    finally:
        os._exit(code)
