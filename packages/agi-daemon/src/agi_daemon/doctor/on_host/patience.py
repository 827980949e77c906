"""Asking a file system that may never answer: in a child, which is given up when it hangs.

A process that waits for a dead file server cannot even be killed; so the one that has to answer
the manager must not be the one that asks.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def within(limit_s: float, ask: Callable[[], Any]) -> Any:
    """What a function answers, as a JSON value; nothing when it takes longer than ``limit_s``."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _answer(writing, ask)
    os.close(writing)
    try:
        said = _read(reading, time.monotonic() + limit_s)
    finally:
        os.close(reading)
    if said is None:
        os.kill(child, signal.SIGKILL)  # not waited for: it may be beyond killing
        return None
    os.waitpid(child, 0)
    return json.loads(said or b"null")


def _answer(writing: int, ask: Callable[[], Any]) -> None:
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # or a hanging child would hold the line to the manager open
            os.dup2(nothing, stream)
        text = json.dumps(ask()).encode()
        while text:
            text = text[os.write(writing, text) :]
    finally:
        os._exit(0)


def _read(pipe: int, deadline: float) -> bytes | None:
    said = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        piece = os.read(pipe, 65536)
        if not piece:
            return said
        said += piece
