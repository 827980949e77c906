"""Naming: the bounded child that asks the manager side of an app for its partitions.

``python -m agi_env.runtime.naming`` reads one JSON request on stdin, with ``app``, ``target``,
``mode``, ``verbose``, ``args``, ``data_in``, ``data_out`` and ``timeout_s``, and writes the
partitions on stdout, a block a line (`agi_env.runtime.partition_block`). What the app itself prints
goes to stderr. When it fails, the
last line is ``{"error": {"code": ..., "metadata": {...}}}`` and the exit code is 1. Nothing that
the app started is left when it ends. Its output is bounded by whoever runs it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from agi_env.errors import (
    AgiError,
    AppImportError,
    AppInvalidError,
    PartitionsFailedError,
    RequestInvalidError,
)
from agi_env.runtime import bounded_child, build_lock
from agi_env.runtime.app_class import AppClassError, describe, import_remedy, manager_class
from agi_env.runtime.app_context import AppContext
from agi_env.runtime.app_traceback import app_line, app_traceback
from agi_env.runtime.causes import FailureKind
from agi_env.runtime.partition_block import BLOCK, PartitionBlock
from agi_env.runtime.partitions import Partition

DEFAULT_TIMEOUT_S = 120.0
"""Seconds that an app has to name its partitions, unless the request says otherwise."""


def partitions(request: dict[str, Any]) -> Iterator[Partition]:
    """The partitions that an app names, checked, one after another.

    Args:
        request: What is asked.

    Raises:
        RequestInvalidError: A field of the request is missing.
        AppImportError, AppInvalidError: The manager class cannot be had.
        PartitionsFailedError: It raised, or named what is no partition, or one id twice.
    """
    context, args = _context(request)
    seen: set[str] = set()
    for each in _named(context, args):
        partition = _checked(each)
        if partition.id in seen:
            raise PartitionsFailedError(
                f"two partitions have the id {partition.id!r}",
                where="partitions()",
                remedy="Give every partition an id of its own",
            )
        seen.add(partition.id)
        yield partition


def main() -> int:
    """Run as a program."""
    try:
        request = _request()
        timeout_s = _timeout(request)
        build_lock.hold_own()
    except AgiError as error:
        return _failed(sys.stdout, error)
    ended = bounded_child.run(lambda: _name(request), timeout_s)
    if ended.late:
        return _cut_off(f"partitions() did not end within {timeout_s:g} s")
    if ended.code not in (0, 1):
        return _cut_off(f"the process {ended.words} during partitions()")
    return ended.code


def _name(request: dict[str, Any]) -> int:
    with _own_stdout() as output:
        try:
            named = partitions(request)
            while block := list(islice(named, BLOCK)):
                output.write(PartitionBlock.of(block).to_line() + "\n")
        except AgiError as error:
            return _failed(output, error)
    return 0


def _cut_off(what: str) -> int:
    # The child may have ended in the middle of a line.
    sys.stdout.write("\n")
    return _failed(sys.stdout, PartitionsFailedError(what))


def _failed(output: TextIO, error: AgiError) -> int:
    answer = {"code": error.code, "metadata": error.to_metadata()}
    output.write(json.dumps({"error": answer}) + "\n")
    return 1


def _own_stdout() -> TextIO:
    """Keep stdout for ourselves: from now on what the app prints goes to stderr."""
    ours = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(ours, "w", encoding="ascii")


def _request() -> dict[str, Any]:
    try:
        request = json.load(sys.stdin)
    except ValueError as error:
        raise RequestInvalidError(f"the request for partitions is no JSON: {error}") from error
    if not isinstance(request, dict):
        raise RequestInvalidError("the request for partitions is no JSON object")
    return request


def _timeout(request: dict[str, Any]) -> float:
    match request.get("timeout_s", DEFAULT_TIMEOUT_S):
        case int() | float() as seconds if seconds > 0:
            return float(seconds)
    raise RequestInvalidError("the request for partitions has no usable timeout_s")


def _context(request: dict[str, Any]) -> tuple[AppContext, dict[str, Any]]:
    try:
        context = AppContext(
            app=request["app"],
            target=request["target"],
            mode=request["mode"],
            verbose=request["verbose"],
            data_in=Path(request["data_in"]),
            data_out=Path(request["data_out"]),
        )
        return context, dict(request["args"])
    except (KeyError, TypeError, ValueError) as error:
        raise RequestInvalidError(f"the request for partitions lacks {error}") from error


def _named(context: AppContext, args: dict[str, Any]) -> Iterator[Any]:
    cls = _manager_class(context.target)
    manager = _asked(lambda: cls(context, **args), f"{cls.__name__}(env, **args)")
    if not callable(getattr(manager, "partitions", None)):
        raise AppInvalidError(f"class {cls.__name__} has no partitions()")
    named = _asked(lambda: iter(manager.partitions()), "partitions()")
    while some := _asked(lambda: list(islice(named, BLOCK)), "partitions()"):
        yield from some


def _manager_class(target: str) -> type[Any]:
    try:
        return manager_class(target)
    except AppClassError as error:
        cls = AppImportError if error.kind is FailureKind.IMPORT else AppInvalidError
        reason = error.__cause__
        facts = {"traceback": app_traceback(reason)} if reason is not None else {}
        remedy = import_remedy(str(error)) if cls is AppImportError else ""
        raise cls(str(error), remedy=remedy, metadata=facts) from error


def _asked(call: Callable[[], Any], what: str) -> Any:
    try:
        return call()
    except AgiError as error:  # what the app gave to us; it has the line, and no frames of ours
        place = f"{error.where}: " if error.where else ""
        where = app_line(error) or what
        raise PartitionsFailedError(
            f"{place}{error.what}", where=where, remedy=error.remedy
        ) from error
    except BaseException as error:
        message = f"{what} {_what_it_did(error)}"
        facts = {"traceback": app_traceback(error)}
        raise PartitionsFailedError(message, metadata=facts) from error


def _what_it_did(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r})"
    return f"raised {describe(error)}"


def _checked(named: Any) -> Partition:
    if type(named) is Partition and named.sound:
        return named
    if not hasattr(named, "id"):
        raise PartitionsFailedError(
            f"partitions() named {_shown(named)}, which is no Partition",
            remedy="Yield Partition.of(id=...) for each piece of work",
        )
    facts = {name: getattr(named, name, None) for name in ("id", "label", "weight", "payload")}
    try:
        return Partition.of(**facts)
    except AgiError as error:
        where = error.where or "partitions()"
        raise PartitionsFailedError(error.what, where=where, remedy=error.remedy) from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


if __name__ == "__main__":
    sys.exit(main())
