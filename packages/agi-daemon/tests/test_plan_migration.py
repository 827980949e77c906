"""Plans of earlier versions: found, listed, executed and edited as before."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from contextlib import closing

from agi_cluster.model.plan_edit import Move, Pin
from agi_daemon.planning import place, plan_store
from agi_daemon.planning.editor import Editor
from agi_daemon.planning.seats import seats_of
from agi_daemon.store.migrations import available, migrate

COUNT = 1500
BODY = {
    "id": "old",
    "revision": 1,
    "etag": "0123456789abcdef",
    "app": "toy_project",
    "mode": 1,
    "scheduler": "127.0.0.1",
    "slots": [
        {"index": i, "host": "127.0.0.1", "cores": 2, "speed": 2.0, "load": 750.0}
        | {"partition_count": 750, "predicted_finish": 375.0}
        for i in (0, 1)
    ],
    "partition_count": COUNT,
    "total_weight": 1500.0,
    "predicted_finish": 375.0,
    "lower_bound": 375.0,
    "selection_digest": "s",
    "settings_digest": "d",
    "digest": "p",
    "create_time": "2026-01-02T03:04:05+00:00",
    "args": {},
    "findings": [{"code": "ONE_HOST", "message": "m", "suggestion": ""}],
}


def old_store(connection: sqlite3.Connection) -> None:
    """A store as it was before plans could be edited, with one plan."""
    for number, sql in available():
        if number < 4:
            connection.executescript(f"{sql}\nPRAGMA user_version = {number};")
    connection.execute("INSERT INTO plans (id, app, latest) VALUES ('old', 'toy_project', 1)")
    slots = array("I", [position % 2 for position in range(COUNT)])
    connection.execute(
        "INSERT INTO plan_revisions VALUES ('old', 1, ?, ?)",
        (json.dumps(BODY), zlib.compress(slots.tobytes())),
    )
    for block, start in enumerate(range(0, COUNT, 1000)):
        names = [f"p{position}" for position in range(start, min(start + 1000, COUNT))]
        columns = {"id": names, "label": names, "weight": [1.0] * len(names)}
        packed = zlib.compress(json.dumps({**columns, "payload": [None] * len(names)}).encode())
        connection.execute("INSERT INTO plan_blocks VALUES ('old', ?, ?)", (block, packed))


def test_a_plan_of_an_earlier_version_is_carried_over_and_edited() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        old_store(connection)
        migrate(connection)

        plan = plan_store.find(connection, "old", None)
        assert (plan.revision, plan.etag, plan.slot_count) == (1, BODY["etag"], 2)
        assert [slot.load for slot in plan.slots] == [750.0, 750.0]
        content = plan_store.load_content(connection, "old", None)
        assert list(content.assignment) == [position % 2 for position in range(COUNT)]
        assert content.partitions[-1].id == "p1499"
        assert plan_store.origin(connection, "old") is None
        assert plan_store.revision_of_etag(connection, "old", plan.etag) == 1

        editor = Editor(connection, plan)
        editor.apply(Move(partitions=("p0", "p1498"), slot=1))
        editor.apply(Pin(partitions=("p1498",)))
        seats = seats_of(plan.slots)
        fixed = dict(editor.pins)
        editor.take(place(editor.weights, [seat for seat, _ in seats], fixed), seats, ())
        plan_store.insert_revision(connection, editor.revision())
        (last,) = plan_store.page_of_partitions(
            connection, plan_store.find(connection, "old", None), start=1498, limit=1
        )
        assert (last.slot, last.pinned) == (1, True)
        heads, _ = plan_store.page(connection, limit=5, token="", app="")
        assert [(head.revision, head.slots, head.slot_count) for head in heads] == [(2, (), 2)]
