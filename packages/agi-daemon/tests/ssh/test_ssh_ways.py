"""What can be between us and a host: keys, names, ports, jump hosts, other people's servers."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from attrs import evolve

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.ssh_offer import offered_key
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import (
    HostError,
    HostKeyChangedError,
    HostKeyUntrustedError,
    HostLoginError,
    HostUnreachableError,
    HostUnresolvedError,
)

Reach = Callable[..., Any]


async def refusal(host: Any) -> HostError:
    with pytest.raises(HostError) as caught:
        await host.run(["true"], deadline_s=30)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.metadata["host"] == host.host == caught.value.where
    return caught.value


@contextmanager
def mute_port(says: bytes = b"") -> Iterator[int]:
    """Something that accepts and is no SSH server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        if says:
            listening.settimeout(20)
        yield listening.getsockname()[1]


async def test_what_a_host_shows_is_its_key(server: Any, settings: SshSettings) -> None:
    assert await offered_key(server.login, settings) == server.host_key
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", server.keys / "host_key.pub"], capture_output=True, check=True
    )
    assert server.host_key.fingerprint in listed.stdout.decode()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
async def test_other_kinds_of_host_keys_are_pinned_too(
    new_server: Any, reach: Reach, settings: SshSettings, keys: Path, kind: str
) -> None:
    path = keys / f"{kind}_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True, timeout=60)
    with new_server(host_key=path.name) as server:
        assert await offered_key(server.login, settings) == server.host_key
        assert (await reach(server).run(["true"], deadline_s=20)).returncode == 0
        wrong = HostKey.from_line((keys / "host_key.pub").read_text())
        assert isinstance(await refusal(reach(server, wrong)), HostKeyChangedError)


async def test_a_changed_host_key_stops_everything_and_says_what_happened(
    new_server: Any, reach: Reach, keys: Path
) -> None:
    with new_server(host_key="other_host_key") as server:
        before = HostKey.from_line((keys / "host_key.pub").read_text())
        error = await refusal(reach(server, before))
        assert isinstance(error, HostKeyChangedError)
        assert before.fingerprint in error.what and server.host_key.fingerprint in error.what
        assert "`agi hosts trust 127.0.0.1`" in error.remedy
        assert error.metadata["shown"] == server.host_key.fingerprint
        assert "Accepted" not in server.log and "publickey" not in server.log


async def test_a_key_that_the_host_does_not_know(server: Any, reach: Reach) -> None:
    other = str(server.keys / "other_key")
    error = await refusal(reach(server, login={"identity_file": other}))
    assert isinstance(error, HostLoginError)
    assert f"may not log in with {other}" in error.what
    assert "`agi hosts authorize 127.0.0.1`" in error.remedy


async def test_a_user_that_the_host_does_not_know(server: Any, reach: Reach) -> None:
    error = await refusal(reach(server, login={"user": "no-such-user"}))
    assert isinstance(error, HostLoginError)
    assert f"no-such-user may not log in with {server.key}" in error.what


async def test_no_key_to_try(server: Any, reach: Reach) -> None:
    error = await refusal(reach(server, login={"identity_file": ""}))
    assert isinstance(error, HostLoginError)
    assert "no key to try" in error.what


async def test_a_named_key_that_is_none(server: Any, reach: Reach, tmp_path: Path) -> None:
    error = await refusal(reach(server, login={"identity_file": str(tmp_path / "none")}))
    assert f"{tmp_path}/none (No such file or directory) cannot be used" in error.what


