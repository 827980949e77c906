"""Edits, whatever their sequence: every partition is in exactly one place, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_edit import Move, Pin, Rebalance, Swap, Undo, Unpin
from agi_cluster.model.requests import CreatePlan
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution, resolve
from agi_daemon.apps.slots import slots_of
from agi_daemon.planning import place, place_store, plan_store
from agi_daemon.planning.carried import Carried
from agi_daemon.planning.diff import compare_revisions
from agi_daemon.planning.draft import draft, empty_slots
from agi_daemon.planning.editor import Editor
from agi_daemon.planning.named import Named
from agi_daemon.planning.seats import pins_on_seats, seats_of
from agi_daemon.planning.speeds import Speeds
from agi_daemon.store.migrations import migrate
from agi_env.app import App
from agi_env.errors import PlanInvalidError
from agi_env.mode import Mode
from agi_env.runtime.partition_block import BLOCK
from agi_env.runtime.partitions import Partition
from agi_env.settings import Settings

ODD_IDS = ["a b", "a\nb", "'\"#", "é", "plans/x@1", "0", "-1", " ", "*", "\\", "\t", "p" * 512]
COUNT = BLOCK + 40
NAMES = [*ODD_IDS, *(f"p{number}" for number in range(COUNT - len(ODD_IDS)))]
PARTITIONS = [
    Partition(name, f"P {name}", float(number % 7), {"n": number})
    for number, name in enumerate(NAMES)
]
# Those at the ends of blocks, and some.
names = st.sampled_from([*ODD_IDS, *NAMES[30:34], NAMES[BLOCK - 1], NAMES[BLOCK], NAMES[-1]])


def slots_on(workers: dict[str, int], mode: Mode) -> Resolution:
    """A call with these hosts, of two cores a slot."""
    selection = Selection(scheduler="a", workers=workers, cores_per_slot=2)
    local = resolve(
        App(Path("/apps/toy_project")), Settings(), cores_of=lambda _: 2, mode=Mode.PLAIN
    )
    slots = slots_of(selection, mode, lambda _: 2)
    return attrs.evolve(local, mode=mode, selection=selection, slots=slots)


def made(connection: sqlite3.Connection, partitions: list[Partition], workers: Any) -> Plan:
    """Store a plan of two executors a slot."""
    call = slots_on(workers, Mode.POOL | Mode.CLUSTER)
    named, slots = Named.of(partitions), empty_slots(call.slots, Speeds())
    seats = seats_of(slots)
    placement = place(named.weights, [seat for seat, _ in seats])
    new = draft(CreatePlan(app="toy"), call, named, seats=seats, slots=slots, placement=placement)
    plan_store.insert(connection, new)
    return new.plan


def edited(connection: sqlite3.Connection, plan: Plan, *edits: Any) -> Plan:
    """Store a revision."""
    editor = Editor(connection, plan)
    for edit in edits:
        if isinstance(edit, Rebalance):
            seats = seats_of(plan.slots)
            fixed = pins_on_seats(editor.pins, editor.weights, seats)
            without = frozenset(edit.without)
            placement = place(editor.weights, [seat for seat, _ in seats], fixed, without)
            editor.take(placement, seats, edit.without)
        else:
            editor.apply(edit)
    revision = editor.revision()
    plan_store.insert_revision(connection, revision)
    return revision.plan


def places(connection: sqlite3.Connection, plan: Plan) -> dict[str, tuple[int, bool]]:
    """Slot and pin of every partition, as a list of them tells."""
    found = plan_store.page_of_partitions(connection, plan, start=0, limit=plan.partition_count)
    assert len(found) == len({each.id for each in found}) == plan.partition_count
    return {each.id: (each.slot, each.pinned) for each in found}


class Edits(RuleBasedStateMachine):
    """A plan that is edited, beside a dictionary that is edited likewise."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = sqlite3.connect(":memory:")
        self.connection.row_factory = sqlite3.Row
        migrate(self.connection)
        self.revisions: list[dict[str, tuple[int, bool]]] = []

    @initialize()
    def make(self) -> None:
        self.plan = made(self.connection, PARTITIONS, {"a": 2, "b": 1})
        self.known = places(self.connection, self.plan)
        self.revisions.append(dict(self.known))

    @rule(which=st.lists(names, min_size=1, max_size=4), slot=st.integers(0, 2))
    def move(self, which: list[str], slot: int) -> None:
        self.known |= {name: (slot, self.known[name][1]) for name in which}
        self.edit(Move(partitions=tuple(which), slot=slot))

    @rule(first=names, second=names)
    def swap(self, first: str, second: str) -> None:
        (one, pin), (other, other_pin) = self.known[first], self.known[second]
        self.known[first], self.known[second] = (other, pin), (one, other_pin)
        if first == second:
            self.known[first] = (one, pin)
        self.edit(Swap(first=first, second=second))

    @rule(which=st.lists(names, min_size=1, max_size=4), pinned=st.booleans())
    def pin(self, which: list[str], pinned: bool) -> None:
        self.known |= {name: (self.known[name][0], pinned) for name in which}
        kind = Pin if pinned else Unpin
        self.edit(kind(partitions=tuple(which)))

    @rule()
    def unpin_all(self) -> None:
        self.known = {name: (slot, False) for name, (slot, _) in self.known.items()}
        self.edit(Unpin())

    @rule(without=st.sampled_from([(), ("b",)]))
    def rebalance(self, without: tuple[str, ...]) -> None:
        pins = {name: slot for name, (slot, pinned) in self.known.items() if pinned}
        if without and 2 in pins.values():
            return
        self.edit(Rebalance(without=without))
        now = places(self.connection, self.plan)
        assert {name: slot for name, (slot, pinned) in now.items() if pinned} == pins
        assert not without or 2 not in {slot for slot, _ in now.values()}
        self.known = now
        self.revisions[-1] = dict(now)

    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(1, len(self.revisions)))
        self.known = dict(self.revisions[number - 1])
        earlier = plan_store.find(self.connection, self.plan.id, number)
        self.edit(Undo(revision=number))
        assert self.plan.digest == earlier.digest
        assert self.plan.slots == earlier.slots

    @rule(name=names)
    def several_at_once(self, name: str) -> None:
        self.known[name] = (1, True)
        self.edit(Move(partitions=(name,), slot=1), Pin(partitions=(name,)))

    @rule(name=names)
    def a_bad_one_changes_nothing(self, name: str) -> None:
        bad = (Move(partitions=(name, "none"), slot=0), Move(partitions=(name,), slot=3))
        for edit in (*bad, Undo(revision=len(self.revisions) + 1), Swap(first=name, second="")):
            with pytest.raises(PlanInvalidError):
                edited(self.connection, self.plan, Move(partitions=(name,), slot=1), edit)

    @precondition(lambda self: self.revisions)
    @rule(data=st.data())
    def differences_are_those_of_the_dictionaries(self, data: st.DataObject) -> None:
        numbers = st.integers(1, len(self.revisions))
        one, other = data.draw(numbers), data.draw(numbers)
        before, after = (
            plan_store.find(self.connection, self.plan.id, number) for number in (one, other)
        )
        diff = compare_revisions(self.connection, before, after, COUNT)
        assert {
            each.id: (each.before, each.after, each.pinned_before, each.pinned_after)
            for each in diff.moved
        } == {
            name: (self.name(old[0]), self.name(new[0]), old[1], new[1])
            for name, old in self.revisions[one - 1].items()
            if (new := self.revisions[other - 1][name]) != old
        }

    @precondition(lambda self: self.revisions)
    @invariant()
    def every_partition_is_in_exactly_one_place(self) -> None:
        assert places(self.connection, self.plan) == self.known
        content = plan_store.load_content(self.connection, self.plan.id, None)
        assert list(content.partitions) == PARTITIONS
        assert list(content.assignment) == [self.known[name][0] for name in NAMES]

    @precondition(lambda self: self.revisions)
    @invariant()
    def what_the_slots_say_is_true(self) -> None:
        for slot in self.plan.slots:
            held = [each.weight for each in PARTITIONS if self.known[each.id][0] == slot.index]
            assert slot.partition_count == len(held)
            assert slot.load == pytest.approx(sum(held))
            assert slot.predicted_finish >= slot.load / slot.executors * (1 - 1e-9)
            assert slot.predicted_finish <= slot.load / slot.executors + max(held, default=0.0)
        assert self.plan.pinned_count == sum(pinned for _, pinned in self.known.values())

    def edit(self, *edits: Any) -> None:
        before = self.plan
        self.plan = edited(self.connection, before, *edits)
        self.revisions.append(dict(self.known))
        assert self.plan.revision == before.revision + 1 == len(self.revisions)
        assert self.plan.etag != before.etag
        assert self.plan.change
        assert plan_store.find(self.connection, before.id, before.revision) == before

    def name(self, slot: int) -> str:
        return self.plan.slot_names[slot]

    def teardown(self) -> None:
        if self.revisions:
            for number, known in enumerate(self.revisions, start=1):
                plan = plan_store.find(self.connection, self.plan.id, number)
                assert places(self.connection, plan) == known
        self.connection.close()


