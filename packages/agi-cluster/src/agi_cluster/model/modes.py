"""What the sixteen modes of an app come to on its hosts."""

from __future__ import annotations

from enum import Enum

from attrs import frozen

from agi_env.mode import Mode


class VerdictState(Enum):
    """What a mode comes to on a host."""

    RUNNABLE = "RUNNABLE"
    NOT_ENABLED = "NOT_ENABLED"
    """It can be run; a run installs what it needs first, one with ``no_install`` is refused."""
    REFUSED = "REFUSED"


@frozen(kw_only=True)
class HostVerdict:
    """One mode on one host."""

    host: str
    state: VerdictState
    reason: str = ""
    command: str = ""
    """What would make it runnable."""


@frozen(kw_only=True)
class ModeVerdict:
    """One mode on every host."""

    mode: Mode
    hosts: tuple[HostVerdict, ...]

    @property
    def refused(self) -> bool:
        """Some host cannot run it."""
        return any(each.state is VerdictState.REFUSED for each in self.hosts)


@frozen(kw_only=True)
class Device:
    """One GPU."""

    index: str
    uuid: str
    title: str
    memory_bytes: int = 0


@frozen(kw_only=True)
class HostAbilities:
    """What a host can do beyond plain Python; an empty reason: it can."""

    host: str
    platform: str
    compiler_reason: str = ""
    driver: str = ""
    cuda: str = ""
    devices_reason: str = ""
    devices: tuple[Device, ...] = ()


@frozen(kw_only=True)
class AppModes:
    """The modes of an app on its hosts, by number."""

    app: str
    settings_mode: Mode
    modes_enabled: Mode
    hosts: tuple[HostAbilities, ...]
    modes: tuple[ModeVerdict, ...]
