"""A program of ours that a host's own Python executes: sent each time, left nowhere.

It is a few modules of this package, sent over standard input and executed in order; nothing of
ours has to be on the host. So they use the standard library and each other alone, and are written
for Python 3.8, that a host whose Python is too old can say so. After the modules, standard input
carries one JSON line, the request, and then whatever bytes it announces; standard output carries
JSON lines, the last of which is the answer, or ``{"error": {"code", "metadata"}}``.
"""

from __future__ import annotations

import json
import marshal
import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources
from importlib.util import MAGIC_NUMBER
from typing import Any

from attrs import frozen

from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import AgiError, PythonMissingError, RefusedError, error_from

_IN_THE_APP = ("APP_IMPORT_FAILED", "COMPILE_FAILED")
"""Errors of the app's own sources: where they are is the same on every host."""

_ANY_PYTHON = 2
"""The version of marshal's format that every Python 3 reads."""

_NOT_STARTED = (126, 127)
"""How a shell ends that cannot start a command."""

START = """
import marshal, sys
from _frozen_importlib_external import MAGIC_NUMBER
stream = sys.stdin.buffer
magic, modules = marshal.loads(stream.read(int(stream.readline())))
for name, source, code in modules:
    module = sys.modules[name] = type(sys)(name)
    known = magic == MAGIC_NUMBER
    exec(marshal.loads(code) if known else compile(source, name, "exec"), module.__dict__)
module.main(stream)
"""
"""What the host's Python is started with: it reads the modules and executes them.

They come compiled for a Python like the manager's, and as sources for any other.
"""


@frozen
class HostProgram:
    """A program, by its modules.

    Attributes:
        modules: Their full names, each before those that import it; the last has ``main(stream)``.
    """

    modules: tuple[str, ...]

    @property
    def sources(self) -> bytes:
        """The modules, as the first bytes of its standard input, after a line with their number."""
        return _sources(self.modules)

    def prelude(self, transport: HostTransport, request: Mapping[str, Any]) -> bytes:
        """What goes first into its standard input; it is told of the host's root and uv too."""
        place = {"root": str(transport.root), "uv": transport.uv}
        return self.sources + json.dumps({**place, **request}).encode() + b"\n"

    async def ask(
        self,
        transport: HostTransport,
        request: Mapping[str, Any],
        *,
        deadline_s: float,
        idle_s: float | None = None,
    ) -> dict[str, Any]:
        """Have it executed on a host, and return its answer.

        Args:
            transport: The way to the host.
            request: What it is asked.
            deadline_s: Seconds that it may take.
            idle_s: Seconds that it may be silent; none for no limit.

        Raises:
            AgiError: The host cannot be asked, or the program's own answer is an error.
        """
        done = await transport.run(
            command(transport),
            stdin=self.prelude(transport, request),
            deadline_s=deadline_s,
            idle_s=idle_s,
        )
        return answer_of(done, transport.host)


def command(transport: HostTransport) -> list[str]:
    """The host's Python, waiting for a program."""
    return [transport.python or sys.executable, "-I", "-S", "-c", START]


def answer_of(done: Completed, host: str, silent: type[AgiError] = RefusedError) -> dict[str, Any]:
    """What a program that has ended answered.

    Args:
        done: How it ended.
        host: Where.
        silent: What to raise where it gave no answer.

    Raises:
        AgiError: It gave no answer, or the answer is an error.
    """
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        kind = PythonMissingError if done.returncode in _NOT_STARTED else silent
        raise kind(_last_words(done), where=host, metadata={"host": host})
    answer = _object(lines[-1])
    if answer is None:
        raise silent("its answer cannot be read", where=host, metadata={"host": host})
    if "error" in answer:
        raise _located(answer["error"], host)
    return answer


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@cache
def source_of(module: str) -> str:
    """The text of a module of this package, by its full name."""
    package, _, name = module.rpartition(".")
    return resources.files(package).joinpath(f"{name}.py").read_text()


@cache
def _sources(modules: tuple[str, ...]) -> bytes:
    found = [(module, source_of(module), _compiled(module)) for module in modules]
    sent = marshal.dumps((MAGIC_NUMBER, found), _ANY_PYTHON)
    return b"%d\n" % len(sent) + sent


def _compiled(module: str) -> bytes:
    return marshal.dumps(compile(source_of(module), module, "exec", dont_inherit=True))


def _located(error: Mapping[str, Any], host: str) -> AgiError:
    facts = error["metadata"]
    where = facts["where"] if error["code"] in _IN_THE_APP else _on(host, facts["where"])
    return error_from(error["code"], {**facts, "where": where, "host": host})


def _on(host: str, where: str) -> str:
    return f"{host}:{where}" if where else host


def _last_words(done: Completed) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"Python ended with {done.returncode}: {lines[-1] if lines else 'it said nothing'}"
