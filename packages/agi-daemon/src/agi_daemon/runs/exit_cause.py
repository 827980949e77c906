"""The exit record of a supervisor, as the cause that people are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agi_daemon.runs.reach import OUT_OF_REACH
from agi_env.errors import AgiError, OutOfTimeError, catalogue
from agi_env.runtime.causes import EndCause, EndKind

_FENCED = catalogue()["CONFLICT"].exit_code


def exit_cause(record: Mapping[str, Any] | None) -> EndCause:
    """Why a runner or a worker ended: by its supervisor's record, or that this was killed too."""
    if not record or (record.get("code") is None and record.get("signal") is None):
        return EndCause(EndKind.KILLED, detail="it was killed together with its supervisor")
    how: dict[str, Any] = {
        "exit_code": record.get("code"),
        "signal": record.get("signal"),
        "log_tail": str(record.get("log_tail") or ""),
    }
    kind = _kind(record)
    return EndCause(kind, detail=EndCause(kind, **how).words, **how)


def unheard_cause(error: AgiError) -> EndCause:
    """Why nothing is heard of a worker any more."""
    if isinstance(error, OUT_OF_REACH):
        return EndCause(EndKind.HOST_UNREACHABLE, detail=str(error))
    if isinstance(error, OutOfTimeError):
        return EndCause(EndKind.TIMEOUT, detail=str(error))
    return EndCause(EndKind.NOT_STARTED, detail=str(error))


def _kind(record: Mapping[str, Any]) -> EndKind:
    if record.get("oom"):
        return EndKind.OOM
    if record.get("signal") is not None:
        return EndKind.SIGNAL
    code = record.get("code")
    if code == 0:
        return EndKind.STOPPED
    return EndKind.FENCED if code == _FENCED else EndKind.EXIT
