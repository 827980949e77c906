"""Events in words: whatever a run tells is a line for a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from agi_cluster.model.event import Event
from agi_cluster.narration import KINDS, line_of

KILLED = {"kind": "killed", "exit_code": None, "detail": "it was killed", "log_tail": ""}
LINES = {
    "worker_gone": ({"slot": 1, "cause": KILLED}, "slot 1: its worker has ended: it was killed"),
    "slot_lost": (
        {"slot": 0, "reason": "its lease expired", "cause": {"kind": "lease_expired"}},
        "slot 0: lost: its lease expired",
    ),
    "slot_joined": ({"slot": 2, "lease": "1.1", "worker": "tls://a"}, "slot 2: a worker is there"),
    "runner_moved": (
        {"from": "node1", "to": "node2", "reason": "no answer"},
        "the scheduler moves from node1 to node2: no answer",
    ),
    "hosts_uncleared": ({"hosts": ["node1", "node2"]}, "to be cleared up on node1, node2"),
    "host_cleared": ({"host": "node1"}, "node1: nothing of the run is left there"),
}


def told(kind: str, data: dict[str, Any]) -> str:
    return line_of(Event(sequence=1, time=datetime(2026, 1, 2, tzinfo=UTC), kind=kind, data=data))


@pytest.mark.parametrize("kind", LINES)
def test_what_befalls_slots_and_hosts_is_a_sentence(kind: str) -> None:
    data, line = LINES[kind]
    assert told(kind, data) == line


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_facts_that_an_older_daemon_does_not_send_are_missed_by_nobody(kind: str) -> None:
    assert "{" not in told(kind, {})


def test_a_kind_of_a_newer_daemon_is_named_with_its_facts() -> None:
    assert told("slot_painted", {"slot": 1}) == "slot painted slot=1"
