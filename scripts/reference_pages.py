"""The reference pages that follow from the code: every error, and every command with its help.

Run it through ``scripts/generate-docs``; a test sees that this changes nothing.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agi_env.errors import AgiError, catalogue

_ORIGIN = "<!-- Written by scripts/generate-docs. Change the code, then run that. -->"
_WIDTH = "100"

_ERRORS_HEAD = """\
# Errors

Every error that a person may meet has a code. It reaches you in the same words everywhere:

* on the command line as one line on stderr that ends with the code in brackets; with `-o json` as
  `{"error": {"code": ..., "message": ..., "metadata": {...}}}`; the exit code is in the table;
* in Python as the class of `agi_env.errors`, with `what`, `where`, `remedy` and `metadata`;
* over gRPC as the status in the table, with exactly one `google.rpc.ErrorInfo`: `reason` is the
  code, `domain` is `agi.v1`, `metadata` has at least `what`, `where` and `remedy`.

A class catches its whole family: `except AppError` catches all of the app's faults.
[Troubleshooting](../troubleshooting.md) says more about those that people meet most.

Exit codes that are no error: 0 it was done; 130 Ctrl-C, what was watched goes on; 141 nobody reads
the output any more.
"""

_CLI_HEAD = """\
# The command line

Results go to stdout and nothing else does; progress and errors go to stderr. `-o json` writes
protobuf's JSON mapping of the API's own messages. The exit codes are those of the
[errors](errors.md). The first command that needs the daemon starts it, except `agi daemon status`
and `agi daemon stop`.

An app is named in one of three ways: its name (`flights_project`, in short `flights`), the path of
its folder (it has a slash, or begins with `.` or `~`), or `apps/NAME`. A path registers the app.
`agi --install-completion` completes commands, apps, runs and plans in your shell.
"""


def main(directory: Path) -> None:
    """Write all pages into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (("errors.md", errors_page()), ("cli.md", cli_page())):
        (directory / name).write_text(text, encoding="utf-8")


def errors_page() -> str:
    """The catalogue as a page, a table for each family."""
    families = sorted(AgiError.__subclasses__(), key=lambda family: family.exit_code)
    lines = [_ORIGIN, "", _ERRORS_HEAD]
    for family in families:
        lines += [f"## {family.__name__}: exit code {family.exit_code}", "", _meaning(family), ""]
        lines += ["| code | class | gRPC status | meaning | what to do |", "|---|---|---|---|---|"]
        lines += [_row(cls) for cls in _family(family)]
        lines.append("")
    return "\n".join(lines)


def cli_page() -> str:
    """Every command with its help."""
    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = _WIDTH
    lines = [_ORIGIN, "", _CLI_HEAD]
    for path in _commands():
        lines += [f"## `{' '.join(['agi', *path])}`", "", "```text", _help(path), "```", ""]
    return "\n".join(lines)


def _family(family: type[AgiError]) -> list[type[AgiError]]:
    found = {cls for cls in catalogue().values() if issubclass(cls, family)}
    return sorted(found, key=lambda cls: (cls is not family, cls.code))


def _row(cls: type[AgiError]) -> str:
    cells = (f"`{cls.code}`", f"`{cls.__name__}`", cls.status, _meaning(cls), f"{cls.advice}.")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _meaning(cls: type[AgiError]) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0].replace("``", "`")


def _commands() -> Iterator[tuple[str, ...]]:
    """Every word of the program, groups before what is in them."""
    from agi_cli.main import program  # noqa: PLC0415 - the width has to be set before

    root = program()
    context = root.make_context("agi", [], resilient_parsing=True)
    yield ()
    yield from _below(root, context, ())


def _below(group: Any, context: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        command = found.load() if hasattr(found, "load") else found
        yield (*path, name)
        if hasattr(command, "list_commands"):
            yield from _below(command, context, (*path, name))


def _help(path: tuple[str, ...]) -> str:
    from agi_cli.main import run  # noqa: PLC0415 - the width has to be set before
    from agi_cli.session import Session  # noqa: PLC0415

    heard = io.StringIO()
    stdout, sys.stdout = sys.stdout, heard  # where the help goes, whatever the session
    try:
        code = run([*path, "--help"], Session(out=heard, err=heard))
    finally:
        sys.stdout = stdout
    if code:
        raise SystemExit(f"agi {' '.join(path)} --help ended with {code}: {heard.getvalue()}")
    return "\n".join(line.rstrip() for line in heard.getvalue().rstrip().splitlines())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
