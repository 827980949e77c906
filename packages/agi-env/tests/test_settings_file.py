from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from agi_env.errors import (
    AgiError,
    EtagMismatchError,
    SettingsInvalidError,
    SettingsSyntaxError,
    SlotsInvalidError,
    StateUnreadableError,
)
from agi_env.settings_change import SettingChange
from agi_env.settings_file import SettingsFile

SEED = """\
[args] # mine
nfile = 1

[cluster]
pool = false

[cluster.workers]
"127.0.0.1" = 2

[pages]
x = 1
"""


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    seed = tmp_path / "seed.toml"
    seed.write_text(SEED)
    return SettingsFile(tmp_path / "state" / "app_settings.toml", seed)


def _set(*assignments: str) -> Sequence[SettingChange]:
    return [SettingChange.parse(assignment) for assignment in assignments]


def test_the_copy_is_made_from_the_seed_once(file: SettingsFile) -> None:
    assert file.read().text == SEED
    assert file.path.read_text() == SEED
    file.seed.write_text("[args]\nnfile = 9\n")
    assert file.read().settings.args == {"nfile": 1}


def test_without_a_seed_there_are_settings_all_the_same(tmp_path: Path) -> None:
    found = SettingsFile(tmp_path / "s" / "f.toml", tmp_path / "none").read()
    assert found.settings.workers == {"127.0.0.1": 1}


def test_a_broken_seed_is_not_copied(file: SettingsFile) -> None:
    file.seed.write_text("[args]\nx = \n")
    with pytest.raises(SettingsSyntaxError, match=r"seed.toml:2: this is not TOML"):
        file.read()
    assert not file.path.exists()


def test_an_edit_returns_what_is_then_there(file: SettingsFile) -> None:
    before = file.read()
    after = file.edit(_set("cluster.pool=true", "args.nfile=2"), etag=before.etag)
    assert after.settings.pool
    assert after == file.read()
    assert after.text == SEED.replace("pool = false", "pool = true").replace("= 1\n\n", "= 2\n\n")
    assert after.etag != before.etag


def test_a_first_edit_makes_the_copy(file: SettingsFile) -> None:
    file.edit(_set("args.nfile=1"))
    assert file.path.read_text() == SEED


def test_a_dry_run_writes_nothing(file: SettingsFile) -> None:
    file.read()
    assert file.edit(_set("cluster.pool=true"), dry_run=True).settings.pool
    assert not file.reset(dry_run=True).settings.pool
    assert file.path.read_text() == SEED


@pytest.mark.parametrize(
    ("assignment", "error"),
    [
        ("cluster.workers.h=0", SlotsInvalidError),
        ("cluster.workers.h=-1", SlotsInvalidError),
        ("cluster.workers.h=two", SlotsInvalidError),
        ("cluster.workers.h=true", SlotsInvalidError),
        ("cluster.pool=yes", SettingsInvalidError),
        ("cluster.scheduler=h:99999", SettingsInvalidError),
        ("args.nfile.x=1", SettingsInvalidError),
    ],
)
def test_a_failed_edit_leaves_every_byte(
    file: SettingsFile, assignment: str, error: type[AgiError]
) -> None:
    file.read()
    with pytest.raises(error) as caught:
        file.edit(_set("args.nfile=5", assignment))
    assert "line" not in caught.value.metadata
    assert file.path.read_text() == SEED


def test_an_outdated_etag_is_refused(file: SettingsFile) -> None:
    etag = file.read().etag
    file.edit(_set("args.nfile=5"), etag=etag)
    for act in (lambda: file.edit(_set("args.nfile=6"), etag=etag), lambda: file.reset(etag=etag)):
        with pytest.raises(EtagMismatchError):
            act()
    assert file.read().settings.args == {"nfile": 5}


@pytest.mark.parametrize(
    ("text", "error", "line", "key"),
    [
        ("[args]\n\n[cluster]\n# pool\npool = 3\n", SettingsInvalidError, 5, "cluster.pool"),
        ("cluster = { # x\n}\n", SettingsSyntaxError, 1, None),
        ("\ncluster = {verbose = 9}\n", SettingsInvalidError, 2, "cluster.verbose"),
        ("x = 1\ncluster.verbose = 9\n", SettingsInvalidError, 2, "cluster.verbose"),
        ("[cluster]\nworkers.'1.2.3.4' = 0", SlotsInvalidError, 2, 'cluster.workers."1.2.3.4"'),
        ("[cluster.workers]\na = 1\nb = 'two'\n", SlotsInvalidError, 3, "cluster.workers.b"),
        ("a = 1\na = 2\n", SettingsSyntaxError, 2, None),
        ("[cluster]\nverbose = 7\n[args]\nenv = 1\n", SettingsInvalidError, 2, "cluster.verbose"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(
    file: SettingsFile, text: str, error: type[AgiError], line: int, key: str | None
) -> None:
    file.read()
    file.path.write_text(text)
    with pytest.raises(error) as caught:
        file.read()
    assert caught.value.where == f"{file.path}:{line}"
    assert caught.value.metadata.get("line") == str(line)
    assert caught.value.metadata.get("key") == key
    with pytest.raises(error):
        file.edit(_set("args.other=1"))
    assert file.path.read_text() == text


def test_an_edit_can_mend_what_is_wrong(file: SettingsFile) -> None:
    file.read()
    file.path.write_text("[cluster]\nverbose = 9 # loud\n")
    assert file.edit(_set("cluster.verbose=3")).text == "[cluster]\nverbose = 3 # loud\n"


def test_reset_mends_even_what_is_not_toml(file: SettingsFile) -> None:
    file.read()
    file.path.write_bytes(b"\xff[")
    assert file.reset().text == SEED
    assert file.path.read_text() == SEED


def test_what_cannot_be_read_is_said(file: SettingsFile) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(StateUnreadableError, match="Is a directory"):
        file.read()


def test_edits_at_the_same_time_all_count(file: SettingsFile) -> None:
    file.read()
    editors = [threading.Thread(target=file.edit, args=(_set(f"args.k{n}={n}"),)) for n in range(8)]
    with FileLock(file.path.with_suffix(".lock")):
        for editor in editors:
            editor.start()
    for editor in editors:
        editor.join(timeout=30)
    assert file.read().settings.args == {"nfile": 1} | {f"k{n}": n for n in range(8)}


@pytest.mark.parametrize(
    ("assignment", "likely"),
    [
        ("args.limt=5", "args.limit"),
        ("args.dta_in=/x", "args.data_in"),
        ("clustr.pool=true", "cluster.pool"),
        ("agrs.limit=5", "args.limit"),
    ],
)
def test_a_slip_of_a_table_or_argument_is_refused(
    file: SettingsFile, assignment: str, likely: str
) -> None:
    before = file.edit(_set("args.limit=3", "args.data_in=/data")).text
    with pytest.raises(SettingsInvalidError, match=f"Say {likely}, if that is what is meant"):
        file.edit(_set(assignment))
    assert file.read().text == before


def test_a_name_of_its_own_or_one_that_the_file_has_is_no_slip(file: SettingsFile) -> None:
    file.edit(_set("args.limit=3", "args.x1=1", "clouds.pool=1"))
    file.edit(_set("args.x2=1", "args.top_limit=5", "clouds.rain=2"))
    file.path.write_text("[args]\nlimit = 3\nlimits = 4\n[clusters]\na = 1\n")
    file.edit(_set("args.limits=5", "clusters.a=2"))
    assert file.read().settings.args == {"limit": 3, "limits": 5}
