"""The directories of runs on a host, as the manager sees them: listed, read, removed."""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from agi_daemon.install.on_host import TALK
from agi_daemon.transport.host_program import HostProgram, answer_of, command
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import StateUnreadableError
from agi_env.runtime.journal import JOURNAL_FILE, Recovered, scan
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec

_PROGRAM = HostProgram((*TALK, "agi_daemon.runs.on_host.directories"))
VERDICT_FILE = "verdict.json"
"""How the daemon settled a run that no runner settled; on this machine alone."""

_DEADLINE_S = 300.0
_BATCH_BYTES = 16 * 1024 * 1024
"""How much is read at once, unless one run alone has more."""
_MOST_OUTPUT = 1024 * 1024 * 1024
MOST_FILE_BYTES = 1024 * 1024 * 1024
"""The most that one file of a run may have: a million partitions take 200 MB of plan, and half a
gigabyte of journal. A few kilobytes of what a host tells could become any size otherwise."""


@frozen
class FoundRun:
    """What the directory of one run holds."""

    run_id: str
    """The directory's name."""
    host: str
    """Who tells it; what it tells is to be believed of its own runs alone."""
    packed: Mapping[str, str]
    """The files that are there, by name, as they came."""

    def has(self, file: str) -> bool:
        """Whether there is such a file."""
        return file in self.packed

    def content(self, file: str, most_bytes: int = MOST_FILE_BYTES) -> bytes:
        """What is in a file; empty where there is none.

        Raises:
            StateUnreadableError: It came damaged, or has more than so many bytes.
        """
        return _inflated(self.packed[file], file, most_bytes) if self.has(file) else b""

    def read_spec(self) -> RunSpec:
        """The spec.

        Raises:
            StateUnreadableError: It is damaged or of a newer version.
        """
        return RunSpec.from_json(self.content(SPEC_FILE))

    def read_plan(self) -> RunPlan:
        """The plan.

        Raises:
            StateUnreadableError: It is damaged or of a newer version.
        """
        return RunPlan.from_json(self.content(PLAN_FILE))

    def read_journal(self) -> Recovered:
        """The journal up to its first damage.

        Raises:
            StateUnreadableError: It came damaged, or is too large.
        """
        return scan(self.content(JOURNAL_FILE))


@frozen
class Removal:
    """What came of removing one directory."""

    bytes: int
    problem: str


async def found_runs(transport: HostTransport) -> AsyncIterator[FoundRun]:
    """Yield what is there of every run that had its runner, or its verdict, on this host.

    Raises:
        AgiError: The host cannot be asked.
    """
    listed = (await _ask(transport, op="list"))["runs"]
    for names in _batches(listed):
        read = (await _ask(transport, op="read", runs=names))["runs"]
        for name, files in read.items():
            yield FoundRun(name, transport.host, files)


async def remove_runs(
    transport: HostTransport, run_ids: Sequence[str], *, dry_run: bool = False
) -> dict[str, Removal]:
    """Remove the directories of settled runs; one that is not there is removed already.

    With ``dry_run`` nothing is removed: it is only said what would be.

    Raises:
        AgiError: The host cannot be asked.
    """
    op = "weigh" if dry_run else "remove"
    outcomes = (await _ask(transport, op=op, runs=list(run_ids)))["runs"]
    return {name: Removal(each["bytes"], each["problem"]) for name, each in outcomes.items()}


async def _ask(transport: HostTransport, **request: Any) -> dict[str, Any]:
    done = await transport.run(
        command(transport),
        stdin=_PROGRAM.prelude(transport, request),
        deadline_s=_DEADLINE_S,
        max_output_bytes=_MOST_OUTPUT,
    )
    return answer_of(done, transport.host)


def _batches(listed: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for name, each in listed:
        if names and size + each > _BATCH_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += each
    if names:
        yield names


def _inflated(packed: str, file: str, most_bytes: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(base64.b64decode(packed), most_bytes)
    except (TypeError, ValueError, zlib.error) as error:
        raise StateUnreadableError(f"its {file} came damaged ({error})") from error
    if stream.unconsumed_tail:
        raise StateUnreadableError(f"its {file} has more than {most_bytes} bytes")
    if not stream.eof:
        raise StateUnreadableError(f"its {file} came without its end")
    return content
