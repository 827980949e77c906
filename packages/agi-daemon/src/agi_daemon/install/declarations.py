"""What an app and its runtime declare to need, as the input of a lock."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from attrs import field, frozen
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from agi_daemon.install.credentials import masked
from agi_daemon.install.release import digest_of
from agi_env.errors import LockFailedError

_OURS = {"agi-env", "agi-cluster", "agi-daemon", "agi-cli"}
_OLDEST_MINOR, _NEWEST_MINOR = 11, 40


def _without_ours(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({line for line in lines if _name(line) not in _OURS}))


def _name(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9._-]+)", line)
    return canonicalize_name(match[1]) if match else line


@frozen
class Declarations:
    """What is to be locked.

    Attributes:
        dependencies: The app's requirement lines. Our own packages are left out of them: they
            come with every build, and other people's packages have their names on the index.
        runtime: The requirement lines of ``agi_env``.
        extras: Extras of ``agi_env`` that the modes need.
        requires_python: The versions of Python that the app takes.
        source: The file that declares the app's, for messages.
    """

    dependencies: tuple[str, ...] = field(converter=_without_ours)
    runtime: tuple[str, ...]
    extras: tuple[str, ...] = ()
    requires_python: str = ""
    source: str = ""

    @property
    def digest(self) -> str:
        """Equal for declarations that lock alike."""
        return digest_of(
            [self.dependencies, self.runtime, self.extras, self.requires_python, "lock.v1"]
        )

    def lowest_python(self) -> str:
        """The oldest Python to lock for, such as ``3.11``.

        Raises:
            LockFailedError: ``requires-python`` cannot be read, or takes none that we run on.
        """
        try:
            accepted = SpecifierSet(self.requires_python)
        except InvalidSpecifier as error:
            raise LockFailedError(f"requires-python: {error}", where=self.source) from error
        for minor in range(_OLDEST_MINOR, _NEWEST_MINOR):
            if accepted.contains(f"3.{minor}") or accepted.contains(f"3.{minor}.99"):
                return f"3.{minor}"
        raise LockFailedError(
            f"requires-python {self.requires_python!r} takes no Python from 3.11 on",
            where=self.source,
        )

    def to_requirements(self, runtime_wheel: Path) -> str:
        """The input of the resolver, in which ``agi_env`` is this wheel.

        Raises:
            LockFailedError: A dependency is not written as one.
        """
        for line in self.dependencies:
            _check(line, self.source)
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        ours = f"agi-env{extras} @ {runtime_wheel.resolve().as_uri()}"
        return "\n".join([*self.dependencies, ours, ""])


def _check(line: str, source: str) -> None:
    try:
        Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        fault = masked(f"{line!r} is no dependency: {reason}")
        raise LockFailedError(fault, where=source) from error
