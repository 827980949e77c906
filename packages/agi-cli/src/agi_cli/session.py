"""What a command works with: where it writes, and how it reaches the daemon."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TextIO

import typer

from agi_cli.inert_json import inert
from agi_cli.options import Format
from agi_env.foreign_text import printable_lines

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from agi_cluster.client.sync import Client


class Connect(Protocol):
    """Opens a client of the daemon."""

    def __call__(self, *, start_daemon: bool) -> AbstractContextManager[Client]:
        """A client to use in a ``with`` block.

        Args:
            start_daemon: Whether to start the daemon of the default address where none runs. If
                not, and none runs, the first call fails at once.
        """
        ...


def connect(*, start_daemon: bool) -> AbstractContextManager[Client]:
    """A client of the daemon that ``AGI_ADDRESS``, or this user's state directory, names."""
    # gRPC costs more than all the rest of the command line: `agi --help` must not pay for it.
    from agi_cluster.client.deadlines import DEFAULT, Deadlines  # noqa: PLC0415
    from agi_cluster.client.sync import Client  # noqa: PLC0415

    deadlines = DEFAULT if start_daemon else Deadlines(answer=0)
    return Client(start_daemon=start_daemon, deadlines=deadlines)


@dataclass(frozen=True, slots=True)
class Session:
    """The surroundings of one command.

    Attributes:
        out: Results, and nothing else.
        err: Progress, questions and errors.
        connect: How the daemon is reached.
        answers: What a person types when asked, or what a pipe brings.
    """

    out: TextIO
    err: TextIO
    connect: Connect = connect
    answers: TextIO = field(default_factory=lambda: sys.stdin)

    def client(self, *, start_daemon: bool = True) -> AbstractContextManager[Client]:
        """A client to use in a ``with`` block; see `Connect`."""
        return self.connect(start_daemon=start_daemon)

    def show(self, form: Format, value: object, view: Callable[[], RenderableType]) -> None:
        """Write a result: its JSON, or what people see of it.

        Args:
            form: Which of the two.
            value: A resource, or a `Listing` of resources.
            view: Makes what people see.
        """
        if form is Format.JSON:
            from agi_cli.output import json_text  # noqa: PLC0415 - loads the wire's code

            self.write_json(json_text(value))
        else:
            self.print(view())

    def print(self, content: RenderableType) -> None:
        """Write what people see; no blanks at the ends of lines where it is no terminal."""
        target = console(self.out)
        if target.is_terminal:
            target.print(content, crop=False)
            return
        with target.capture() as capture:
            target.print(content, crop=False)
        self.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))

    def write(self, text: str) -> None:
        """Write exactly this text as a result."""
        self.out.write(text)
        self.out.flush()

    def write_json(self, text: str) -> None:
        """Write a JSON text as a result, nothing in it that a terminal would act on."""
        self.write(inert(text) + "\n")

    def say(self, line: str) -> None:
        """Tell people something that is no result; it may quote a host."""
        self.err.write(printable_lines(line) + "\n")
        self.err.flush()

    @property
    def interactive(self) -> bool:
        """Somebody is there to be asked."""
        return self.answers.isatty() and self.err.isatty()

    def ask(self, question: str) -> str:
        """What a person answers to a question, in a line."""
        self.err.write(f"{question} ")
        self.err.flush()
        return self.answers.readline().strip()


def console(stream: TextIO) -> Console:
    """A rich console on a stream; where it is no terminal, lines are as long as they need to be."""
    # A tenth of a second that JSON does not need.
    from agi_cli.safe_console import SafeConsole  # noqa: PLC0415

    width = None if stream.isatty() else 1000
    return SafeConsole(file=stream, width=width, markup=False, highlight=False, emoji=False)


def session_of(context: typer.Context) -> Session:
    """The session of a command."""
    session = context.obj
    assert isinstance(session, Session)
    return session
