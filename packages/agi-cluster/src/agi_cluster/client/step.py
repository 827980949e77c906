"""What a client says and does on behalf of a pipeline's step.

The daemon gives the process of a step a token. A client in it sends the token along, so that the
daemon knows what the step made. Its request ids follow from the token and the number of the call:
a step that is executed again after a crash asks the same with the same ids, and so joins the runs
that it had started. Processes that the step starts send the token too; their ids are new ones,
for nobody could tell which of them comes first.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator, Mapping

TOKEN_VARIABLE = "AGI_STEP_TOKEN"  # noqa: S105 - the name of a variable
PID_VARIABLE = "AGI_STEP_PID"
HEADER = "agi-step-token"
"""The key of the metadata in which a call carries the token."""

_NAMESPACE = uuid.UUID("5b8e5ed9-44f5-4c0e-9c2b-0f6f6f1b1d0a")
_numbers: Iterator[int] = itertools.count(1)


def metadata(environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """What each call carries; empty outside of a step."""
    token = environ.get(TOKEN_VARIABLE, "")
    return ((HEADER, token),) if token else ()


def next_request_id(environ: Mapping[str, str] = os.environ) -> str:
    """The request id of the next change that this step's process asks for; empty outside of it."""
    token = environ.get(TOKEN_VARIABLE, "")
    if not token or environ.get(PID_VARIABLE) != str(os.getpid()):
        return ""
    return request_id(token, next(_numbers))


def request_id(token: str, number: int) -> str:
    """The id of a step's change with this number, from 1."""
    return str(uuid.uuid5(_NAMESPACE, f"{token}/{number}"))
