"""What a host has, asked in one round trip, and what of that will not do, judged purely."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen
from packaging.specifiers import SpecifierSet

from agi_cluster.model.diagnosis import Rung
from agi_cluster.text import byte_count, duration
from agi_daemon.doctor.catalogue import finding, finding_of
from agi_daemon.doctor.ladder import Seen
from agi_daemon.doctor.on_host import SURVEY
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import (
    DiskFullError,
    PythonMismatchError,
    StateUnwritableError,
    UvMissingError,
)

ROOM_BYTES = 2 * 1024**3
"""Free bytes below which a host is said to be low on disk: usual dependencies take 1 GiB."""

SKEW_S = 5.0
"""Seconds that a clock may be wrong without being mentioned; nothing of ours compares clocks
finer, and a run's certificates are backdated by a day."""

OLDEST_PYTHON = ">=3.11"

_COMMAND_S = 2.0
_FULL = {"ENOSPC", "EDQUOT"}


@frozen(kw_only=True)
class Survey:
    """What a host said.

    Attributes:
        host: The host.
        python: The version of its Python.
        python_path: Where that is.
        uv: The path of its uv; empty for none.
        uv_says: What uv says its version is; empty where it does not run.
        compiler: The path of its C compiler; empty for none.
        place: The folder of ours there, or the nearest one that exists.
        free: Bytes that are free there.
        total: Bytes of that file system.
        fault: The name of the error that writing there met, such as ``EROFS``; empty for none.
        words: That error in words.
        skew: Seconds by which its clock is ahead, as far as that is certain.
    """

    host: str
    python: str = ""
    python_path: str = ""
    uv: str = ""
    uv_says: str = ""
    compiler: str = ""
    place: str = ""
    free: int = 0
    total: int = 0
    fault: str = ""
    words: str = ""
    skew: float = 0.0

    @classmethod
    def from_json(
        cls, host: str, answer: Mapping[str, Any], *, asked: float, answered: float
    ) -> Self:
        """What a host answered.

        Args:
            host: The host.
            answer: What it said.
            asked: When it was asked, by the manager's clock.
            answered: When its answer was here.
        """
        names = ("python", "python_path", "uv", "uv_says", "compiler")
        facts = {name: answer[name] for name in names}
        clock = answer["clock"]
        skew = clock - min(max(clock, asked), answered)
        return cls(host=host, **facts, **answer["disk"], skew=skew)


async def ask(transport: HostTransport, *, deadline_s: float) -> Survey:
    """Have a host look at itself.

    Raises:
        AgiError: It cannot be asked.
    """
    asked = time.time()
    answer = await SURVEY.ask(transport, {"limit_s": _COMMAND_S}, deadline_s=deadline_s)
    return Survey.from_json(transport.host, answer, asked=asked, answered=time.time())


def python_seen(survey: Survey, requires: str = "") -> Seen:
    """Whether its Python is one that the app, or at least the runtime, takes."""
    evidence = f"{survey.python} at {survey.python_path}"
    for wanted in filter(None, (requires, OLDEST_PYTHON)):
        if not SpecifierSet(wanted).contains(survey.python, prereleases=True):
            error = PythonMismatchError(f"Python {evidence} does not satisfy {wanted}")
            return Seen(evidence, (finding_of(error, survey.host, Rung.PYTHON),))
    return Seen(evidence)


def uv_seen(survey: Survey) -> Seen:
    """Whether it has a uv that runs."""
    if survey.uv_says:
        return Seen(f"{survey.uv_says} at {survey.uv}")
    what = f"{survey.uv} does not run" if survey.uv else "there is no uv on the login's PATH"
    return Seen(what, (finding_of(UvMissingError(what), survey.host, Rung.UV),))


def disk_seen(survey: Survey) -> Seen:
    """Whether our files can be written, and how much room there is."""
    evidence = f"{byte_count(survey.free)} of {byte_count(survey.total)} free at {survey.place}"
    if survey.fault in _FULL:
        full = DiskFullError(f"no space is left at {survey.place}: {evidence}")
        return Seen(evidence, (finding_of(full, survey.host, Rung.DISK),))
    if survey.fault:
        reason = (survey.words or "it does not answer").lower()
        unwritable = StateUnwritableError(f"{survey.place} cannot be written: {reason}")
        return Seen(evidence, (finding_of(unwritable, survey.host, Rung.DISK),))
    if survey.free < ROOM_BYTES:
        return Seen(evidence, (finding("DISK_LOW", survey.host, f"only {evidence}"),))
    return Seen(evidence)


def clock_seen(survey: Survey) -> Seen:
    """Whether its clock is near the manager's."""
    if abs(survey.skew) <= SKEW_S:
        return Seen("as the manager's")
    side = "ahead of" if survey.skew > 0 else "behind"
    evidence = f"{duration(abs(survey.skew))} {side} the manager's"
    return Seen(evidence, (finding("CLOCK_SKEW", survey.host, f"the clock is {evidence}"),))


def compiler_seen(survey: Survey, *, needed: bool) -> Seen:
    """Whether there is a C compiler, which only compiled workers need."""
    if survey.compiler:
        return Seen(survey.compiler)
    if not needed:
        return Seen("none, and none is needed without cython", skipped=True)
    what = "there is no C compiler, and the settings enable cython"
    return Seen(what, (finding("COMPILER_MISSING", survey.host, what),))
