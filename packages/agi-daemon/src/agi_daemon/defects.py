"""Defects: errors that are nobody's fault but ours, logged under a number a person can give."""

from __future__ import annotations

import uuid

from agi_daemon.log import get_log
from agi_env.errors import InternalError

_log = get_log(__name__)


def sole_cause(error: Exception) -> Exception:
    """The one error in a group of one, as a task group raises it; any other error is itself."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def defect(error: Exception, where: str) -> InternalError:
    """Log the error with its trace; return what a person is told, which has only its number.

    Args:
        error: What was raised.
        where: The method or process that it ended.
    """
    incident = uuid.uuid4().hex[:12]
    _log.error("defect", error=error, where=where, incident=incident)
    facts = {"incident": incident}
    if isinstance(error, InternalError):
        return InternalError.from_metadata({**error.to_metadata(), **facts})
    return InternalError(f"an internal error, incident {incident}", where=where, metadata=facts)
