"""The transport to hosts with a network and processes of their own, which break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from attrs import evolve

from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_daemon.transport.ssh import SshTransport
from agi_daemon.transport.ssh_offer import offered_key
from agi_daemon.transport.ssh_settings import SshSettings
from agi_env.errors import (
    HostCommandTimeoutError,
    HostConnectionLostError,
    HostKeyChangedError,
    HostUnreachableError,
    LoginShellHangsError,
)
from hosts import Cluster, Host
from hosts.faults import login, network
from hosts.programs import eventually

Reach = Callable[..., SshTransport]


@pytest.fixture
async def reach(hosts: Cluster, settings: SshSettings) -> AsyncIterator[Reach]:
    made: list[SshTransport] = []

    def make(host: Host, address: str = "", **changes: Any) -> SshTransport:
        by = Login(address=address or host.address, user="root", identity_file=str(hosts.identity))
        ssh = evolve(settings, **changes)
        pinned = HostKey.from_line(host.public_key)
        made.append(SshTransport(by, pinned, root=PurePosixPath("~/.agi"), ssh=ssh))
        return made[-1]

    yield make
    await asyncio.gather(*(transport.aclose() for transport in made))


async def test_names_of_processes_are_those_of_the_host(hosts: Cluster, reach: Reach) -> None:
    """What is killed is killed there: a process of that id here is none of ours."""
    heard: list[bytes] = []
    with pytest.raises(HostCommandTimeoutError):
        await reach(hosts[0]).run(
            ["sh", "-c", "trap '' TERM; sleep 3210 & echo $!; wait"],
            deadline_s=1,
            on_line=heard.append,
        )
    assert "sleep 3210" not in " ".join(hosts[0].machine.processes().values())
    assert heard


async def test_by_ipv6(hosts: Cluster, reach: Reach) -> None:
    host = reach(hosts[0], hosts[0].address6)
    assert (await host.run(["hostname"], deadline_s=20)).stdout.decode().strip() == hosts[0].name


async def test_a_link_that_is_cut_is_known_soon(hosts: Cluster, reach: Reach) -> None:
    """After three intervals, of 5 s in earnest; another host's commands go on."""
    broken, well = reach(hosts[0], keepalive_s=0.5), reach(hosts[1])
    async with await broken.open_channel(["cat"]) as channel:
        await channel.send(b"hello\n")
        assert await anext(channel.lines()) == b"hello"
        with hosts[0].fault(network.link_down):
            waiting = asyncio.create_task(channel.wait(), name="waiting")
            assert (await well.run(["echo", "well"], deadline_s=5)).stdout == b"well\n"
            with pytest.raises(HostConnectionLostError):
                await asyncio.wait_for(waiting, 10)
    assert (await broken.run(["echo", "back"], deadline_s=20)).stdout == b"back\n"


async def test_what_cannot_be_killed_is_not_called_killed(hosts: Cluster, reach: Reach) -> None:
    host = reach(hosts[0])
    assert (await host.run(["true"], deadline_s=20)).returncode == 0
    sleeping = asyncio.create_task(host.run(["sleep", "30"], deadline_s=2), name="sleeping")
    await asyncio.to_thread(
        eventually, lambda: "sleep 30" in hosts[0].machine.processes().values(), "it sleeps"
    )
    with hosts[0].fault(network.link_down):
        with pytest.raises(HostCommandTimeoutError, match="it may still run there") as caught:
            await sleeping
        assert f"agi hosts check {hosts[0].address}" in caught.value.remedy


async def test_a_host_that_is_off_does_not_answer(
    hosts: Cluster, reach: Reach, settings: SshSettings
) -> None:
    hosts[0].power_off()
    with pytest.raises(HostUnreachableError, match=r"there is no way to it|no answer within"):
        await reach(hosts[0], connect_s=5.0).run(["true"], deadline_s=20)


@pytest.mark.parametrize("silently", [False, True])
async def test_a_host_that_goes_off_loses_its_commands(
    hosts: Cluster, reach: Reach, silently: bool
) -> None:
    host = reach(hosts[0], keepalive_s=0.5)
    async with await host.open_channel(["sh", "-c", "echo in; sleep 100"]) as channel:
        assert await anext(channel.lines()) == b"in"
        await asyncio.to_thread(hosts[0].power_off, silently=silently)
        with pytest.raises(HostConnectionLostError):
            await asyncio.wait_for(channel.wait(), 10)
    hosts[0].power_on()
    assert (await host.run(["echo", "back"], deadline_s=20)).stdout == b"back\n"


async def test_packets_that_vanish_are_no_answer(hosts: Cluster, reach: Reach) -> None:
    with (
        hosts[0].fault(network.packets_dropped()),
        pytest.raises(HostUnreachableError, match="no answer within 1 s"),
    ):
        await reach(hosts[0], connect_s=1.0).run(["true"], deadline_s=20)


async def test_a_server_that_was_stopped_refuses(hosts: Cluster, reach: Reach) -> None:
    with (
        hosts[0].fault(login.sshd_stopped()),
        pytest.raises(HostUnreachableError, match="nothing listens at that port"),
    ):
        await reach(hosts[0]).run(["true"], deadline_s=20)


async def test_another_host_key(hosts: Cluster, reach: Reach, settings: SshSettings) -> None:
    host = reach(hosts[0])
    with hosts[0].fault(login.host_key_changed):
        with pytest.raises(HostKeyChangedError):
            await host.run(["true"], deadline_s=20)
        now = await offered_key(Login(address=hosts[0].address), settings)
        assert now.fingerprint == hosts[0].host_key
    assert (await host.run(["true"], deadline_s=20)).returncode == 0


async def test_shells_that_talk_and_shells_that_hang(hosts: Cluster, reach: Reach) -> None:
    with hosts[0].fault(login.noisy_shell):
        host = reach(hosts[0])
        assert (await host.run(["echo", "answer"], deadline_s=20)).stdout == b"answer\n"
        assert host.noise.startswith(b"Welcome")
    with hosts[0].fault(login.hanging_shell), pytest.raises(LoginShellHangsError):
        await reach(hosts[0], shell_s=1.0).run(["true"], deadline_s=20)


async def test_a_throttled_link_is_slow_and_works(hosts: Cluster, reach: Reach) -> None:
    with hosts[0].fault(network.throttled("8mbit")):
        done = await reach(hosts[0]).run(
            ["wc", "-c"], stdin=b"x" * 2_000_000, deadline_s=60, idle_s=10
        )
    assert done.stdout.strip() == b"2000000"
