"""What a call means: slots, modes and the settings it leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest

from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import resolve
from agi_daemon.apps.slots import for_mode, slots_of
from agi_env.app import App
from agi_env.errors import SelectionInvalidError, SlotsInvalidError
from agi_env.mode import Mode
from agi_env.settings import Settings

TOY = App(Path("/apps/toy_project"))


def cores_of(host: str) -> int:
    return 8


@pytest.mark.parametrize("slots", [0, -1, "two", True, 1.5])
def test_a_slot_count_is_a_whole_number_of_one_or_more(slots: object) -> None:
    with pytest.raises(SlotsInvalidError, match="h1"):
        Selection(workers={"h1": slots})  # type: ignore[dict-item]


@pytest.mark.parametrize("host", ["-x", "a b", ""])
def test_a_map_names_hosts(host: str) -> None:
    with pytest.raises(SlotsInvalidError, match="is no host"):
        Selection(workers={host: 1})
    assert Selection(workers={"::1": 2, "h": 1}).workers == {"::1": 2, "h": 1}


def test_plain_mode_is_one_executor_with_the_threads_of_one_slot() -> None:
    slots = slots_of(Selection(workers={"127.0.0.1": 2}), Mode.PLAIN, cores_of)
    assert [(s.cores, s.executors, s.threads) for s in slots] == [(4, 1, 4)]


def test_pool_mode_has_an_executor_per_core_in_each_slot() -> None:
    slots = slots_of(Selection(workers={"127.0.0.1": 2}), Mode.POOL, cores_of)
    assert [(s.index, s.cores, s.executors, s.threads) for s in slots] == [
        (0, 4, 4, 1),
        (1, 4, 4, 1),
    ]


def test_more_slots_than_cores_have_one_core_each() -> None:
    slots = slots_of(Selection(workers={"127.0.0.1": 20}), Mode.POOL, cores_of)
    assert {slot.cores for slot in slots} == {1}


def test_local_names_are_one_host() -> None:
    asked = Selection(workers={"localhost": 1, "127.0.0.1": 2})
    assert for_mode(asked, Selection(), Mode.POOL).workers == {"127.0.0.1": 3}


def test_a_call_that_names_another_machine_in_a_local_mode_is_refused() -> None:
    with pytest.raises(SelectionInvalidError, match="10\\.1\\.1\\.1"):
        for_mode(Selection(workers={"10.1.1.1": 1}), Selection(), Mode.POOL)


def test_the_settings_cluster_is_no_obstacle_to_a_local_run() -> None:
    settings = Selection(scheduler="10.1.1.1", workers={"10.1.1.1": 1, "10.1.1.2": 1})
    chosen = for_mode(Selection(), settings, Mode.PLAIN)
    assert (chosen.scheduler, chosen.workers) == ("127.0.0.1", {"127.0.0.1": 1})


def test_arguments_replace_those_of_the_settings_key_by_key() -> None:
    settings = Settings(args={"a": 1, "b": 2}, pool=True)
    resolved = resolve(TOY, settings, cores_of=cores_of, args={"b": 3}, mode=Mode.PLAIN)
    assert resolved.args == {"a": 1, "b": 3}
    assert resolved.mode is Mode.PLAIN
    assert resolved.modes_enabled == Mode.POOL


@pytest.mark.parametrize("mode", [*map(Mode, range(4)), *map(Mode, range(8, 12))])
def test_every_mode_of_this_machine_is_resolved(mode: Mode) -> None:
    assert resolve(TOY, Settings(), cores_of=cores_of, mode=mode).mode is mode
