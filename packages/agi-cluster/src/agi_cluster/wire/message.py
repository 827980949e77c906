"""Protobuf messages made from what callers gave."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from google.protobuf.message import Message

from agi_env.errors import RequestInvalidError

P = ParamSpec("P")
M = TypeVar("M", bound=Message)


def checked(kind: Callable[P, M]) -> Callable[P, M]:
    """The constructor of a message, refusing values that its fields cannot hold.

    Raises:
        RequestInvalidError: A value has the wrong type, is out of range or is not Unicode.
    """

    @wraps(kind, updated=())
    def build(*args: P.args, **kwargs: P.kwargs) -> M:
        try:
            return kind(*args, **kwargs)
        except (TypeError, ValueError) as error:
            raise RequestInvalidError(str(error), where=kind.__name__) from error

    return build