TestEdits = Edits.TestCase
TestEdits.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)


@pytest.fixture
def connection() -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.row_factory = sqlite3.Row
        migrate(connection)
        yield connection


def test_an_edit_writes_only_the_blocks_that_it_changes(connection: sqlite3.Connection) -> None:
    plan = made(connection, PARTITIONS, {"a": 2})
    count = "SELECT count(*) FROM plan_places"
    before = connection.execute(count).fetchone()[0]
    slot = 1 - places(connection, plan)[NAMES[-1]][0]
    edited(connection, plan, Move(partitions=(NAMES[-1],), slot=slot))
    assert connection.execute(count).fetchone()[0] == before + 1


def test_undo_goes_back_step_by_step(connection: sqlite3.Connection) -> None:
    plan = first = made(connection, PARTITIONS[:20], {"a": 2})
    for slot in (0, 1, 0):
        plan = edited(connection, plan, Move(partitions=("0",), slot=slot))
    shown = []
    for _ in range(3):
        plan = edited(connection, plan, Undo())
        shown.append(plan.change)
    assert shown == ["back to revision 3", "back to revision 2", "back to revision 1"]
    assert plan.digest == first.digest
    with pytest.raises(PlanInvalidError, match="no revision 0"):
        edited(connection, plan, Undo())