async def test_a_key_with_a_passphrase_needs_an_agent(
    new_server: Any, reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "locked"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "open sesame", "-f", key], check=True
    )
    with new_server() as server:
        (server.folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
        error = await refusal(reach(server, login={"identity_file": str(key)}))
        assert isinstance(error, HostLoginError)
        assert f"no agent holds {key}, which has a passphrase" in error.what
        assert f"`ssh-add {key}`" in error.remedy
        with agent_holding(key, tmp_path) as agent:
            monkeypatch.setenv("SSH_AUTH_SOCK", agent)
            host = reach(server, login={"identity_file": str(key)})
            assert (await host.run(["true"], deadline_s=20)).returncode == 0
            host = reach(server, login={"identity_file": ""})
            assert (await host.run(["true"], deadline_s=20)).returncode == 0


@contextmanager
def agent_holding(key: Path, folder: Path) -> Iterator[str]:
    address, ask = str(folder / "agent"), folder / "ask"
    ask.write_text("#!/bin/sh\necho open sesame\n")
    ask.chmod(0o700)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL)
    env = {**os.environ, "SSH_AUTH_SOCK": address, "SSH_ASKPASS": str(ask)}
    try:
        while not Path(address).exists():
            assert agent.poll() is None
        subprocess.run(
            ["ssh-add", "-q", key],
            env={**env, "SSH_ASKPASS_REQUIRE": "force"},
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=20,
        )
        yield address
    finally:
        agent.terminate()
        agent.wait(20)


async def test_a_dead_agent_is_no_hindrance(
    server: Any, reach: Reach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert (await reach(server).run(["true"], deadline_s=20)).returncode == 0


async def test_the_daemons_own_key_is_offered(server: Any, reach: Reach, tmp_path: Path) -> None:
    host = reach(server, login={"identity_file": ""}, own_key=server.key)
    assert (await host.run(["true"], deadline_s=20)).returncode == 0


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("no-such-host.invalid", HostUnresolvedError, "the name 'no-such-host.invalid' leads to"),
        ("127.0.0.1", HostUnreachableError, "nothing listens at that port"),
        ("::1", HostUnreachableError, r"\[::1\]:\d+: "),
        (f"{'x' * 64}.invalid", HostUnresolvedError, "it is no name of a host"),
    ],
)
async def test_ways_that_lead_nowhere_are_told_apart(
    server: Any, reach: Reach, address: str, error: type[HostError], said: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        login = {"address": address, "port": free.getsockname()[1]}
        host = reach(server, login=login, connect_s=0.5)
        with pytest.raises(error, match=said):
            await host.run(["true"], deadline_s=20)
        with pytest.raises(error, match=said):
            await offered_key(evolve(server.login, **login), SshSettings(), deadline_s=0.5)


async def test_a_port_that_never_answers(server: Any, reach: Reach) -> None:
    with mute_port() as port:
        error = await refusal(reach(server, login={"port": port}, connect_s=0.5))
    assert isinstance(error, HostUnreachableError)
    assert "no answer within 0.5 s" in error.what


async def test_something_else_listens_at_the_port(server: Any, reach: Reach) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as web:
        port = web.sockets[0].getsockname()[1]
        error = await refusal(reach(server, login={"port": port}))
    assert isinstance(error, HostUnreachableError)


class Rude(asyncssh.SSHServer):
    """Ends every login with words that a terminal would act on."""

    def begin_auth(self, username: str) -> bool:
        raise asyncssh.ProtocolError("go\x1b]0;a title\x07 \x1b[2Jaway, señor")


async def test_the_words_of_a_server_do_nothing_to_a_terminal(server: Any, reach: Reach) -> None:
    keys = [str(server.keys / "host_key")]
    async with asyncssh.listen("127.0.0.1", server_factory=Rude, server_host_keys=keys) as rude:
        error = await refusal(reach(server, login={"port": rude.get_port()}))
    assert "go?]0;a title? ?[2Jaway, señor" in error.what
    assert str(error).isprintable()


async def test_one_connection_serves_all_who_come_at_once(new_server: Any, reach: Reach) -> None:
    with new_server() as server:
        host = reach(server)
        await asyncio.gather(*(host.run(["true"], deadline_s=20) for _ in range(6)))
        assert server.log.count("Accepted publickey") == 1


async def test_who_waits_for_a_connection_may_go_away(
    server: Any, reach: Reach, proxy: Any
) -> None:
    proxy.fall_silent()
    host = reach(server, login={"port": proxy.port}, connect_s=0.5)
    with pytest.raises(HostUnreachableError):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(host.run(["true"], deadline_s=20), name="first")
            await asyncio.sleep(0.1)
            first.cancel()
            try:
                await host.run(["true"], deadline_s=20)
            except HostUnreachableError as error:
                failure = error
        raise failure


async def test_names_and_logins_of_the_users_configuration(
    server: Any, reach: Reach, settings: SshSettings
) -> None:
    settings.config.write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port {server.port}\n  IdentityFile {server.key}\n"
        "Host *\n  IdentitiesOnly yes\n"
    )
    login = {"address": "far", "port": 0, "identity_file": ""}
    host = reach(server, login=login)
    assert (await host.run(["true"], deadline_s=20)).returncode == 0
    assert await offered_key(evolve(server.login, **login), settings) == server.host_key


