"""The pure parts: quoting, the mark, keys, and what counts of the user's configuration."""

from __future__ import annotations

import getpass
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh_command import NOISE_BYTES, Opening, SshCommand, quoted
from agi_daemon.transport.ssh_config import Route, route_of
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import InvalidInputError

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def test_a_key_reads_as_it_is_written() -> None:
    key = HostKey.from_line(f"{KEY} root@host\n")
    assert key.to_line() == KEY
    assert key.algorithm == "ssh-ed25519"
    assert key.fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"


@pytest.mark.parametrize(
    "line", ["", "ssh-ed25519", "ssh-ed25519 ???", KEY.replace("ssh-", "x-", 1)]
)
def test_what_is_no_key_is_refused(line: str) -> None:
    with pytest.raises(InvalidInputError):
        HostKey.from_line(line)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("\\", r"\\"),
        ("wow!", r"'wow'\!"),
        ("$HOME\n", "'$HOME\n'"),
    ],
)
def test_quoting(word: str, line: str) -> None:
    assert quoted(word) == line


def test_a_command_line_names_all_and_repeats_no_mark() -> None:
    command, other = SshCommand.of(["ls", "-l"], {"A": "b c"}), SshCommand.of(["ls", "-l"])
    assert command.mark != other.mark
    assert command.line.endswith(
        f"'{command.mark}' 'UV_PYTHON_DOWNLOADS=never' 'A=b c' '--' 'ls' '-l'".encode()
    )


@given(
    noise=st.binary(max_size=200),
    output=st.binary(max_size=50),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_the_output_begins_after_the_mark_however_it_is_cut(
    noise: bytes, output: bytes, cuts: list[int]
) -> None:
    whole = noise + b"\nagi-mark 4711\n" + output
    bounds = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    opening = Opening("agi-mark")
    pieces = [whole[start:end] for start, end in pairwise(bounds)]
    assert b"".join(map(opening.feed, pieces)) == output
    assert (opening.pid, opening.noise) == (4711, noise)


def test_endless_noise_is_not_kept() -> None:
    opening = Opening("agi-mark")
    for _ in range(100):
        assert opening.feed(b"x" * 1000) == b""
    assert opening.noise == b"x" * NOISE_BYTES
    assert opening.feed(b"\nagi-mark 1\nmine") == b"mine"


@pytest.fixture
def ssh(tmp_path: Path) -> SshSettings:
    return SshSettings(config=tmp_path / "config", known_hosts=tmp_path / "known")


def route(ssh: SshSettings, text: str, **login: object) -> Route:
    ssh.config.write_text(text)
    return route_of(Login(**{"address": "far", **login}), ssh, {"SSH_AUTH_SOCK": "/agent"})  # type: ignore[arg-type]


def test_without_a_configuration_the_defaults_of_ssh_hold(ssh: SshSettings) -> None:
    assert route_of(Login(address="fd00::1"), ssh, {}) == Route(
        name="fd00::1",
        host="fd00::1",
        port=22,
        user=getpass.getuser(),
        known_hosts=(ssh.known_hosts,),
    )


def test_what_was_said_goes_before_the_configuration(ssh: SshSettings) -> None:
    text = "Host far\n  User ann\n  Port 2022\n  IdentityFile /keys/%r-%n\n"
    found = route(ssh, text)
    assert (found.user, found.port, found.identity_files) == ("ann", 2022, (Path("/keys/ann-far"),))
    found = route(ssh, text, user="bob", port=7, identity_file="~/mine")
    assert (found.user, found.port) == ("bob", 7)
    assert found.identity_files == (Path.home() / "mine", Path("/keys/bob-far"))


def test_hosts_are_matched_as_ssh_does(ssh: SshSettings, tmp_path: Path) -> None:
    (tmp_path / "more").write_text("Host far\n  HostName 10.0.0.9\n")
    text = f"Include {tmp_path}/more\nHost f* !far\n  User no\nMatch host 10.0.0.9\n  User yes\n"
    assert (route(ssh, text).host, route(ssh, text).user) == ("10.0.0.9", "yes")


@pytest.mark.parametrize(
    ("text", "agent"),
    [("", "/agent"), ("IdentityAgent none", ""), ("IdentityAgent /other", "/other")],
)
def test_the_agent(ssh: SshSettings, text: str, agent: str) -> None:
    assert route(ssh, text).agent == agent


def test_jump_hosts_have_settings_of_their_own(ssh: SshSettings) -> None:
    text = (
        "Host far\n  ProxyJump ann@a:2022,b\nHost a\n  ProxyJump [fd00::1]:7\n"
        "Host b\n  HostName 10.0.0.2\n  ProxyJump nowhere\n"
    )
    jumps = route(ssh, text).jumps
    assert [(hop.name, hop.host, hop.port) for hop in jumps] == [
        ("fd00::1", "fd00::1", 7), ("a", "a", 2022), ("b", "10.0.0.2", 22)
    ]  # fmt: skip
    assert [hop.user for hop in jumps][1] == "ann"
    assert route(ssh, "ProxyJump none").jumps == ()


@pytest.mark.parametrize(
    "text",
    ["Host far\n  Port many\n", "Host far\n ProxyJump far\n", "ProxyJump a:b:c\n", 'User "x'],
)
def test_a_configuration_that_makes_no_sense_is_refused(ssh: SshSettings, text: str) -> None:
    with pytest.raises(InvalidInputError, match=str(ssh.config)):
        route(ssh, text)


def test_a_proxy_command_is_not_honoured_and_that_is_said(ssh: SshSettings) -> None:
    assert route(ssh, "ProxyCommand nc %h %p").ignored == ("ProxyCommand",)


def test_the_program_for_hosts_is_python_of_its_own(tmp_path: Path) -> None:
    from agi_daemon.transport import files_on_host

    source = Path(files_on_host.__file__).read_text()
    order = b'{"directory": "%s/d", "files": [["a", 2], ["b", 0]]}\nhi' % str(tmp_path).encode()
    done = subprocess.run(
        ["python3", "-I", "-S", "-c", source], input=order, capture_output=True, check=True
    )
    assert done.stdout == b"{}\n"
    assert (tmp_path / "d" / "a").read_bytes() == b"hi"
