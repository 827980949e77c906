"""Any bytes as settings: they load, or are refused with a line that says why; the file stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agi_env.errors import AgiError
from agi_env.settings_change import SettingChange
from agi_env.settings_file import SettingsFile

lines = st.sampled_from(
    [
        "[args]",
        "[cluster]",
        "[cluster.workers]",
        "[[cluster.workers]]",
        "pool = true",
        "pool = 7",
        "verbose = 9",
        '"127.0.0.1" = 2',
        '"127.0.0.1" = 0',
        "workers = { a = 1 }",
        "x = { y = [1, {}] }",
        "run_timeout = nan",
        "data_in = 3",
        "args = 1",
        "# said",
        "k = '''\n[args]'''",
        "= 1",
        "\x00",
    ]
)
texts = st.lists(lines, max_size=7).map("\n".join) | st.text(max_size=40)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "app_settings.toml"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=st.binary(max_size=40) | texts.map(lambda text: text.encode(errors="replace")))
def test_any_bytes_load_or_are_refused_and_stay(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    file = SettingsFile(place, place.with_name("none"))
    for act in (file.read, lambda: file.edit([SettingChange.set("args.x", "1")], dry_run=True)):
        try:
            act()
        except AgiError as error:
            assert "\n" not in str(error)
    assert place.read_bytes() == content