async def test_a_way_through_a_jump_host(
    new_server: Any, server: Any, reach: Reach, settings: SshSettings
) -> None:
    with new_server() as jump:
        settings.config.write_text(
            f"Host far\n  HostName 127.0.0.1\n  Port {server.port}\n  ProxyJump between\n"
            f"Host between\n  HostName 127.0.0.1\n  Port {jump.port}\n"
            f"Host *\n  IdentityFile {server.key}\n"
        )
        login = {"address": "far", "port": 0, "identity_file": ""}
        error = await refusal(reach(server, login=login))
        assert isinstance(error, HostKeyUntrustedError)
        assert "leads through between" in error.what and jump.host_key.fingerprint in error.what
        assert "Accepted" not in jump.log

        known = f"[127.0.0.1]:{jump.port} {jump.host_key.to_line()}\n"
        settings.known_hosts.write_text(known)
        host = reach(server, login=login)
        assert (await host.run(["echo", "through"], deadline_s=20)).stdout == b"through\n"
        assert await offered_key(evolve(server.login, **login), settings) == server.host_key
        assert "Accepted" in jump.log
        await host.aclose()

        other = evolve(server.host_key, public=server.host_key.public[:-1] + b"x")
        settings.known_hosts.write_text(known.replace(jump.host_key.to_line(), other.to_line()))
        assert isinstance(await refusal(reach(server, login=login)), HostKeyUntrustedError)


async def test_a_jump_host_that_cannot_reach_the_host(
    server: Any, reach: Reach, settings: SshSettings
) -> None:
    settings.config.write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump 127.0.0.1:{server.port}\n"
        f"Host *\n  IdentityFile {server.key}\n"
    )
    settings.known_hosts.write_text(f"[127.0.0.1]:{server.port} {server.host_key.to_line()}\n")
    login = {"address": "far", "port": 0, "identity_file": ""}
    error = await refusal(reach(server, login=login))
    assert isinstance(error, HostUnreachableError)
    assert "the jump host cannot connect to it" in error.what


def test_a_local_daemon_loads_nothing_of_it() -> None:
    code = (
        "import sys\n"
        "from agi_daemon.transport import ssh, ssh_authorize, ssh_offer, host_key, login\n"
        "print('asyncssh' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"False\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "there is no way to it: No route to"),
        (TimeoutError(errno.ETIMEDOUT, "timed out"), "no answer within 10 s"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "nothing listens at that port"),
    ],
)
def test_what_the_system_says_is_put_in_words(error: OSError, said: str) -> None:
    from agi_daemon.transport.ssh_config import Route
    from agi_daemon.transport.ssh_failure import SshFailure

    at = Route(name="far", host="10.0.0.1", port=22, user="ann", ignored=("ProxyCommand",))
    failure = SshFailure("far", SshSettings()).of_way(at, error)
    assert isinstance(failure, HostUnreachableError)
    assert failure.what.startswith(f"no SSH connection to 10.0.0.1:22: {said}")
    assert failure.what.endswith("ProxyCommand of ~/.ssh/config is not honoured")
