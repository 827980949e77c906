from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_env.errors import InvalidInputError, SettingsInvalidError, SlotsInvalidError
from agi_env.mode import Mode
from agi_env.settings import Difference, Settings
from agi_env.verbosity import Verbosity

FULL: dict[str, Any] = {
    "args": {"data_in": "flights/in", "nfile": 3, "deep": {"a": [1, "x", None]}},
    "cluster": {
        "cluster_enabled": True,
        "pool": True,
        "cython": False,
        "rapids": True,
        "verbose": 2,
        "scheduler": "192.168.1.10:8786",
        "user": "agi",
        "workers": {"192.168.1.21": 1, "node-2.example.org": 4},
        "partition_timeout": 30,
        "run_timeout": 3600,
        "cores_per_slot": 2,
        "ssh_key_path": 17,
    },
    "pages": {"anything": 1},
}


def test_nothing_written_means_one_slot_on_this_machine() -> None:
    settings = Settings.from_data({})
    assert settings == Settings()
    assert settings.workers == {"127.0.0.1": 1}
    assert settings.mode == Mode.PLAIN
    assert settings.run_timeout == 86_400.0
    assert Settings.from_data({"cluster": {"workers": {}, "scheduler": ""}}) == settings


def test_every_key_that_we_use_is_read() -> None:
    settings = Settings.from_data(FULL)
    assert settings.args == FULL["args"]
    assert settings.workers == FULL["cluster"]["workers"]
    assert (settings.verbose, settings.user, settings.cores_per_slot) == (2, "agi", 2)
    assert (settings.partition_timeout, settings.run_timeout) == (30.0, 3600.0)
    assert (settings.scheduler_address.host, settings.scheduler_address.port) == (
        "192.168.1.10",
        8786,
    )


@pytest.mark.parametrize("bits", range(16))
def test_the_mode_is_the_sum_of_the_toggles(bits: int) -> None:
    settings = Settings(
        pool=bool(bits & 1),
        cython=bool(bits & 2),
        cluster_enabled=bool(bits & 4),
        rapids=bool(bits & 8),
    )
    assert settings.mode == settings.modes_enabled == Mode(bits)


def test_the_settings_are_explained_in_words() -> None:
    assert Settings.from_data(FULL).explain() == [
        "13 = cluster + rapids + pool",
        "workers: 1 slot on 192.168.1.21, 4 slots on node-2.example.org;"
        " scheduler: 192.168.1.10:8786",
        "cores of each slot: 2",
        "time: 30 s for a partition, 3600 s for a run",
        "verbose: 2 = phases, progress and each partition",
    ]
    assert Settings().explain()[0] == "0 = plain local Python"


@pytest.mark.parametrize("slots", [0, -1, "two", True, 1.0, None, [1]])
def test_a_slot_count_is_a_whole_number_of_1_or_more(slots: object) -> None:
    with pytest.raises(SlotsInvalidError, match=r'cluster.workers."1.2.3.4" must be') as caught:
        Settings.from_data({"cluster": {"workers": {"1.2.3.4": slots}}})
    assert caught.value.metadata == {"key": 'cluster.workers."1.2.3.4"'}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cluster_enabled", 1),
        ("pool", "yes"),
        ("cython", 0),
        ("rapids", []),
        ("verbose", 4),
        ("verbose", -1),
        ("verbose", True),
        ("scheduler", "h:99999"),
        ("scheduler", 8786),
        ("scheduler", "-oProxyCommand=x"),
        ("user", 3),
        ("partition_timeout", 0),
        ("partition_timeout", float("nan")),
        ("run_timeout", float("inf")),
        ("run_timeout", "1h"),
        ("run_timeout", True),
        ("cores_per_slot", 0),
    ],
)
def test_a_key_that_cannot_be_used_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsInvalidError, match=f"cluster.{name} must be"):
        Settings.from_data({"cluster": {name: value}})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"cluster": 3}, r"\[cluster\] must be a table"),
        ({"args": []}, r"\[args\] must be a table"),
        ({"args": {"env": 1}}, "args.env"),
        ({"args": {"x": float("nan")}}, "args.x must be a value that JSON has"),
        ({"args": {"x": [{"y": object()}]}}, "args.x must be a value that JSON has"),
        ({"args": {"data_out": 3}}, "args.data_out must be a path"),
    ],
)
def test_tables_and_arguments_are_checked(data: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsInvalidError, match=words):
        Settings.from_data(data)


def test_the_digest_depends_on_values_alone() -> None:
    data = {"args": {"a": 1, "b": 2}, "cluster": {"run_timeout": 60}}
    other = {"cluster": {"run_timeout": 60.0, "pool": False, "ssh_key_path": "x"}}
    same = Settings.from_data({**other, "args": {"b": 2, "a": 1}, "pages": {"x": 1}})
    assert Settings.from_data(data).digest == same.digest
    assert Settings().digest != same.digest
    # Snippets carry the digest: it may not change from one version to the next.
    assert Settings().digest[:16] == "95c63d1e575fd037"


def test_differences_are_named_key_by_key() -> None:
    old = Settings(args={"n": 1, "gone": "x"}, workers={"a": 1, "1.2.3.4": 1})
    new = Settings(args={"n": True}, pool=True, workers={"a": 1, "1.2.3.4": 2})
    assert old.differences(new) == [
        Difference("args.gone", "x", None),
        Difference("args.n", 1, True),
        Difference("cluster.pool", False, True),
        Difference('cluster.workers."1.2.3.4"', 1, 2),
    ]
    assert old.differences(old) == []


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
_ARGS = st.dictionaries(st.sampled_from(["a", "b", "nfile", "x.y"]), _JSON, max_size=3)
_SETTINGS = st.builds(
    Settings,
    args=_ARGS,
    cluster_enabled=st.booleans(),
    pool=st.booleans(),
    verbose=st.integers(0, 3),
    scheduler=st.sampled_from(["127.0.0.1", "h:1"]),
    workers=st.dictionaries(st.sampled_from(["127.0.0.1", "h"]), st.integers(1, 9), min_size=1),
    partition_timeout=st.none() | st.floats(0.1, 1e6),
    cores_per_slot=st.none() | st.integers(1, 64),
)


@given(_SETTINGS, _SETTINGS)
def test_equal_digests_and_no_differences_go_together(old: Settings, new: Settings) -> None:
    assert Settings.from_data(old.to_data()) == old
    assert (old.digest == new.digest) == (old.differences(new) == [])


@pytest.mark.parametrize("level", [-1, 4, True, "1", None, 1.0])
def test_a_verbosity_is_one_of_four(level: object) -> None:
    assert [Verbosity.parse(n).words[0] for n in range(4)] == ["0", "1", "2", "3"]
    with pytest.raises(InvalidInputError, match="is no level"):
        Verbosity.parse(level)
