"""The ``agi`` program: its words, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer
from typer.main import get_command

from agi_cli import exit_codes
from agi_cli.complaint import complain, defect, wrong_command_line
from agi_cli.lazy_group import LazyGroup
from agi_cli.options import ONLY_CHECKED
from agi_cli.session import Session
from agi_env.errors import AgiError, DiskFullError

_COMMANDS = {
    "install": "Install an app's worker runtime on its hosts.",
    "distribute": "Show which partition of an app will run on which slot.",
    "run": "Run an app, watch it, and print its report.",
    "releases": "Look at what was installed and can be again; remove what nothing needs.",
    "modes": "Show which modes an app can be run in, and why not.",
    "runs": "Look at runs, follow, cancel them, read their logs.",
    "benchmarks": "Look at what the modes of an app came to.",
    "plans": "Look at distribution plans and edit them.",
    "settings": "Look at the settings of an app and change them.",
    "apps": "Look at the known apps, make and register them.",
    "hosts": "Enrol machines, trust their keys, look at them, drain and remove them.",
    "doctor": "Find out what is wrong with the machines, and what mends it.",
    "snippet": "Write a Python program that does the same as a command.",
    "pipeline": "Keep runs as steps of a pipeline, execute it, look at its history.",
    "daemon": "Start and stop the daemon, ask how it is.",
    "demo": "Play the whole life of the example app.",
}


def agi(
    context: typer.Context,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.")
    ] = False,
) -> None:
    """Install an app on machines, look at how its work is distributed, and run it.

    The first command that needs the daemon starts it.
    """
    if show_version:
        from importlib.metadata import version  # noqa: PLC0415 - a third of what `--help` costs

        session: Session = context.obj
        session.write(f"agi {version('agi-cli')}\n")
        raise typer.Exit(exit_codes.OK)
    if context.invoked_subcommand is None:
        context.obj.write(context.get_help() + "\n")


def program() -> LazyGroup:
    """The program as a command with all its words."""
    app = typer.Typer(cls=LazyGroup, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(agi)
    group = get_command(app)
    assert isinstance(group, LazyGroup)
    group.defer({name: (f"agi_cli.commands.{name}", line) for name, line in _COMMANDS.items()})
    return group


def execute(args: Sequence[str], session: Session) -> None:
    """Carry out one command line.

    Raises:
        AgiError: What went wrong.
        typer.Exit: It ended early, with an exit code.
    """
    group = program()
    try:
        with group.make_context("agi", list(args), obj=session) as context:
            group.invoke(context)
            if context.meta.get(ONLY_CHECKED):
                session.say("only checked: nothing was done")
    except typer.TyperException as error:
        raise wrong_command_line(error) from error


def run(args: Sequence[str], session: Session) -> int:
    """Carry out one command line, report what went wrong, and return the exit code."""
    try:
        execute(args, session)
        session.out.flush()
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt:
        return exit_codes.DETACHED
    except BrokenPipeError:
        return exit_codes.PIPE_CLOSED
    except AgiError as error:
        return complain(error, args, session.err)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is becomes one line
        return complain(_not_written(error) or defect(error), args, session.err)
    return exit_codes.OK


def _not_written(error: Exception) -> AgiError | None:
    """The error where there is no room for the output; none where it is about something else."""
    if not isinstance(error, OSError) or error.errno != errno.ENOSPC or error.filename:
        return None
    return DiskFullError("the output cannot be written", remedy="Make room where it goes")


def _open(stream: TextIO | None) -> TextIO:
    """The stream, or nowhere where it was closed for us."""
    return stream or Path(os.devnull).open("w")


def main() -> None:
    """The entry point of the console script."""
    out, err = _open(sys.stdout), _open(sys.stderr)
    for stream in (out, err):
        # A terminal that cannot show a character shows "?" instead of a trace.
        stream.reconfigure(errors="replace")  # type: ignore[attr-defined]
    if "_AGI_COMPLETE" in os.environ:
        program().main(prog_name="agi")
    code = run(sys.argv[1:], Session(out=out, err=err))
    try:
        out.flush()
    except OSError:
        # What is still buffered would be written at exit, fail again and be reported.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
