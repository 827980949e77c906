"""One call as a value: what goes over the wire and how the answer is read.

`agi_cluster.client.calls` has a function for every method of the API that makes one of these. Both
clients take their methods from there, so that each is described once.
"""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import frozen
from google.protobuf.message import Message

from agi_cluster.client import step
from agi_cluster.client.deadlines import Pace

Value = TypeVar("Value")
Method = TypeVar("Method", bound=Callable[..., Any])


@frozen(kw_only=True)
class Call(Generic[Value]):
    """One request with one answer. Safe to repeat: it reads, or carries a request id."""

    stub: Callable[[Any], Any]
    """The generated stub class of the service."""
    rpc: str
    """The method's name there."""
    request: Message
    parse: Callable[[Any], Value]
    pace: Pace = Pace.READ


@frozen(kw_only=True)
class Stream(Generic[Value]):
    """One request with many answers, to be repeated only while there was none."""

    stub: Callable[[Any], Any]
    rpc: str
    request: Message
    parse: Callable[[Any], Value]
    pace: Pace = Pace.LOG


@frozen(kw_only=True)
class Watch(Generic[Value]):
    """A stream of snapshots and numbered events that can go on after a number."""

    stub: Callable[[Any], Any]
    rpc: str
    request: Callable[[int], Message]
    """Makes the request for the events after a number."""
    after_sequence: int
    parse: Callable[[Any], tuple[Value, int]]


def new_request_id(given: str) -> str:
    """The id that was given, else that of a pipeline step's call, else a new one."""
    return given or step.next_request_id() or str(uuid.uuid4())


def as_method(build: Callable[..., Any], answer: str) -> Callable[[Method], Method]:
    """A decorator that gives a client's method the name, text and signature of its call.

    Args:
        build: The function that makes the call.
        answer: The annotation of what the method returns; ``{}`` is the call's value.
    """

    def dress(method: Method) -> Method:
        signature = inspect.signature(build)
        value = str(signature.return_annotation).partition("[")[2].removesuffix("]")
        me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        signature = signature.replace(
            parameters=[me, *signature.parameters.values()],
            return_annotation=answer.format(value),
        )
        facts = {"__signature__": signature, "__name__": build.__name__, "__doc__": build.__doc__}
        for name, fact in facts.items():
            setattr(method, name, fact)
        return method

    return dress
