"""A command for another machine: one line for its login shell, and the place its output begins."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Self

from attrs import frozen

from agi_env.errors import RefusedError

LINE_BYTES = 128 * 1024 - 1
"""The longest line that Linux gives to a shell (MAX_ARG_STRLEN, without the closing zero)."""

NOISE_BYTES = 4096
"""How much is remembered of what a login shell prints before the command starts."""

_SCRIPT = (
    'printf "\\n%s %s\\n" "$0" "$$"; unset PYTHONPATH PYTHONHOME; '
    'until [ "$1" = -- ]; do export "$1"; shift; done; shift; exec "$@"'
)
_SPECIAL = re.compile(r"([\\'!])")
_ENVIRONMENT = {"UV_PYTHON_DOWNLOADS": "never"}


@frozen
class SshCommand:
    """A command as it is sent.

    Attributes:
        line: What the login shell is given. It replaces itself by ``sh``, which tells the mark and
            its process id and replaces itself by the command: the id is that of its group.
        mark: What nobody can have printed before.
    """

    line: bytes
    mark: str

    @classmethod
    def of(cls, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Self:
        """The command of these arguments, with these variables over the login's own.

        Raises:
            RefusedError: It cannot be written as one line of a shell.
        """
        mark = f"agi-{secrets.token_hex(12)}"
        variables = [f"{name}={value}" for name, value in {**_ENVIRONMENT, **(env or {})}.items()]
        words = ["sh", "-c", _SCRIPT, mark, *variables, "--", *argv]
        line = f"exec {' '.join(map(quoted, words))}".encode(errors="surrogateescape")
        if b"\0" in line or len(line) > LINE_BYTES:
            fault = "has a zero byte" if b"\0" in line else f"is longer than {LINE_BYTES} bytes"
            raise RefusedError(f"{argv[0]} cannot be started: its command line {fault}")
        return cls(line, mark)


def quoted(word: str) -> str:
    r"""The word as login shells of all kinds read it back.

    ``shlex.quote`` is for POSIX shells. Between single quotes fish gives a meaning to backslashes,
    csh one to ``!``; outside of them a backslash makes both plain, everywhere. Only a newline has
    no spelling that csh shares with the others.
    """
    parts = _SPECIAL.split(word)
    pieces = [f"\\{part}" if at % 2 else f"'{part}'" for at, part in enumerate(parts)]
    return "".join(piece for piece in pieces if piece != "''") or "''"


class Opening:
    """Waits for the mark in a command's output; what comes before it is noise.

    Attributes:
        pid: The process group of the command, once the mark was seen.
        noise: The first `NOISE_BYTES` of what came before.
    """

    def __init__(self, mark: str) -> None:
        self._mark = re.compile(rb"\n" + mark.encode() + rb" ([0-9]+)\n")
        self._overlap = len(mark) + 32
        self._recent = b""
        self.pid = 0
        self.noise = b""

    def feed(self, data: bytes) -> bytes:
        """Take output; give back what is the command's own."""
        if self.pid:
            return data
        recent = self._recent + data
        found = self._mark.search(recent)
        self._remember(recent[len(self._recent) : found.start() if found else None], found)
        if found is None:
            self._recent = recent[-self._overlap :]
            return b""
        self.pid = int(found[1])
        return recent[found.end() :]

    def _remember(self, noise: bytes, found: re.Match[bytes] | None) -> None:
        whole = self.noise + noise
        if found and found.start() < len(self._recent):  # part of the mark came before
            whole = whole[: len(whole) - (len(self._recent) - found.start())]
        self.noise = whole[:NOISE_BYTES]


def not_started(command: SshCommand, code: int, errors: bytes) -> str:
    """Why the command could not be started, in the shell's words; empty when it could.

    It is the shell that writes to standard error under the name of the mark.
    """
    if code not in {2, 126, 127}:
        return ""
    prefix = f"{command.mark}: ".encode()
    said = [line for line in errors.splitlines() if line.startswith(prefix)]
    return said[-1].rpartition(b": ")[2].decode(errors="replace") if said else ""