def test_pins_and_moves_by_hand_are_carried_to_a_fresh_plan(connection: sqlite3.Connection) -> None:
    plan = made(connection, PARTITIONS[:20], {"a": 2, "b": 1})
    plan = edited(connection, plan, Move(partitions=("é",), slot=0), Rebalance())
    place_of = places(connection, plan)
    slots = {name: (place_of[name][0] + 1) % 3 for name in ("0", "*", "'\"#")}
    plan = edited(
        connection,
        plan,
        *(Move(partitions=(name,), slot=slot) for name, slot in slots.items()),
        Pin(partitions=("*",)),
    )
    carried = Carried.of(connection, plan)
    moved = {name: plan.slot_names[slot] for name, slot in slots.items()}
    assert carried.pinned == {"*": moved["*"]}
    assert carried.moved == {name: moved[name] for name in ("0", "'\"#")}
    assert carried.plan == plan.name

    fewer = Named.of([each for each in PARTITIONS[:20] if each.id != "0"])
    call = empty_slots(
        slots_on({"0-new": 1, "a": 2, "b": 1}, Mode.CLUSTER).slots,
        Speeds(),
    )
    fixed, pins = carried.onto(fewer, call)
    names_now = {0: "0-new/0", 1: "a/0", 2: "a/1", 3: "b/0"}
    ids = [each.id for each in PARTITIONS[:20] if each.id != "0"]
    assert {ids[position]: names_now[slot] for position, slot in pins.items()} == carried.pinned
    assert {ids[position]: names_now[slot] for position, slot in fixed.items()} == {
        "'\"#": moved["'\"#"]
    }
    assert carried.words(len(fixed), len(pins)).endswith("1 moves and 1 pins kept, 1 dropped")


def test_the_digest_is_that_of_the_places(connection: sqlite3.Connection) -> None:
    plan = made(connection, PARTITIONS, {"a": 2})
    pinned = edited(connection, plan, Pin(partitions=("0",)))
    assert pinned.digest == plan.digest
    assert place_store.pins(connection, plan.id, 2) == [NAMES.index("0")]
    assert place_store.pins(connection, plan.id, 1) == []
