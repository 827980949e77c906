"""What hosts tell of runs when a store is rebuilt: lies are left, with their reason."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pytest
from attrs import evolve, frozen

from agi_cluster.model.plan import Plan
from agi_cluster.model.run import Run, RunProgress, RunState
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.events import Events
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.runs import run_store
from agi_daemon.runs.directories import VERDICT_FILE, FoundRun
from agi_daemon.runs.order import order_of
from agi_daemon.runs.rebuild import Rebuild
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.restorable import verdict_of
from agi_daemon.runs.run_directory import python_of
from agi_daemon.runs.run_keys import RunKeys
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import StateUnreadableError
from agi_env.mode import Mode
from agi_env.runtime.journal import JOURNAL_FILE, SETTLED, Record
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec, SlotSpec

NODE, OTHER = "10.0.0.2", "10.0.0.3"
RUN_ID = "toy-20260102-030405-0a1b2c3d"
ROOT = PurePosixPath("/roots")
EVIL = "/mnt/share/.evil"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BEGUN = (Record(seq=1, t=1.0, epoch=1, kind="runner_started", data={"pid": 7, "host": NODE}),)
ENDED = (*BEGUN, Record(2, 2.0, 1, SETTLED, {"state": "SUCCEEDED", "error": None, "kept": None}))

Files = Mapping[str, bytes]


@frozen
class TellingTransport:
    """A host that tells of directories what it was given, true or not."""

    host: str
    told: Mapping[str, Mapping[str, str]]
    python: str = "python3"
    uv: str = "uv"

    @property
    def root(self) -> PurePosixPath:
        """Each host's own."""
        return ROOT / self.host

    async def run(self, _: Sequence[str], *, stdin: bytes = b"", **__: Any) -> Completed:
        """Answer what the program on the host would."""
        listing = b'"op":"list"' in stdin.replace(b" ", b"")
        answer = {"runs": [[name, 1] for name in self.told] if listing else self.told}
        return Completed(0, json.dumps(answer).encode() + b"\n", b"")


@frozen
class TellingHosts:
    """The hosts that are enrolled."""

    told: dict[str, dict[str, dict[str, str]]]
    """By host, the directories."""

    def addresses(self) -> tuple[str, ...]:
        """All of them."""
        return (THIS_MACHINE, NODE, OTHER)

    def transport(self, address: str) -> HostTransport:
        """The way to one."""
        return cast(HostTransport, TellingTransport(address, self.told.get(address, {})))


def build(host: str, name: str = "abc") -> str:
    """The path of a build in its place."""
    return str(ROOT / host / "builds" / name)


def record(scheduler: str = NODE, **changes: Any) -> RunRecord:
    """A run of this daemon with workers here and on two hosts."""
    hosts = (THIS_MACHINE, NODE, OTHER)
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=Mode.CLUSTER,
        modes_enabled=Mode.CLUSTER,
        selection=Selection(scheduler=scheduler, workers=dict.fromkeys(hosts, 1)),
        slots=tuple(SlotSpec(index, host) for index, host in enumerate(hosts)),
        args={},
        data_in="/share/in",
        data_out="/share/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id=RUN_ID,
        app="toy_project",
        mode=Mode.CLUSTER,
        state=RunState.RUNNING,
        create_time=NOW,
        plan="plans/toy-1@1",
        plan_digest="p",
        release="r",
        progress=RunProgress(total=1, weight_total=1.0),
    )
    builds = {host: build(host) for host in hosts}
    made = RunRecord(
        number=7, run=run, resolution=resolution, builds=builds, manager_build=build(THIS_MACHINE)
    )
    return evolve(made, **changes)


def directory(
    of: RunRecord, journal: Sequence[Record] = BEGUN, run_id: str = RUN_ID
) -> dict[str, bytes]:
    """The files with the runner of a run."""
    plan = Plan(
        id="toy-1",
        revision=1,
        etag="e",
        app="toy_project",
        mode=Mode.CLUSTER,
        scheduler=NODE,
        slots=(),
        partition_count=1,
        total_weight=1.0,
        predicted_finish=1.0,
        lower_bound=1.0,
        selection_digest="s",
        settings_digest="d",
        digest="p",
        create_time=NOW,
    )
    spec = RunSpec(
        run_id=run_id,
        app="toy_project",
        target="toy",
        mode=int(Mode.CLUSTER),
        data_in="/share/in",
        data_out="/share/out",
        build=build(NODE),
        release="r",
        plan_digest="p",
        slots=of.resolution.slots,
        order=order_of(of, plan),
    )
    content = RunPlan("toy-1", 1, (Partition.of(id="p1"),), (0,))
    files = {SPEC_FILE: spec.to_json().encode(), PLAN_FILE: content.to_json().encode()}
    lines = b"".join(each.to_line() for each in journal)
    return {**files, JOURNAL_FILE: lines} if lines else files


