"""A plan as text: what was written is read as it was, and what is wrong is named with its line."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_cli.plan_text.reading import edits_between, read
from agi_cli.plan_text.written import written
from agi_cluster.model.plan import Plan, PlannedPartition, PlanSlot
from agi_cluster.model.plan_edit import Move, Pin, Unpin
from agi_env.errors import PlanInvalidError
from agi_env.mode import Mode

HOSTS = ["a", "a", "b"]
PLAN = Plan(
    id="p",
    revision=3,
    etag="3-abc",
    app="toy_project",
    mode=Mode.CLUSTER,
    scheduler="a",
    slots=tuple(PlanSlot(index=i, host=host, cores=1) for i, host in enumerate(HOSTS)),
    partition_count=3,
    total_weight=3,
    predicted_finish=1,
    lower_bound=1,
    selection_digest="",
    settings_digest="",
    digest="",
    create_time=datetime(2026, 1, 2, tzinfo=UTC),
)


def planned(name: str, slot: int = 0, *, pinned: bool = False, label: str = "") -> PlannedPartition:
    return PlannedPartition(
        index=0,
        id=name,
        label=label or name,
        weight=1.5,
        payload=None,
        slot=slot,
        host=HOSTS[slot],
        pinned=pinned,
    )


texts = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8)
partitions = st.dictionaries(
    texts | st.sampled_from(["*", "# x", "[a/0]", "etag 1", '"', "a  # b", " "]),
    st.tuples(st.integers(0, 2), st.booleans(), texts),
    max_size=6,
)


@given(partitions)
def test_what_is_written_is_read_as_it_was(places):
    each = [planned(n, s, pinned=pin, label=text) for n, (s, pin, text) in places.items()]
    edited = read(written(PLAN, each), PLAN, "file")
    assert (edited.etag, edited.revision) == ("3-abc", 3)
    assert edited.places == {name: (slot, pin) for name, (slot, pin, _) in places.items()}
    assert edits_between({one.id: one for one in each}, edited, "file") == ()


def test_a_text_asks_for_moves_and_pins():
    before = [planned("x"), planned("y", 1, pinned=True), planned("a b")]
    text = 'etag 3-abc\n[a/1]\n  x  # 1.5\n y\n# a remark\n[b/0]\n* "a b"\n'
    edits = edits_between({one.id: one for one in before}, read(text, PLAN, "f"), "f")
    assert edits == (
        Move(partitions=("x",), slot=1),
        Move(partitions=("a b",), slot=2),
        Pin(partitions=("a b",)),
        Unpin(partitions=("y",)),
    )


def test_a_line_that_is_removed_leaves_its_partition():
    before = {"x": planned("x"), "y": planned("y")}
    assert edits_between(before, read("etag 3-abc\n[a/0]\nx\n", PLAN, "f"), "f") == ()


def test_only_some_slots_are_written():
    slots = [PlanSlot(index=i, host=h, cores=1, partition_count=2) for i, h in enumerate(HOSTS)]
    text = written(attrs.evolve(PLAN, slots=tuple(slots)), [planned("x", 1)], [1])
    assert text.count("2 partitions not shown; they stay") == 2
    assert read(text, PLAN, "f").places == {"x": (1, False)}


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("etag e\n[a/0]\nx\nx\n", "f:4", "'x' is there twice"),
        ("etag e\n[c/0]\n", "f:2", "[c/0] is no slot of the plan"),
        ("etag e\n[a/0\n", "f:2", "is no slot of the plan"),
        ("etag e\nx\n", "f:2", "'x' is above the first slot"),
        ('etag e\n[a/0]\n"x\n', "f:3", "does not end"),
        ("etag e\n[a/0]\nx y\n", "f:3", "'x y' is no partition"),
        ("[a/0]\nx\n", "f", "the line with the etag is missing"),
        ("", "f", "the line with the etag is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, where, what):
    with pytest.raises(PlanInvalidError) as wrong:
        read(text, PLAN, "f")
    assert wrong.value.where == where
    assert what in wrong.value.what


def test_an_id_that_is_none_is_refused():
    edited = read("etag 3-abc\n[a/0]\nz\n", PLAN, "f")
    with pytest.raises(PlanInvalidError, match="no partition 'z'"):
        edits_between({"x": planned("x")}, edited, "f")
