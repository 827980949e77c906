from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_env.errors import NotFoundError, SettingsInvalidError
from agi_env.settings_change import SettingChange, parse_key
from agi_env.settings_edit import edited
from agi_env.settings_schema import dotted

TEXT = """\
# head
[__meta__]
schema = "agilab.app_settings.v1" # y

[args]
# where
data_in = "flights/in"  # in
files = [
    "a", # one
    "b",
]

[cluster]  # c
cluster_enabled = true
scheduler = "192.168.1.10:8786" # s
ssh_key_path = '~/.ssh/id' # kept
# hosts
[cluster.workers]
"192.168.1.21" = 1 # first
# tail

[cluster.service_health]
t = 1979-05-27 07:32:00

[[view_a.rows]]
k = nan
"""


def _edit(text: str, *assignments: str) -> str:
    return edited(text, [SettingChange.parse(assignment) for assignment in assignments])


@pytest.mark.parametrize(
    ("assignment", "old", "new"),
    [
        ("cluster.cluster_enabled=false", "cluster_enabled = true", "cluster_enabled = false"),
        ("cluster.scheduler=10.0.0.1", '"192.168.1.10:8786" # s', '"10.0.0.1" # s'),
        ("cluster.workers.192.168.1.21=2", "= 1 # first", "= 2 # first"),
        ('cluster.workers."192.168.1.21"=2', "= 1 # first", "= 2 # first"),
        ("cluster.workers.n-1.example.org=3", "# first\n", '# first\n"n-1.example.org" = 3\n'),
        ("cluster.workers.::1=3", "# first\n", '# first\n"::1" = 3\n'),
        ("cluster.pool=true", "# kept\n", "# kept\npool = true\n"),
        ("args.data_in=a b", '"flights/in"', '"a b"'),
        ("args.nfile=3", "]\n\n[c", "]\nnfile = 3\n\n[c"),
        ("args.deep.er.k=0x1f", "]\n\n[c", "]\ndeep = {er = {k = 0x1f}}\n\n[c"),
        ("pages.open=[1,2]", "k = nan\n", "k = nan\n\n[pages]\nopen = [1,2]\n"),
    ],
)
def test_only_the_named_key_changes(assignment: str, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert _edit(TEXT, assignment) == TEXT.replace(old, new)


def test_a_key_is_removed_with_its_line() -> None:
    text = edited(TEXT, [SettingChange.unset("cluster.scheduler")])
    assert text == TEXT.replace('scheduler = "192.168.1.10:8786" # s\n', "")
    text = edited(TEXT, [SettingChange.unset("cluster.workers.192.168.1.21")])
    assert text == TEXT.replace('"192.168.1.21" = 1 # first\n', "")


def test_a_section_given_whole_keeps_its_place_and_comments() -> None:
    text = _edit(TEXT, 'cluster.workers={"192.168.1.21" = 4, a = 1}')
    assert text == TEXT.replace("= 1 # first\n", "= 4 # first\na = 1\n")


def test_sections_that_are_missing_are_made() -> None:
    text = _edit("", "cluster.workers.h=1", "cluster.pool=true", "args.x=a b")
    assert text == '[cluster.workers]\nh = 1\n\n[cluster]\npool = true\n\n[args]\nx = "a b"\n'
    assert _edit("[args]", "args.x=1") == "[args]\nx = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "cluster.pool = true # p\nargs = {a=1}\n[x]\ny=1",
        "[cluster]\nworkers.a=1\n[args]\n",
        "[cluster]\nworkers={a=1}\n",
        "[cluster.x]\nq=1\n[cluster]\npool=true\n[args]\n[cluster.workers]\nh=1",
        "cluster = {workers = {h = 1}}\n",
        "[cluster]\r\npool = true\r\n",
    ],
)
def test_every_layout_can_be_edited(text: str) -> None:
    result = _edit(text, "cluster.rapids=true", "cluster.workers.h=2", "args.b=2")
    wanted = tomllib.loads(text)
    wanted.setdefault("cluster", {})["rapids"] = True
    wanted["cluster"].setdefault("workers", {})["h"] = 2
    wanted.setdefault("args", {})["b"] = 2
    assert tomllib.loads(result) == wanted
    assert ("\r" in text) == ("\r" in result)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("5", 5),
        (" 5 # five", 5),
        ("true", True),
        ('"5"', "5"),
        ("[1, 2]", [1, 2]),
        ("{a = 1}", {"a": 1}),
        ("*.csv", "*.csv"),
        ("", ""),
        ("2013-01-01", "2013-01-01"),
        ("12:30:00", "12:30:00"),
        ("inf", "inf"),
        ("#fff", "#fff"),
        ("1\n[evil]\nx=1", "1\n[evil]\nx=1"),
        ("1\nx = 1", "1\nx = 1"),
        ('say "hi" \\ \t \U0001f600 \x7f', 'say "hi" \\ \t \U0001f600 \x7f'),
    ],
)
def test_a_value_is_toml_or_else_a_text(value: str, read: object) -> None:
    result = _edit(TEXT, f"args.x={value}")
    assert tomllib.loads(result)["args"]["x"] == read
    assert "evil" not in tomllib.loads(result)


