"""What others wrote, and what a terminal would act on in it."""

from __future__ import annotations

import pickle

import pytest

from agi_env.errors import AgiError, HostUnreachableError, catalogue, error_from
from agi_env.foreign_text import printable, printable_lines

CSI = "\x1b[2J\x1b[31m"
OSC = "\x1b]52;c;Y3VybA==\x07"
EIGHT_BITS = "\x9b2J"
REVERSED = "\u202etxt.exe"
WORDS = "Ünïcode 漢字 → ✓ 😀 שלום"


@pytest.mark.parametrize("text", [CSI, OSC, EIGHT_BITS, REVERSED, "\0", "\x7f", "\udcff"])
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(f"a{text}b") == f"a{printable(text)}b"
    assert "?" in printable(text)


def test_letters_and_symbols_stay() -> None:
    assert printable(WORDS) == printable_lines(WORDS) == WORDS


def test_lines_stay_lines_where_they_may() -> None:
    assert printable("a\r\n\tb\x0c\xa0c") == "a   b  c"
    assert printable_lines(f"if x:\n\tgo\n  {CSI}stop\n") == "if x:\n        go\n  ?[2Jstop\n"


def test_colours_leave_nothing() -> None:
    assert printable("\x1b[1;31mred\x1b[0m and \x1b[38;5;9mred\x1b[m") == "red and red"


@pytest.mark.parametrize("bad", [CSI, OSC, EIGHT_BITS])
def test_each_part_of_an_error_is_printable(bad: str) -> None:
    error = HostUnreachableError(
        f"it says\n{bad}{WORDS}",
        where=f"node 1  {bad}",
        remedy=f"Ask\t{bad}",
        metadata={"said": bad},
    )
    assert error.what == f"it says {printable(bad)}{WORDS}"
    assert error.where == f"node 1  {printable(bad)}"
    assert error.remedy == f"Ask {printable(bad)}"
    assert str(error).isprintable()
    assert error.metadata == {"said": bad}
    for again in (error_from(error.code, error.to_metadata()), pickle.loads(pickle.dumps(error))):
        assert str(again) == str(error)


def test_what_comes_from_elsewhere_is_made_printable_too() -> None:
    told = {"what": CSI, "where": OSC, "remedy": EIGHT_BITS}
    for code in catalogue():
        error: AgiError = error_from(code, told)
        assert str(error).isprintable()
