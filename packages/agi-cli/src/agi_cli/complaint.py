"""How the program says what went wrong: one line, or JSON, on stderr, never a trace of ours."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Sequence
from typing import TextIO

import typer

from agi_cli.inert_json import inert
from agi_env.errors import AgiError, InternalError, RequestInvalidError

TRACE_VARIABLE = "AGI_TRACEBACK"
"""The environment variable that, when it is not empty, adds the trace of a defect."""


def complain(error: AgiError, args: Sequence[str], stream: TextIO) -> int:
    """Write an error for a person or, where the arguments ask for JSON, for a program.

    Returns:
        The exit code of the error.
    """
    if asks_for_json(args):
        facts = {"code": error.code, "message": str(error), "metadata": error.to_metadata()}
        line = inert(json.dumps({"error": facts}, ensure_ascii=False))
    else:
        line = f"error: {' '.join(str(error).split())} [{error.code}]"
    stream.write(line + "\n")
    stream.flush()
    return error.exit_code


def asks_for_json(args: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON; also where they could not be understood otherwise."""
    pairs = zip(args, [*args[1:], ""], strict=True)
    together = {"-ojson", "-o=json", "--output=json"}
    return any(
        first in together or (first in ("-o", "--output") and second == "json")
        for first, second in pairs
    )


def wrong_command_line(error: typer.TyperException) -> RequestInvalidError:
    """The error for arguments that the program does not understand."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "agi"
    return RequestInvalidError(
        error.format_message(), where=path, remedy=f"`{path} --help` shows what there is"
    )


def defect(error: Exception) -> InternalError:
    """The error for what should not have happened."""
    if os.environ.get(TRACE_VARIABLE):
        traceback.print_exception(error)
    return InternalError(
        f"{type(error).__name__}: {error}",
        where="agi",
        remedy=f"Repeat it with {TRACE_VARIABLE}=1 and report what it shows",
    )
