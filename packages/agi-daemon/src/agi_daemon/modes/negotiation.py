"""What a mode comes to on a host: pure, from what the host can do and what is staged."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from agi_cluster.model.modes import HostVerdict, VerdictState
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.install.host_abilities import HostAbilities
from agi_env.errors import AgiError
from agi_env.mode import Mode

_STAGED = Mode.CYTHON | Mode.CLUSTER | Mode.RAPIDS
"""Bits that need something to be built; the pool needs nothing."""

_CUPY_MACHINES = ("linux_x86_64-glibc", "linux_aarch64-glibc")


@frozen(kw_only=True)
class Situation:
    """What is known when a verdict is asked for.

    Attributes:
        app: The app, for commands.
        enabled: What an install stages by the settings.
        share_reason: Why there is no cluster share; empty: there is one.
        manager: What this machine can do, which compiles for hosts of its platform.
    """

    app: str
    enabled: Mode
    share_reason: str
    manager: HostAbilities | AgiError


def verdict(
    mode: Mode, host: str, abilities: HostAbilities | AgiError, situation: Situation
) -> HostVerdict:
    """What a mode comes to on a host.

    Args:
        mode: The mode.
        host: The host.
        abilities: What it can do, or why it could not be asked.
        situation: What else is known.
    """
    obstacle = next(_obstacles(mode, host, abilities, situation), None)
    if obstacle:
        state, (reason, command) = VerdictState.REFUSED, obstacle
        return HostVerdict(host=host, state=state, reason=reason, command=command)
    missing = mode & _STAGED & ~situation.enabled
    if not missing:
        return HostVerdict(host=host, state=VerdictState.RUNNABLE)
    return HostVerdict(
        host=host,
        state=VerdictState.NOT_ENABLED,
        reason=f"{_names(missing)} is not among modes_enabled {int(situation.enabled)}",
        command=f"agi install {situation.app} --modes {int(situation.enabled | mode)}",
    )


def _obstacles(
    mode: Mode, host: str, abilities: HostAbilities | AgiError, situation: Situation
) -> Iterator[tuple[str, str]]:
    """Each reason for which the host cannot run the mode, with the command that helps."""
    if isinstance(abilities, AgiError):
        yield str(abilities), ""
        return
    if Mode.CLUSTER in mode and situation.share_reason:
        yield situation.share_reason, "export AGI_CLUSTER_SHARE=PATH; agi daemon stop"
    if Mode.CLUSTER not in mode and host != THIS_MACHINE:
        clustered = f"agi run {situation.app} --mode {int(mode | Mode.CLUSTER)}"
        yield "without the cluster bit a run uses the manager only", clustered
    if Mode.CYTHON in mode and not _compiles(abilities, situation.manager):
        yield abilities.compiler_reason, abilities.compiler_remedy
    if Mode.RAPIDS in mode:
        yield from _device_obstacles(abilities)


def _device_obstacles(abilities: HostAbilities) -> Iterator[tuple[str, str]]:
    tag = abilities.facts.platform.tag
    if abilities.devices.reason:
        yield abilities.devices.reason, ""
    elif not any(machine in tag for machine in _CUPY_MACHINES):
        yield f"there is no wheel of CuPy for {tag}", ""


def _compiles(abilities: HostAbilities, manager: HostAbilities | AgiError) -> bool:
    """Whether the host can compile, or the manager can for it."""
    if not abilities.compiler_reason:
        return True
    return (
        not isinstance(manager, AgiError)
        and manager.facts.platform.tag == abilities.facts.platform.tag
        and not manager.compiler_reason
    )


def _names(mode: Mode) -> str:
    return mode.words.partition(" = ")[2]
