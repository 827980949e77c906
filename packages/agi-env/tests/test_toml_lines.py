from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from agi_env.toml_lines import key_lines, line_of, section_ends, split_key
from agi_env.toml_text import TomlError, TomlText

TEXT = '''\
# [not] = "a key"
top.inner = 1
[cluster] # "
scheduler = """
pool = 1 \\"""
""""
pool = true
list = [ "]", # pool = 2 ]
  { a = 1 }, \'\'\'x]\'\'\' ]
after = 1979-05-27 07:32:00 # date
[ cluster . workers ]
"192.168.1.21" = 1
'b c'=2
[[steps]]
deep = { a = 1, "x.y" = { z = '}' } }
[[steps]]
[steps.sub]
k = 1
[[steps.sub.more]]
[[steps.sub.more]]
m.n = 1
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top", "inner"), 2),
        (("cluster",), 3),
        (("cluster", "scheduler"), 4),
        (("cluster", "pool"), 7),
        (("cluster", "list"), 8),
        (("cluster", "after"), 10),
        (("cluster", "workers"), 11),
        (("cluster", "workers", "192.168.1.21"), 12),
        (("cluster", "workers", "b c"), 13),
        (("steps", 0), 14),
        (("steps", 0, "deep", "x.y", "z"), 15),
        (("steps", 1, "sub", "k"), 18),
        (("steps", 1, "sub", "more", 1, "m", "n"), 21),
        (("cluster", "workers", "absent"), 11),
        (("absent",), 1),
    ],
)
def test_each_key_has_its_line(key: tuple[str | int, ...], line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(TEXT, key) == line


def test_a_section_ends_after_its_last_value() -> None:
    ends = section_ends(TEXT)
    assert TEXT[: ends["cluster",]].endswith("after = 1979-05-27 07:32:00 ")
    assert TEXT[: ends["steps", 1, "sub", "more", 0]].endswith("[[steps.sub.more]]")


def _paths(data: Any) -> set[tuple[str, ...]]:
    if not isinstance(data, dict):
        return {()}
    return {(k, *rest) for k, value in data.items() for rest in _paths(value)} | {()}


_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_SCALARS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(),
    st.datetimes(),
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_the_keys_are_those_that_a_parser_finds(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data)
    found = {key for key in key_lines(text) if all(isinstance(part, str) for part in key)}
    assert found | {()} == _paths(tomllib.loads(text))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert key_lines(text).keys() >= {(key,) for key in tomllib.loads(text)}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a", ("a",)),
        ("a . b", ("a", "b")),
        ('a."b.c".\'d"e\'', ("a", "b.c", 'd"e')),
        ('"\\u00e9"', ("é",)),
    ],
)
def test_a_dotted_key_is_split(text: str, key: tuple[str, ...]) -> None:
    assert split_key(text) == key


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a b", "a=1", 'a."b', "é", '"\\x"', "a\nb"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"TOML|no key|Unescaped"):
        split_key(text)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"a = 1\nb = \nc = 2\n", 2),
        (b"a = 1\na = 2\n", 2),
        (b'a = 1\n\nb = """\nx\n', 4),
        (b"a = 1\nb = [\n", 2),
        (b"a = 1\n# \xff\n", 2),
        (b"a = " + b"[" * 100_000, 1),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(content: bytes, line: int) -> None:
    with pytest.raises(TomlError) as caught:
        TomlText.parse(content)
    assert caught.value.line == line
    assert "at line" not in caught.value.reason
