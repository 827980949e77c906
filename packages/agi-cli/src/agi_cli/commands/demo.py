"""``agi demo``: the whole life of the example app, with each command that a person would type."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from agi_cli.main import execute
from agi_cli.session import Session, session_of
from agi_cluster.model.run import Run
from agi_env.errors import AppNotFoundError, RunFailedError
from agi_env.paths import absolute

EXAMPLE = Path("examples", "flights_project")
"""Where the example is in a checkout."""

PROGRAM_TIMEOUT = 600.0
"""Seconds that the written program may take."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def demo(
    context: typer.Context,
    path: Annotated[
        str, typer.Option("--app", metavar="PATH", help="The app to play it with. [the example]")
    ] = "",
) -> None:
    """Play the whole life of the example app, printing each command before it is done.

    It uses your own daemon and changes no settings.
    """
    session = session_of(context)
    folder = absolute(path) if path else example_folder()
    name = folder.name
    _type(session, "Make the app known by its name.", "apps", "register", str(folder))
    _type(
        session, "Its settings: a copy of your own, made from the app's.", "settings", "show", name
    )
    _type(session, "Build its worker runtime.", "install", name)
    _type(session, "Do that again: there is nothing to do.", "install", name)
    _type(session, "Which partition goes to which slot?", "distribute", name)
    _type(session, "Run it.", "run", name)
    _play_snippet(session, name)
    _type(session, "What has been run?", "runs", "list", "--app", name)
    last, before = _latest_two(session, name)
    same = "the same data as" if last.result == before.result else "other data than"
    _type(session, f"The program's run gave {same} the first.", "runs", "show", last.id)


def example_folder() -> Path:
    """The example app of the checkout that this code, or the current directory, is in.

    Raises:
        AppNotFoundError: There is none, as where the packages are installed from wheels.
    """
    here = (*Path(__file__).parents, Path.cwd(), *Path.cwd().parents)
    for folder in here:
        if (folder / EXAMPLE / "src").is_dir():
            return folder / EXAMPLE
    raise AppNotFoundError(
        "the example app is not part of an installed package",
        where="agi demo",
        remedy=f"Name its folder: `agi demo --app PATH/TO/{EXAMPLE.name}`",
    )


def _play_snippet(session: Session, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="agi-demo-") as folder:
        program = str(Path(folder) / f"run_{name.removesuffix('_project')}.py")
        _type(session, "Have a program written.", "snippet", "run", name, "--file", program)
        _announce(session, "It is an honest program: anyone can run it.", ["python", program])
        execute_program(session, program)


def _type(session: Session, remark: str, *args: str) -> None:
    """Do a command as if a person had typed it."""
    _announce(session, remark, ["agi", *args])
    execute(args, session)


def _announce(session: Session, remark: str, command: Sequence[str]) -> None:
    session.write(f"\n# {remark}\n$ {shlex.join(command)}\n")


def execute_program(session: Session, program: str, *, timeout: float = PROGRAM_TIMEOUT) -> None:
    """Run a Python program and pass on what it prints.

    Args:
        session: Where its output goes.
        program: The file.
        timeout: Seconds after which it is killed with its children.

    Raises:
        RunFailedError: It did not end well, or not in time.
    """
    with subprocess.Popen(
        [sys.executable, program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        alarm = threading.Timer(timeout, _kill, [process])
        alarm.start()
        try:
            for line in process.stdout or ():
                session.write(line)
            code = process.wait()
        finally:
            alarm.cancel()
            _kill(process)
    if code:
        raise RunFailedError(f"the program ended with code {code}", where=program)


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _latest_two(session: Session, name: str) -> tuple[Run, Run]:
    with session.client() as client:
        last, before = client.list_runs(app=name, page_size=2).items
        return client.get_run(last.id), client.get_run(before.id)
