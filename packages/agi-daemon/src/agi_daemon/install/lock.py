"""The locked dependencies of an app's role: resolved once, for every platform, and kept.

A lock is a file of pip's requirements format with hashes, made by ``uv pip compile``. It is made
anew only when what is declared has changed, or for an upgrade.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import field, frozen
from packaging.requirements import InvalidRequirement, Requirement
from uv import find_uv_bin

from agi_daemon.install.credentials import masked
from agi_daemon.install.declarations import Declarations
from agi_daemon.transport.child_process import run_child
from agi_env.atomic_file import write_atomically
from agi_env.errors import HostCommandTimeoutError, LockFailedError
from agi_env.paths import lock_path, private_directory

ROLES = ("manager", "worker")

_DEADLINE_S = 600.0
_INPUT, _OUTPUT = "requirements.in", "lock.txt"
_HEADER = "# agi.lock.v1 declarations="
_UNREACHABLE = re.compile(r"Failed to fetch|error sending request|network was disabled|dns error")


@frozen
class LockEntry:
    """One locked requirement.

    Attributes:
        requirement: Name, version and marker.
        hashes: Those of all its files, as ``sha256:...``.
    """

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name and version, for people: a URL is left out, it may hold a password."""
        return f"{self.requirement.name}{self.requirement.specifier}"

    @property
    def line(self) -> str:
        """The entry for a requirements file, free of its marker."""
        bare = Requirement(str(self.requirement))
        bare.marker = None
        return " ".join([str(bare), *(f"--hash={value}" for value in self.hashes)])


@frozen
class Lock:
    """A lock as it is kept."""

    text: str
    entries: tuple[LockEntry, ...] = field(eq=False)

    @property
    def digest(self) -> str:
        """Digest of what is locked."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Lock:
        """The lock with this text, its header left out.

        Raises:
            LockFailedError: It is not a lock.
        """
        body = "\n".join(line for line in text.splitlines() if line and line[0] != "#")
        logical = body.replace("\\\n", " ").splitlines()
        return cls(body, tuple(_entry(line) for line in logical if line.strip()))


class LockFiles:
    """The locks of all apps, as ``<state>/locks/<app>/<role>[+<extra>...].txt``.

    The first lock with extras begins from the one without, so that both choose the same versions.

    Args:
        state: The state directory.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._parsed: dict[str, Lock] = {}

    async def ensure(
        self,
        app: str,
        role: str,
        declarations: Declarations,
        *,
        runtime_wheel: Path,
        upgrade: bool = False,
    ) -> Lock:
        """The lock for these declarations: the one that is kept, or a new one.

        Args:
            app: The app's full name.
            role: ``manager`` or ``worker``; roles that declare the same share their lock.
            declarations: What is to be locked.
            runtime_wheel: A wheel of ``agi_env``, whose metadata the resolver reads.
            upgrade: Choose the newest versions, whatever is locked.

        Raises:
            LockFailedError: There is no solution, or the index cannot be reached.
        """
        path, *kin = self._paths(app, role, declarations)
        text = None if upgrade else _first_kept([path, *kin], declarations.digest)
        if text is None:
            earlier = _text(path) or _text(lock_path(self._state, app, role))
            body = await _compile(declarations, runtime_wheel, earlier, upgrade)
            text = f"{_HEADER}{declarations.digest}\n{body}"
            for other in kin:  # a role that declares the same must go on sharing the lock
                if _first_kept([other], declarations.digest) is not None:
                    await self._keep(other, text)
        await self._keep(path, text)
        return self._parse(text)

    def kept(self, app: str, role: str, declarations: Declarations) -> Lock | None:
        """The lock for these declarations that is kept; None where one would have to be made."""
        text = _first_kept(self._paths(app, role, declarations), declarations.digest)
        return None if text is None else self._parse(text)

    def _paths(self, app: str, role: str, declarations: Declarations) -> list[Path]:
        """Where a lock is, and where one of another role that declares the same would be.

        Each set of extras has a lock of its own, so that modes in turn do not undo theirs.
        """
        names = ["+".join([each, *declarations.extras]) for each in (role, *ROLES)]
        return [lock_path(self._state, app, name) for name in names]

    async def _keep(self, path: Path, text: str) -> None:
        if _text(path) != text:
            private_directory(path.parent)
            await asyncio.to_thread(write_atomically, path, text.encode())

    def _parse(self, text: str) -> Lock:
        if text not in self._parsed:
            self._parsed[text] = Lock.parse(text)
        return self._parsed[text]


def _first_kept(paths: Sequence[Path], digest: str) -> str | None:
    texts = map(_text, paths)
    return next((text for text in texts if text.startswith(f"{_HEADER}{digest}\n")), None)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


async def _compile(wanted: Declarations, runtime: Path, earlier: str, upgrade: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="agi-lock-") as scratch:
        folder = Path(scratch)
        await asyncio.to_thread(_prepare, folder, wanted.to_requirements(runtime), earlier)
        argv = _command(wanted, upgrade)
        try:
            done = await run_child(argv, deadline_s=_DEADLINE_S, cwd=folder)
        except HostCommandTimeoutError as error:
            raise LockFailedError(error.what, where=wanted.source) from error
        if done.returncode:
            raise _refused(done.stderr.decode(errors="replace"), wanted.source)
        return _text(folder / _OUTPUT)


def _prepare(folder: Path, requirements: str, earlier: str) -> None:
    (folder / _INPUT).write_text(requirements)
    (folder / _OUTPUT).write_text(earlier)  # what was locked is kept where it still fits


def _command(wanted: Declarations, upgrade: bool) -> list[str]:
    options = ["--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    if upgrade:
        options.append("--upgrade")
    return [
        find_uv_bin(),
        "pip",
        "compile",
        _INPUT,
        f"--output-file={_OUTPUT}",
        "--no-emit-package=agi-env",
        f"--python={sys.executable}",
        f"--python-version={wanted.lowest_python()}",
        *options,
    ]


def _refused(stderr: str, where: str) -> LockFailedError:
    offline = _UNREACHABLE.search(stderr) is not None
    remedy = "See that the package index can be reached, then install again" if offline else ""
    return LockFailedError(decisive_line(stderr), where=where, remedy=remedy)


def decisive_line(stderr: str) -> str:
    """The line of uv's complaint that names the fault: its reasoning, or else its last cause."""
    said = _statements(masked(stderr))
    lines = [re.sub(r"^(error|cause|\W)[:\s]\s*", "", s) for s in said]
    reasons = [line for line in lines if line.startswith("Because ")]
    fetches = [line for line in lines if line.startswith("Failed to fetch")]
    if fetches:
        return f"{fetches[0]} ({lines[-1]})"
    return (reasons or lines or ["uv said nothing"])[0]


def _statements(stderr: str) -> Sequence[str]:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("hint:", "warning:"))]
    return kept or lines


def _entry(line: str) -> LockEntry:
    requirement, *hashes = re.split(r"\s+--hash=", line.strip())
    try:
        return LockEntry(Requirement(requirement), tuple(sorted(h.strip() for h in hashes)))
    except InvalidRequirement as error:
        fault = f"{requirement!r} is no locked requirement: {error}"
        raise LockFailedError(masked(fault)) from error
