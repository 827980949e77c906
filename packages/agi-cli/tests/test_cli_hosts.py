"""``agi hosts``: what it asks, what it shows, and the command that it names next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import attrs
import pytest

from agi_cluster.model.host import Host, HostState
from agi_env.errors import HostKeyUntrustedError, HostLoginError

UNTRUSTED = Host(
    address="node1",
    cores=0,
    state=HostState.UNTRUSTED,
    reason="its key SHA256:aaa is not trusted yet",
    error=HostKeyUntrustedError(
        "its key SHA256:aaa is not trusted yet",
        where="node1",
        remedy="`agi hosts trust node1 --fingerprint SHA256:aaa`",
    ),
    offered_fingerprint="SHA256:aaa",
)


@pytest.fixture
def unknown(terminal):
    terminal.client.host = UNTRUSTED
    return terminal


def test_add_asks_on_a_terminal_with_the_fingerprint_shown(unknown):
    assert unknown.answer("yes\n", "hosts", "add", "ann@node1") == 0
    assert "node1 shows the host key SHA256:aaa" in unknown.said
    assert 'Type "yes"' in unknown.said
    assert unknown.client.asked[-1] == ("trust_host", "node1", "SHA256:aaa")
    assert "READY" in unknown.shown
    assert "`agi run APP --mode 4 --worker node1=1`" in unknown.said


@pytest.mark.parametrize("answer", ["no\n", "y\n", "\n", ""])
def test_add_trusts_nothing_but_a_yes(unknown, answer):
    assert unknown.answer(answer, "hosts", "add", "node1") == 0
    assert [asked[0] for asked in unknown.client.asked] == ["create_host"]
    assert "next: `agi hosts trust node1 --fingerprint SHA256:aaa`" in unknown.said


def test_add_without_a_terminal_prints_the_command_and_leaves_it_untrusted(unknown):
    assert unknown.type("hosts", "add", "node1") == 0
    assert [asked[0] for asked in unknown.client.asked] == ["create_host"]
    assert "UNTRUSTED" in unknown.shown
    assert unknown.said == "next: `agi hosts trust node1 --fingerprint SHA256:aaa`\n"


def test_add_sends_the_parts_of_the_login_and_the_absolute_key(terminal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    terminal.type("hosts", "add", "ann@[::2]:2222", "--identity", "key")
    name, address, given = terminal.client.asked[-1]
    assert (name, address, given["user"], given["port"]) == ("create_host", "::2", "ann", 2222)
    assert given["identity_file"] == str(tmp_path / "key")


def test_a_login_that_is_none_is_refused_before_anybody_is_asked(terminal):
    assert terminal.type("hosts", "add", "ann@@node1") == 4
    assert "Give [USER@]HOST[:PORT]" in terminal.said
    assert terminal.client.asked == []


def test_a_host_that_cannot_be_used_is_shown_and_gives_the_exit_code(terminal):
    error = HostLoginError(
        "ann may not log in", where="node1", remedy="`agi hosts authorize node1`"
    )
    terminal.client.host = attrs.evolve(
        UNTRUSTED, state=HostState.UNUSABLE, reason=error.what, error=error
    )
    assert terminal.type("hosts", "add", "node1", "--trust-fingerprint", "SHA256:aaa") == 13
    assert "UNUSABLE" in terminal.shown
    assert "`agi hosts authorize node1`" in terminal.said
    assert terminal.type("hosts", "check", "node1") == 13


def test_authorize_reads_the_password_from_a_pipe_and_shows_it_nowhere(terminal):
    assert terminal.pipe("s3cret\n", "hosts", "authorize", "node1", "--password-stdin") == 0
    assert terminal.client.asked[-1] == ("authorize_host", "node1", "s3cret")
    assert "s3cret" not in terminal.shown + terminal.said


def test_authorize_needs_somebody_to_ask(terminal):
    assert terminal.pipe("", "hosts", "authorize", "node1") == 4
    assert "--password-stdin" in terminal.said
    assert terminal.pipe("\n", "hosts", "authorize", "node1", "--password-stdin") == 4
    assert "no password was given" in terminal.said


def test_check_looks_at_all_when_none_is_named(terminal):
    assert terminal.type("hosts", "check") == 0
    assert ("check_host", "127.0.0.1") in terminal.client.asked
    terminal.type("hosts", "check", "b", "a")
    assert [line.split()[0] for line in terminal.shown.splitlines()] == ["host", "b", "a"]


def test_the_table_is_one_to_read(terminal):
    seen = datetime.now(UTC) - timedelta(minutes=5)
    terminal.client.host = attrs.evolve(terminal.client.host, seen_time=seen)
    terminal.type("hosts", "check", "node1")
    header, row = terminal.shown.splitlines()
    assert header.split() == [
        *("host", "state", "cores", "python", "uv", "platform", "memory", "seen", "reason")
    ]
    assert row.split()[:7] == [
        *("node1", "READY", "2/8", "3.11.7", "0.8.1", "linux-x86_64", "16.0")
    ]
    assert "5 min 0 s ago" in row


def test_the_facts_of_a_host(terminal):
    terminal.type("hosts", "show", "node1")
    for fact in (
        "ann@node1",
        "8, 2 in use",
        "GPU 0: A100",
        "3.11.7 /usr/bin/python3",
        "3.9.2 /usr/bin/python3.9",
        "1 min 30 s behind",
        "/home/ann/.local/state/agi-host/node1",
    ):
        assert fact in terminal.shown


def test_drain_and_remove_name_what_undoes_them(terminal):
    terminal.type("hosts", "drain", "node1")
    assert "READY drained" in terminal.shown
    assert "`agi hosts resume node1`" in terminal.said
    terminal.type("hosts", "remove", "node1")
    assert "`agi hosts add node1`" in terminal.said


def test_a_changed_key_is_explained_before_it_is_asked_about(terminal):
    terminal.client.host = attrs.evolve(
        UNTRUSTED,
        state=HostState.KEY_CHANGED,
        reason="it shows the key SHA256:aaa and was trusted with SHA256:bbb",
        fingerprint="SHA256:bbb",
    )
    assert terminal.answer("yes\n", "hosts", "trust", "node1") == 0
    assert "was trusted with SHA256:bbb" in terminal.said
    assert terminal.client.asked[-1] == ("trust_host", "node1", "SHA256:aaa")
