"""How an install goes and how it ends, on each host and as a whole."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import PurePosixPath

from attrs import frozen

from agi_daemon.install.host_agent import HostFacts
from agi_daemon.install.release import Release
from agi_env.errors import AgiError


class Phase(Enum):
    """What an install has just done."""

    RESOLVED = "RESOLVED"
    CHECKED = "CHECKED"
    COLLECTING = "COLLECTING"
    SHIPPING = "SHIPPING"
    REALISING = "REALISING"
    REPEATED = "REPEATED"
    READY = "READY"
    UNCHANGED = "UNCHANGED"
    FAILED = "FAILED"


@frozen
class Progress:
    """One step of an install, reported after its side effect.

    Attributes:
        phase: What was done.
        host: Where; empty for what concerns all hosts.
        detail: More in words, such as the step of a build.
        wheels: File names of the wheels that are meant.
        size_bytes: Their size together.
        changed: Inputs that differ from the release that was installed last.
    """

    phase: Phase
    host: str = ""
    detail: str = ""
    wheels: tuple[str, ...] = ()
    size_bytes: int = 0
    changed: tuple[str, ...] = ()


Report = Callable[[Progress], None]


@frozen
class Build:
    """A release realised on a host."""

    host: str
    digest: str
    path: PurePosixPath

    @property
    def python(self) -> PurePosixPath:
        """The interpreter to run it with."""
        return self.path / "bin" / "python"


@frozen
class HostOutcome:
    """How an install ended on one host.

    Attributes:
        host: The host.
        build: The build that is there now; none if it failed.
        facts: What the host says about itself; none if it could not be asked.
        unchanged: The build was there before.
        drift: The file because of which a build was made anew.
        shipped: File names of the wheels that were sent.
        shipped_bytes: Their size together.
        seconds: How long it took.
        error: Why it failed; none if it did not.
    """

    host: str
    build: Build | None = None
    facts: HostFacts | None = None
    unchanged: bool = False
    drift: str = ""
    shipped: tuple[str, ...] = ()
    shipped_bytes: int = 0
    seconds: float = 0.0
    error: AgiError | None = None


@frozen
class Installed:
    """How an install ended.

    Attributes:
        release: What was installed.
        changed: Inputs that differ from the release installed before; empty for a first install.
        hosts: The outcome on each host, in the order given.
    """

    release: Release
    changed: tuple[str, ...]
    hosts: tuple[HostOutcome, ...]

    @property
    def unchanged(self) -> bool:
        """There was nothing to do anywhere."""
        return all(outcome.unchanged for outcome in self.hosts)

    @property
    def error(self) -> AgiError | None:
        """The first host's error, in the order given; none if all are ready."""
        return next((outcome.error for outcome in self.hosts if outcome.error), None)
