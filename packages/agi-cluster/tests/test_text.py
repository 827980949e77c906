"""Numbers, durations and values as people write and read them."""

from __future__ import annotations

import pytest

from agi_cli.arguments import toml_value
from agi_cli.listing import fetched
from agi_cluster.model.page import Page
from agi_cluster.text import bar, byte_count, duration, number, one_line, time_left


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (336776.0, "336,776"), (12.5, "12.5"), (1234.56, "1,234.6"), (1.25e12, "1.25e+12")],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.042, "42 ms"),
        (1.239, "1.24 s"),
        (42.31, "42.3 s"),
        (312, "5 min 12 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_time_left_is_a_guess():
    assert [time_left(s) for s in (0.1, 3.4, 312)] == ["1 s", "3 s", "5 min 12 s"]


def test_sizes():
    sizes = [byte_count(size) for size in (812, 2048, 3.4 * 2**20, 2**50)]
    assert sizes == ["812 B", "2.0 KiB", "3.4 MiB", "1024.0 TiB"]


def test_bars_have_eighths():
    assert [bar(share, 4) for share in (0, 0.5, 0.53, 1, 7)] == ["", "██", "██▏", "████", "████"]


def test_foreign_text_is_one_line():
    assert one_line("a\n b\x1b[31m\x1b[2J") == "a b?[2J"
    assert one_line("x" * 300, 5) == "xxxx…"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("{a = 1}", {"a": 1}),
        ('"x"', "x"),
        ("x y", "x y"),
        ("", ""),
        ("2026-01-02", "2026-01-02"),
        ("nan", "nan"),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_values_are_toml_or_text(text, value):
    assert toml_value(text) == value


def test_lists_are_fetched_page_by_page_up_to_the_limit():
    def page(*, page_size: int, page_token: str) -> Page[int]:
        start = int(page_token or 0)
        end = min(start + min(page_size, 3), 10)
        return Page(items=range(start, end), next_page_token=str(end) if end < 10 else "")

    assert fetched(int, page).items == tuple(range(10))
    some = fetched(int, page, limit=5)
    assert some.items == (0, 1, 2, 3, 4)
    assert some.more
