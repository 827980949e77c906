"""What holds of every run, whatever was done to it: each invariant yields what breaks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agi_cluster.model.event import Event
from agi_cluster.model.run import PartitionState, RunState
from agi_env.errors import AgiError, AppError
from harness.evidence import Evidence
from harness.figures import Breach, Violation
from harness.workload import Job, sha256_of

Broken = Iterator[tuple[Breach, str]]
Invariant = Callable[[Evidence], Broken]


def violations(evidence: Evidence) -> list[Violation]:
    """All that is broken about one run."""
    return [
        Violation(breach, evidence.run.id, f"{invariant.__name__}: {what}")
        for invariant in INVARIANTS
        for breach, what in invariant(evidence)
    ]


def settled_once(evidence: Evidence) -> Broken:
    """The run is settled, once; it fails only if that is the truth about what was done to it."""
    state = evidence.run.state
    if not state.settled:
        yield Breach.LOST, f"it is {state.value}"
    told = [event.data["state"] for event in evidence.events if event.kind == "settled"]
    if told != [state.value]:
        yield Breach.UNTRUE, f"it is {state.value}, and was told to be settled as {told}"
    error = evidence.run.error
    if state is RunState.FAILED and not evidence.explained and not _cut_off_in_stop(error):
        yield Breach.FAILED, f"{error.code if error else ''} {error}"
    if state is RunState.CANCELLED and not evidence.order.cancelled:
        yield Breach.FAILED, "it was cancelled, and nobody asked for that"


def _cut_off_in_stop(error: AgiError | None) -> bool:
    """Whether an executor was killed in ``stop()``: what that was about to do nobody can repeat."""
    return isinstance(error, AppError) and "SIGKILL during stop()" in error.what


def journal_whole(evidence: Evidence) -> Broken:
    """The journal has no damage, ends with the one settlement, and says what the store says."""
    found, state = evidence.journal, evidence.run.state
    if found.dropped_bytes:
        yield Breach.LOST, f"{found.dropped_bytes} bytes of its journal: {found.reason}"
    ends = [record for record in found.records if record.kind == "settled"]
    wanted = 0 if evidence.settled_by_daemon else 1
    if found.records and (len(ends) != wanted or (ends and found.records[-1] is not ends[0])):
        yield Breach.UNTRUE, f"{len(ends)} settlements in a journal of {len(found.records)}"
    if not found.records and not evidence.settled_by_daemon:
        yield Breach.LOST, f"it is {state.value} and has no journal"
    if ends and ends[-1].data["state"] != state.value:
        yield Breach.UNTRUE, f"the journal says {ends[-1].data['state']}, the store {state.value}"
    epochs = [record.epoch for record in found.records]
    if epochs != sorted(epochs):
        yield Breach.UNTRUE, f"an older runner wrote after a younger: {epochs}"


def events_complete(evidence: Evidence) -> Broken:
    """Events are numbered without gaps, for old watches and new; the journal is in them once."""
    numbers = [event.sequence for event in evidence.events]
    if numbers != list(range(1, len(numbers) + 1)):
        yield Breach.LOST, f"events are numbered {numbers}"
    told = evidence.order.told  # the watch may tell some of what follows the settlement
    if told != numbers[: len(told)] or len(told) < _end(evidence.events):
        yield Breach.LOST, f"the watch told {told} of {len(numbers)} events"
    written = [record.kind for record in evidence.journal.records]
    # What a runner wrote that the daemon gave up is not waited for.
    if evidence.copied != written[: len(evidence.copied) if evidence.settled_by_daemon else None]:
        breach = Breach.DUPLICATED if len(evidence.copied) > len(written) else Breach.LOST
        yield breach, f"{written} of the journal became the events {evidence.copied}"


def _end(events: Sequence[Event]) -> int:
    """How many events there are up to the settlement; later ones tell of clearing up."""
    return next((event.sequence for event in events if event.kind == "settled"), len(events))


def partitions_counted_once(evidence: Evidence) -> Broken:
    """Every partition of a run that succeeded has exactly one result, everywhere the same."""
    if evidence.run.state is not RunState.SUCCEEDED:
        return
    wanted = evidence.order.job.partition_ids
    for breach, found, who in _counts(evidence):
        if found != wanted:
            yield breach, f"{who} has {len(found)} of {len(wanted)} partitions"
    entries = {entry["id"]: entry for entry in evidence.manifest.get("partitions", [])}
    for name in wanted & entries.keys():
        accepted, entry = evidence.accepted.get(name, []), entries[name]
        if len(accepted) != 1:
            yield Breach.DUPLICATED, f"{name} has {len(accepted)} accepted results"
        elif accepted[0]["sha256"] != entry["sha256"]:
            yield Breach.UNTRUE, f"the manifest has another result of {name} than the journal"
    if evidence.run.progress.succeeded != len(wanted):
        yield Breach.UNTRUE, f"the progress says {evidence.run.progress}"


def _counts(evidence: Evidence) -> Iterator[tuple[Breach, set[str], str]]:
    done = {each.id for each in evidence.partitions if each.state is PartitionState.SUCCEEDED}
    entries = evidence.manifest.get("partitions", [])
    yield Breach.LOST, {name for name, found in evidence.accepted.items() if found}, "the journal"
    yield Breach.LOST, done, "the store"
    yield Breach.LOST, {entry["id"] for entry in entries}, "the manifest"
    if len(entries) != len({entry["id"] for entry in entries}):
        yield Breach.DUPLICATED, set(), "the manifest with repetitions"


def published_whole(evidence: Evidence) -> Broken:
    """What succeeded is published with all its files and digests; nothing else is."""
    published, state = evidence.published, evidence.run.state
    if state is not RunState.SUCCEEDED:
        if published is not None:
            yield Breach.UNTRUE, f"it is {state.value} and published as {published}"
        kept = evidence.run.paths.kept
        if evidence.work_area is not None and Path(kept) != evidence.work_area:
            yield Breach.HALF_PUBLISHED, f"{evidence.work_area} is left; kept is {kept!r}"
        return
    if published is None or evidence.manifest.get("run_id") != evidence.run.id:
        yield Breach.HALF_PUBLISHED, f"no manifest in {published}"
        return
    if evidence.work_area is not None:
        yield Breach.HALF_PUBLISHED, f"its work area is left: {evidence.work_area}"
    for entry in evidence.manifest["partitions"]:
        yield from _entry_whole(evidence, published, entry)


def _entry_whole(evidence: Evidence, published: Path, entry: Mapping[str, Any]) -> Broken:
    name, value = entry["id"], evidence.results.get(entry["id"])
    if sha256_of(json.dumps(value).encode("ascii")) != entry["sha256"]:
        yield Breach.UNTRUE, f"the published value of {name} does not match its digest"
    number = int(name[1:])
    job: Job = evidence.order.job
    for file in entry["files"]:
        path = published / entry["directory"] / file["path"]
        index = int(path.stem.removeprefix("file-"))
        if not path.exists() or path.read_bytes() != job.content(number, index):
            yield Breach.HALF_PUBLISHED, f"{path} is not what was written"


def totals_right(evidence: Evidence) -> Broken:
    """What ``reduce`` returned is what an undisturbed run returns."""
    if evidence.run.state is not RunState.SUCCEEDED or evidence.published is None:
        return
    total = evidence.order.job.total
    stored = json.loads((evidence.published / "result.json").read_bytes())
    if not evidence.run.result == stored == total:
        yield Breach.UNTRUE, f"{evidence.run.result} and {stored}, not {total}"


INVARIANTS: tuple[Invariant, ...] = (
    settled_once,
    journal_whole,
    events_complete,
    partitions_counted_once,
    published_whole,
    totals_right,
)
