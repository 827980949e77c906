"""What every field of a request has to satisfy before the core is asked.

Only what belongs to the wire is checked here; what a name or a mode means is the core's.
"""

from __future__ import annotations

import math
import uuid
from pathlib import Path
from typing import Any

from agi_env.errors import RequestInvalidError
from agi_env.verbosity import Verbosity


def request_id(request: Any) -> str:
    """The request id in its one canonical spelling; empty if none was given.

    Raises:
        RequestInvalidError: It is no UUID.
    """
    text: str = request.request_id
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        raise RequestInvalidError(
            f"{text!r} is no UUID", where="request_id", remedy="Give a new UUID for each request"
        ) from None


def mutation(request: Any) -> dict[str, Any]:
    """The arguments that every mutation has in common.

    Raises:
        RequestInvalidError: The request id is no UUID.
    """
    return {"request_id": request_id(request), "validate_only": request.validate_only}


def page(request: Any) -> dict[str, Any]:
    """The arguments that every list has in common.

    Raises:
        RequestInvalidError: The page size is negative.
    """
    size = not_negative(request.page_size, "page_size")
    return {"page_size": size, "page_token": request.page_token}


def required(value: str, field: str) -> str:
    """A text that must not be empty.

    Raises:
        RequestInvalidError: It is.
    """
    if not value.strip():
        raise RequestInvalidError("the field is missing", where=field, remedy="Give it a value")
    return value


def absolute_path(value: str, field: str) -> str:
    """A path that means the same in every process.

    Raises:
        RequestInvalidError: It is missing or relative.
    """
    if not Path(required(value, field)).is_absolute():
        raise RequestInvalidError(
            f"{value!r} is relative", where=field, remedy="Give the absolute path"
        )
    return value


def not_negative(value: int, field: str) -> int:
    """A count or a sequence number.

    Raises:
        RequestInvalidError: It is negative.
    """
    if value < 0:
        raise RequestInvalidError(f"{value} is negative", where=field)
    return value


def seconds(request: Any, field: str) -> float | None:
    """An optional duration; None if it is absent.

    Raises:
        RequestInvalidError: It is negative or no number.
    """
    if not request.HasField(field):
        return None
    value: float = getattr(request, field)
    if not 0 <= value < math.inf:
        raise RequestInvalidError(f"{value} is no number of seconds", where=field)
    return value


def verbosity(request: Any, field: str = "verbose") -> int | None:
    """An optional verbosity; None if it is absent.

    Raises:
        InvalidInputError: It is none of 0 to 3.
    """
    return int(Verbosity.parse(getattr(request, field))) if request.HasField(field) else None
