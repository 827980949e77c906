"""Words of hosts and apps do nothing to the terminal on which they are shown."""

from __future__ import annotations

import io
import json

import attrs
import pytest
from rich.console import Group
from rich.text import Text

from agi_cli.inert_json import inert
from agi_cli.live import PlainDisplay, TerminalDisplay
from agi_cli.session import Session
from agi_cli.views.grid import facts, grid
from agi_cli.views.host import host_facts
from agi_cli.views.run import run_report
from agi_cluster.model.host import Host, HostState
from agi_cluster.model.run import Cause, PartitionState
from agi_env.errors import AppImportError

EVIL = "\x1b]0;title\x1b\\\x1b[2J\x9b31m漢é"
SHOWN = "?]0;title?\\?[2J?31m漢é"


class Screen(io.StringIO):
    """A stream that somebody sits before."""

    def isatty(self) -> bool:
        return True


def drawn(content) -> str:
    out = io.StringIO()
    Session(out=out, err=io.StringIO()).print(content)
    assert all(line.isprintable() for line in out.getvalue().splitlines())
    return out.getvalue()


def test_the_cells_of_tables_and_facts_line_up():
    table = grid(("name", "next"), [(EVIL, "x"), ("b", "y")])
    wide = len(SHOWN) + 1  # one letter takes two places
    assert drawn(table) == f"{'name':{wide}}  next\n{SHOWN}  x\n{'b':{wide}}  y\n"
    for value in (EVIL, Text(EVIL, style="yellow")):
        assert drawn(facts([("reason", value)])) == f"reason  {SHOWN}\n"


def test_what_is_no_cell_is_clean_too():
    assert drawn(Group(Text(f"a\n  {EVIL}"), EVIL)) == f"a\n  {SHOWN}\n{SHOWN}\n"


def test_colours_are_ours_alone():
    out = Screen()
    Session(out=out, err=io.StringIO()).print(Text(EVIL, style="red"))
    assert SHOWN in out.getvalue()
    assert "\x1b]" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_hosts_say_what_they_like(terminal):
    host = Host(
        address="node1",
        cores=2,
        state=HostState.UNTRUSTED,
        **dict.fromkeys(("reason", "os", "account", "home", "python_path", "platform"), EVIL),
    )
    assert drawn(host_facts(host)).count(SHOWN) >= 5
    terminal.client.host = attrs.evolve(host, offered_fingerprint=EVIL)
    assert terminal.answer("no\n", "hosts", "add", "node1") == 0
    assert f"node1 shows the host key {SHOWN}" in terminal.said
    assert "\x1b" not in terminal.said + terminal.shown
    assert terminal.type("hosts", "show", "node1", "-o", "json") == 0
    assert terminal.shown.replace("\n", "").isprintable()
    assert json.loads(terminal.shown)["os"] == EVIL


def test_tracebacks_keep_their_lines_and_their_indentation(terminal, failed_run):
    *_, partition = terminal.client.list_run_partitions("", page_token="2").items
    failed = attrs.evolve(
        partition,
        state=PartitionState.FAILED,
        error=AppImportError(EVIL),
        cause=Cause(kind="exception"),
        traceback=f"Traceback:\n  File {EVIL}\n\tgo()\n",
    )
    run = attrs.evolve(failed_run, error=AppImportError(EVIL), warnings=(EVIL,))
    report = drawn(run_report(run, (failed,)))
    assert f"  Traceback:\n    File {SHOWN}\n" in report
    assert "        go()\n" in report
    assert report.count(SHOWN) == 4


@pytest.mark.parametrize("kind", [PlainDisplay, TerminalDisplay])
def test_progress(kind):
    stream = Screen() if kind is TerminalDisplay else io.StringIO()
    with kind(stream, lambda: (0.5, EVIL)) as display:
        display.line(EVIL)
    assert SHOWN in stream.getvalue()
    assert "\x1b]" not in stream.getvalue()
    assert "\x9b" not in stream.getvalue()


def test_json_is_the_same_json():
    value = {EVIL: ["\u202e", "\U000e0041", "\udcff", "\xa0", "漢é", 1]}
    for indent in (None, 2):
        text = inert(json.dumps(value, ensure_ascii=False, indent=indent))
        assert text.replace("\n", "").isprintable()
        assert "漢é" in text
        assert json.loads(text) == value
