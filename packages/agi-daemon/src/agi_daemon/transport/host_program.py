"""A program of ours that a host's own Python executes: sent each time, left nowhere.

It is a few modules of this package, sent over standard input and executed in order; nothing of
ours has to be on the host. So they use the standard library and each other alone, and are written
for Python 3.8, that a host whose Python is too old can say so. After the modules, standard input
carries one JSON line, the request, and then whatever bytes it announces; standard output carries
JSON lines, the last of which is the answer, or ``{"error": {"code", "metadata"}}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from attrs import frozen

from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import AgiError, PythonMissingError, RefusedError, error_from

_NOT_STARTED = (126, 127)
"""How a shell ends that cannot start a command."""

START = """
import json, sys
stream = sys.stdin.buffer
for name, source in json.loads(stream.readline()):
    module = sys.modules[name] = type(sys)(name)
    exec(compile(source, name, "exec"), module.__dict__)
module.main(stream)
"""
"""What the host's Python is started with: it reads the modules and executes them."""


@frozen
class HostProgram:
    """A program, by its modules.

    Attributes:
        modules: Their full names, each before those that import it; the last has ``main(stream)``.
    """

    modules: tuple[str, ...]

    @property
    def sources(self) -> bytes:
        """The modules, as the first line of its standard input."""
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
    answer: dict[str, Any] = json.loads(lines[-1])
    if "error" in answer:
        raise _located(answer["error"], host)
    return answer


@cache
def _sources(modules: tuple[str, ...]) -> bytes:
    found = []
    for module in modules:
        package, _, name = module.rpartition(".")
        found.append((module, resources.files(package).joinpath(f"{name}.py").read_text()))
    return json.dumps(found).encode() + b"\n"


def _located(error: Mapping[str, Any], host: str) -> AgiError:
    facts = error["metadata"]
    where = facts["where"] if error["code"] == "APP_IMPORT_FAILED" else _on(host, facts["where"])
    return error_from(error["code"], {**facts, "where": where, "host": host})


def _on(host: str, where: str) -> str:
    return f"{host}:{where}" if where else host


def _last_words(done: Completed) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return f"Python ended with {done.returncode}: {lines[-1] if lines else 'it said nothing'}"