def packed(files: Files) -> dict[str, str]:
    """As they come from a host."""
    return {name: base64.b64encode(zlib.compress(data)).decode() for name, data in files.items()}


class Rebuilding:
    """A store that is rebuilt from what hosts tell."""

    def __init__(self, store: Store, keys: RunKeys) -> None:
        self.store = store
        self.keys = keys
        self.told: dict[str, dict[str, dict[str, str]]] = {}

    def tell(self, host: str, files: Files, name: str = RUN_ID) -> None:
        """Have a host tell of a directory."""
        self.told.setdefault(host, {})[name] = packed(files)

    async def outcome(self, name: str = RUN_ID) -> tuple[dict[str, int], str]:
        """How many directories came to what, and why this one was left."""
        hosts = cast(Hosts, TellingHosts(self.told))
        done = (await Rebuild(self.store, Events(self.store), hosts, self.keys).take_in()).to_dict()
        reasons = done.pop("reasons")
        return {name: count for name, count in done.items() if count}, reasons.get(name, "")

    @property
    def unsettled(self) -> list[RunRecord]:
        """What the next daemon would take up."""
        return list(self.store.read(run_store.unsettled))


@pytest.fixture
def rebuilding(tmp_path: Path) -> Iterator[Rebuilding]:
    """An empty store, and the keys of the run."""
    store, keys = Store.open(tmp_path / "store.sqlite3"), RunKeys(tmp_path / "keys")
    keys.ensure(RUN_ID)
    yield Rebuilding(store, keys)
    store.close()


@pytest.mark.parametrize("journal", [(), BEGUN], ids=["not begun", "begun"])
async def test_a_run_of_ours_is_adopted(rebuilding: Rebuilding, journal: Sequence[Record]) -> None:
    rebuilding.tell(NODE, directory(record(), journal))
    assert await rebuilding.outcome() == ({"adopted": 1}, "")
    assert [each.runner_host for each in rebuilding.unsettled] == [NODE]


@pytest.mark.parametrize("target", [OTHER, THIS_MACHINE])
async def test_a_run_whose_runner_was_moved_is_adopted_where_it_went(
    rebuilding: Rebuilding, target: str
) -> None:
    later = Record(2, 2.0, 2, "runner_started", {"pid": 8, "host": target})
    rebuilding.tell(NODE, directory(record()))
    rebuilding.tell(target, directory(record(moved_to=target), (*BEGUN, later)))
    assert await rebuilding.outcome() == ({"adopted": 1}, "")
    assert [each.runner_host for each in rebuilding.unsettled] == [target]


async def test_a_run_that_this_machine_tells_needs_no_keys(rebuilding: Rebuilding) -> None:
    """They are no proof for its own user, and its builds may be of another state directory."""
    rebuilding.keys.forget(RUN_ID)
    here = record("localhost", builds={THIS_MACHINE: "/old/state/host/builds/abc"})
    rebuilding.tell(THIS_MACHINE, directory(here))
    assert await rebuilding.outcome() == ({"adopted": 1}, "")


async def test_a_settled_run_of_another_daemon_is_taken_in_and_runs_nothing(
    rebuilding: Rebuilding,
) -> None:
    """What it calls this machine is another one."""
    rebuilding.keys.forget(RUN_ID)
    builds = {THIS_MACHINE: EVIL, NODE: build(NODE)}
    theirs = record(builds=builds, manager_build="/home/bob/.local/state/agi/host/builds/abc")
    rebuilding.tell(NODE, directory(theirs, ENDED))
    assert await rebuilding.outcome() == ({"restored": 1}, "")
    stored = rebuilding.store.read(lambda db: run_store.find(db, RUN_ID))
    here = TellingHosts({}).transport(THIS_MACHINE)
    assert python_of(here, stored) == f"{ROOT}/{THIS_MACHINE}/builds/.evil/bin/python"


@pytest.mark.parametrize("journal", [(), BEGUN], ids=["not begun", "begun"])
async def test_a_run_without_keys_here_is_not_ours(
    rebuilding: Rebuilding, journal: Sequence[Record]
) -> None:
    rebuilding.keys.forget(RUN_ID)
    rebuilding.tell(NODE, directory(record(), journal))
    counts, reason = await rebuilding.outcome()
    assert counts == {"left": 1} and "its keys are not here" in reason
    assert rebuilding.unsettled == []


