"""Tracebacks as an app's author wants them: from the first frame of the app's own code on."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

MAX_CHARS = 64 * 1024
"""How much of a traceback is kept: its end says what was raised."""

_OURS = str(Path(__file__).parent)
_INSTALLED = str(Path(__file__).parents[2])


def app_traceback(error: BaseException) -> str:
    """The traceback of an error without the frames that called the app.

    When no frame of the app is left, as for a module that is not there, only the last lines are
    given: what was raised.
    """
    summary = traceback.TracebackException(
        type(error), error, _first_of_app(error.__traceback__), compact=True
    )
    told = summary.format() if summary.stack else summary.format_exception_only()
    # Paths as in the app's src folder: where a build lies is no affair of the app's author.
    return "".join(told).replace(f'File "{_INSTALLED}/', 'File "')[-MAX_CHARS:]


def app_line(error: BaseException) -> str:
    """The last line of the app's own that led to an error, as ``src/toy/toy.py:7``; empty: none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_ours(frame.filename)]
    if not own:
        return ""
    path = own[-1].filename
    if path.startswith(_INSTALLED):
        path = "src" + path.removeprefix(_INSTALLED)
    return f"{path}:{own[-1].lineno}"


def _first_of_app(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return frames


def _is_ours(filename: str) -> bool:
    return filename.startswith((_OURS, "<frozen importlib")) or filename.endswith(
        "importlib/__init__.py"
    )