@pytest.mark.parametrize("value", ["123", "true", "h", '"h"'])
def test_a_text_key_gets_a_text(value: str) -> None:
    assert tomllib.loads(_edit(TEXT, f"cluster.user={value}"))["cluster"]["user"] == value.strip(
        '"'
    )


@pytest.mark.parametrize("key", ["", "pool", "a..b", "cluster.workers.", "a b.c", "[x].y"])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(SettingsInvalidError, match="is no key"):
        SettingChange.set(key, "1")


def test_a_slip_of_a_known_key_is_refused_and_others_are_not() -> None:
    with pytest.raises(SettingsInvalidError, match=r"Say cluster\.verbose"):
        SettingChange.set("cluster.verbos", "1")
    SettingChange.set("cluster.pool_executor", "process")
    SettingChange.set("cluster.something_else", "1")
    SettingChange.set("args.verbos", "1")


def test_an_assignment_needs_a_value() -> None:
    assert SettingChange.parse("args.x=a=b") == SettingChange(("args", "x"), "a=b")
    with pytest.raises(SettingsInvalidError, match="has no value"):
        SettingChange.parse("args.x")


def test_removing_what_is_not_there_is_said() -> None:
    with pytest.raises(NotFoundError, match=r"cluster\.cython is not set"):
        edited(TEXT, [SettingChange.unset("cluster.cython")])


@pytest.mark.parametrize("key", ["args.data_in.x", "args.files.x", "view_a.rows.k"])
def test_a_key_leads_through_tables_only(key: str) -> None:
    with pytest.raises(SettingsInvalidError, match="is not a table"):
        _edit(TEXT, f"{key}=1")


_NAMES = st.sampled_from(["data_in", "files", "n", "a.b", "é\n", "x y"])
_KEYS = st.one_of(
    _NAMES.map(lambda name: ("args", name)),
    st.sampled_from(["192.168.1.21", "h", "::1"]).map(lambda host: ("cluster", "workers", host)),
    _NAMES.map(lambda name: ("pages", "deep", name)),
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_CHANGES = st.builds(
    SettingChange, _KEYS, st.none() | _TEXTS | st.integers().map(str) | st.just("[1, {a = 2}]")
)


def _apply(data: dict[str, Any], change: SettingChange) -> None:
    for name in change.key[:-1]:
        data = data.setdefault(name, {})
    if change.text is None:
        del data[change.key[-1]]
    else:
        data[change.key[-1]] = tomllib.loads(f"v = {change.toml}")["v"]


@given(st.lists(_CHANGES, max_size=6))
def test_edits_never_touch_other_lines(changes: list[SettingChange]) -> None:
    text, wanted = TEXT, tomllib.loads(TEXT)
    for change in changes:
        try:
            text = edited(text, [change])
        except NotFoundError:
            continue
        _apply(wanted, change)
    assert _sorted(tomllib.loads(text)) == _sorted(wanted)
    touched = {change.key[-1] for change in changes}
    kept = [line for line in TEXT.splitlines() if not any(name in line for name in touched)]
    if "files" in touched:
        kept = [line for line in kept if not line.startswith((" ", "]"))]
    remaining = iter(text.splitlines())
    assert all(line in remaining for line in kept)


@given(st.lists(st.text(max_size=6), min_size=2, max_size=4))
def test_a_key_as_written_is_the_key(names: list[str]) -> None:
    key = tuple(names)
    if not any("\ud800" <= c <= "\udfff" for name in names for c in name):
        assert parse_key(dotted(key)) == key


def _sorted(data: object) -> object:
    if isinstance(data, dict):
        return sorted((key, repr(_sorted(value))) for key, value in data.items())
    return data


def test_a_number_of_thousands_of_digits_is_a_text() -> None:
    digits = "1" * 5000
    text = edited("[args]\n", [SettingChange.set("args.n", digits)])
    assert tomllib.loads(text)["args"]["n"] == digits
