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
from agi_env.runtime.journal import JOURNAL_FILE, Recovered, scan
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec

_PROGRAM = HostProgram((*TALK, "agi_daemon.runs.on_host.directories"))
VERDICT_FILE = "verdict.json"
"""How the daemon settled a run that no runner settled; on this machine alone."""

_DEADLINE_S = 300.0
_BATCH_BYTES = 16 * 1024 * 1024
"""How much is read at once, unless one run alone has more."""
_MOST_OUTPUT = 1024 * 1024 * 1024


@frozen
class FoundRun:
    """What the directory of one run holds."""

    run_id: str
    host: str
    spec: bytes
    plan: bytes
    journal: bytes
    verdict: bytes
    """Each is empty where there is no such file."""

    def read_spec(self) -> RunSpec:
        """The spec.

        Raises:
            StateUnreadableError: It is damaged or of a newer version.
        """
        return RunSpec.from_json(self.spec)

    def read_plan(self) -> RunPlan:
        """The plan.

        Raises:
            StateUnreadableError: It is damaged or of a newer version.
        """
        return RunPlan.from_json(self.plan)

    def read_journal(self) -> Recovered:
        """The journal up to its first damage."""
        return scan(self.journal)


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
            yield _unpacked(name, transport.host, files)


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


def _unpacked(name: str, host: str, files: Mapping[str, str]) -> FoundRun:
    contents = (
        zlib.decompress(base64.b64decode(files[file])) if file in files else b""
        for file in (SPEC_FILE, PLAN_FILE, JOURNAL_FILE, VERDICT_FILE)
    )
    return FoundRun(name, host, *contents)
