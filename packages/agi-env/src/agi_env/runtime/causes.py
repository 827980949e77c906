"""Why an executor, a worker or a slot ended and why a partition failed, as typed facts."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class EndKind(StrEnum):
    """How an executor ended, a worker, or the use of a slot."""

    STOPPED = "stopped"
    """It was asked to stop, and did."""
    EXIT = "exit"
    """It left on its own with an exit code."""
    SIGNAL = "signal"
    """A signal ended it."""
    OOM = "oom"
    """The kernel killed it because memory ran out."""
    TIMEOUT = "timeout"
    """We killed it because a deadline passed."""
    KILLED = "killed"
    """We killed it because the run was ended."""
    NOT_STARTED = "not_started"
    """No process came into being."""
    LOST = "lost"
    """Its worker was lost, and nothing is known of it any more."""
    DISCONNECTED = "disconnected"
    """The connection to its worker broke: the worker died, or the link did."""
    LEASE_EXPIRED = "lease_expired"
    """Its worker was silent for longer than its lease."""
    FENCED = "fenced"
    """Its worker was told that the slot, or the run, is another's now."""
    HOST_UNREACHABLE = "host_unreachable"
    """Its host does not answer, which says nothing of what runs there."""
    DRAINED = "drained"
    """Somebody wants nothing more to be done on its host."""


class FailureKind(StrEnum):
    """How a partition, or the app around it, failed."""

    EXCEPTION = "exception"
    EXIT = "exit"
    SIGNAL = "signal"
    OOM = "oom"
    TIMEOUT = "timeout"
    IMPORT = "import"
    CLASS_MISSING = "class_missing"
    WORK_MISSING = "work_missing"
    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    NO_ROOM = "no_room"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class EndCause:
    """Why an executor ended, a worker, or the use of a slot.

    Attributes:
        kind: How it ended.
        exit_code: Its exit code, where it exited.
        signal: The number of the signal, where one ended it.
        detail: In words, what the kind leaves open.
        log_tail: The last lines that it printed.
    """

    kind: EndKind
    exit_code: int | None = None
    signal: int | None = None
    detail: str = ""
    log_tail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The cause as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> EndCause:
        """Read what ``to_dict`` gave."""
        return cls(**{**facts, "kind": EndKind(facts["kind"])})

    @property
    def from_outside(self) -> bool:
        """Whether it says nothing against the app's own code."""
        return self.kind in (EndKind.SIGNAL, EndKind.OOM, EndKind.LOST)

    @property
    def words(self) -> str:
        """The cause in a few words: ``was ended by SIGSEGV``."""
        if self.kind in _WORDS:
            return _WORDS[self.kind]
        if self.signal is not None:
            return f"was ended by {_signal_name(self.signal)}"
        if self.exit_code is not None:
            return f"exited with code {self.exit_code}"
        return self.detail or str(self.kind)


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Why a partition, an executor's start, ``reduce`` or ``stop`` failed.

    Attributes:
        kind: How it failed.
        message: One line.
        traceback: The traceback from the app's own first frame on, where there is one.
        log_tail: The last lines that the executor printed.
        exit_code: The executor's exit code, where it left on its own.
        signal: The number of the signal that ended the executor.
        deaths: How many executors the partition has ended so far.
        quarantined: Whether it is attempted no more because of these.
    """

    kind: FailureKind
    message: str
    traceback: str = ""
    log_tail: str = ""
    exit_code: int | None = None
    signal: int | None = None
    deaths: int = 0
    quarantined: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The cause as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> FailureCause:
        """Read what ``to_dict`` gave."""
        return cls(
            kind=FailureKind(facts["kind"]),
            message=str(facts["message"]),
            traceback=str(facts.get("traceback", "")),
            log_tail=str(facts.get("log_tail", "")),
            exit_code=facts.get("exit_code"),
            signal=facts.get("signal"),
            deaths=int(facts.get("deaths", 0)),
            quarantined=bool(facts.get("quarantined")),
        )

    @classmethod
    def of_end(
        cls, end: EndCause, during: str, deaths: int = 0, *, quarantined: bool = False
    ) -> FailureCause:
        """The failure of what executors were doing when they ended, so many times by now."""
        kind = _FAILURE_OF_END.get(end.kind, FailureKind.KILLED)
        again = f", {deaths} times" if quarantined and deaths > 1 else ""
        last = ": it is quarantined" if quarantined else ""
        return cls(
            kind,
            f"the executor {end.words} during {during}{again}{last}",
            log_tail=end.log_tail,
            exit_code=end.exit_code,
            signal=end.signal,
            deaths=deaths,
            quarantined=quarantined,
        )


_WORDS = {
    EndKind.OOM: "was ended by the kernel because memory ran out",
    EndKind.TIMEOUT: "was killed because it took too long",
    EndKind.KILLED: "was killed",
    EndKind.LOST: "was lost with its worker",
    EndKind.DRAINED: "was ended because its host is drained",
}
_FAILURE_OF_END = {
    EndKind.EXIT: FailureKind.EXIT,
    EndKind.SIGNAL: FailureKind.SIGNAL,
    EndKind.OOM: FailureKind.OOM,
    EndKind.TIMEOUT: FailureKind.TIMEOUT,
}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
