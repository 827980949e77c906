"""Lines of logs are whole, whatever pieces they come in."""

from __future__ import annotations

from agi_cluster.printed_lines import PrintedLines


def test_a_torn_line_waits_for_its_rest_file_by_file() -> None:
    lines = PrintedLines()
    assert list(lines.take("a.log", "one\ntw")) == ["a.log: one"]
    assert list(lines.take("b.log", "three")) == []
    assert list(lines.take("a.log", "o\n")) == ["a.log: two"]
    assert list(lines.rest()) == ["b.log: three"]