@pytest.mark.parametrize(
    "path",
    [
        EVIL,
        f"{build(THIS_MACHINE)}/../../../{EVIL}",
        f"{ROOT}/{THIS_MACHINE}/builds/..",
        f"{ROOT}/{THIS_MACHINE}/builds",
        build(THIS_MACHINE, "abc/bin"),
    ],
)
@pytest.mark.parametrize("place", ["worker", "manager"])
async def test_no_build_of_this_machine_is_named_but_ours(
    rebuilding: Rebuilding, path: str, place: str
) -> None:
    builds = {**record().builds, THIS_MACHINE: path}
    lie = record(builds=builds) if place == "worker" else record(manager_build=path)
    rebuilding.tell(NODE, directory(lie))
    counts, reason = await rebuilding.outcome()
    assert counts == {"left": 1} and f"{NODE} names builds that are none of ours: {path}" in reason
    assert rebuilding.unsettled == []


async def test_a_host_names_no_foreign_build_of_a_third(rebuilding: Rebuilding) -> None:
    rebuilding.tell(NODE, directory(record(builds={**record().builds, OTHER: EVIL})))
    counts, reason = await rebuilding.outcome()
    assert counts == {"left": 1} and EVIL in reason


@pytest.mark.parametrize("journal", [BEGUN, ENDED], ids=["living", "settled"])
@pytest.mark.parametrize("runner", [THIS_MACHINE, OTHER])
async def test_a_host_tells_of_no_runner_of_another(
    rebuilding: Rebuilding, journal: Sequence[Record], runner: str
) -> None:
    rebuilding.tell(NODE, directory(record(runner), journal))
    counts, reason = await rebuilding.outcome()
    assert counts == {"left": 1}
    assert f"{NODE} tells it, and its runner is on {runner}" in reason


async def test_a_directory_tells_of_the_run_that_it_is_named_after(rebuilding: Rebuilding) -> None:
    rebuilding.tell(NODE, directory(record()), "toy-2")
    counts, reason = await rebuilding.outcome("toy-2")
    assert counts == {"left": 1} and f"tells of another run, {RUN_ID}" in reason
    rebuilding.told.clear()
    rebuilding.tell(NODE, directory(record(), run_id="toy-3"))
    counts, reason = await rebuilding.outcome()
    assert counts == {"left": 1} and "tells of another run, toy-3" in reason


@pytest.mark.parametrize("name", ["../../keys", ".", "..", "/etc"])
async def test_no_run_is_called_like_a_path(rebuilding: Rebuilding, name: str) -> None:
    lie = record(run=evolve(record().run, id=name))
    rebuilding.tell(NODE, directory(lie, ENDED, run_id=name), name)
    counts, reason = await rebuilding.outcome(name)
    assert counts == {"left": 1} and "a name that no run gets" in reason


async def test_verdicts_are_of_this_machine(rebuilding: Rebuilding) -> None:
    failed = evolve(record(), run=evolve(record().run, state=RunState.FAILED, end_time=NOW))
    rebuilding.tell(NODE, {VERDICT_FILE: verdict_of(failed)})
    counts, reason = await rebuilding.outcome()
    assert "which this machine alone gives" in reason and not counts.get("restored")
    rebuilding.told.clear()
    rebuilding.tell(THIS_MACHINE, {VERDICT_FILE: verdict_of(failed)}, "toy-2")
    assert "tells of another run" in (await rebuilding.outcome("toy-2"))[1]
    rebuilding.told.clear()
    rebuilding.tell(THIS_MACHINE, {VERDICT_FILE: verdict_of(failed)})
    assert await rebuilding.outcome() == ({"restored": 1}, "")


async def test_a_lie_takes_no_run_of_its_host_with_it(rebuilding: Rebuilding) -> None:
    """Nor does a file that is not compressed at all."""
    rebuilding.tell(NODE, directory(record(THIS_MACHINE)), "toy-2")
    rebuilding.tell(NODE, directory(record()), "toy-3")
    rebuilding.told[NODE]["toy-3"][PLAN_FILE] = "bm90IGNvbXByZXNzZWQ="
    rebuilding.told[NODE]["toy-3"][SPEC_FILE] = "bm90IGNvbXByZXNzZWQ="
    rebuilding.tell(NODE, directory(record()))
    counts, reason = await rebuilding.outcome("toy-3")
    assert counts == {"adopted": 1, "left": 2} and "its spec.json came damaged" in reason


def test_what_becomes_too_large_is_refused_before_it_is_there() -> None:
    bomb = packed({PLAN_FILE: b"0" * 10_000_000})
    assert len(bomb[PLAN_FILE]) < 20_000
    found = FoundRun(RUN_ID, NODE, bomb)
    with pytest.raises(StateUnreadableError, match=r"its plan\.json has more than 1000000 bytes"):
        found.content(PLAN_FILE, most_bytes=1_000_000)
    assert len(found.content(PLAN_FILE, most_bytes=10_000_000)) == 10_000_000
    cut = FoundRun(RUN_ID, NODE, {PLAN_FILE: bomb[PLAN_FILE][:4000]})
    with pytest.raises(StateUnreadableError, match="without its end"):
        cut.content(PLAN_FILE)
