"""What a host says about itself: its facts, and what it can do beyond plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Self

from attrs import frozen

from agi_daemon.install.host_platform import HostPlatform
from agi_env.errors import ModeNotEnabledError
from agi_env.mode import Mode


@frozen
class HostFacts:
    """What a host said about itself."""

    platform: HostPlatform
    cores: int
    memory_bytes: int
    uv_version: str
    root: PurePosixPath

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The facts as a host gives them."""
        return cls(
            platform=HostPlatform.from_json(value["platform"]),
            cores=value["cores"],
            memory_bytes=value["memory_bytes"],
            uv_version=value["uv_version"],
            root=PurePosixPath(value["root"]),
        )


@frozen
class Device:
    """One GPU."""

    index: str
    uuid: str
    name: str
    memory_bytes: int


@frozen
class Devices:
    """The GPUs of a host, and why there is none to use; empty: there is."""

    driver: str
    cuda: str
    found: tuple[Device, ...]
    reason: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The devices as a host tells of them."""
        found = tuple(Device(**each) for each in value["devices"])
        return cls(value["driver"], value["cuda"], found, value["reason"])


@frozen
class HostAbilities:
    """What one host can do.

    Attributes:
        host: The host.
        facts: What it says about itself.
        compiler_reason: Why it cannot compile; empty: it can.
        compiler_remedy: The command that would make it able to.
        devices: Its GPUs.
    """

    host: str
    facts: HostFacts
    compiler_reason: str
    compiler_remedy: str
    devices: Devices

    @classmethod
    def from_json(cls, host: str, value: Mapping[str, Any]) -> Self:
        """The abilities as a host tells of them."""
        compiler = value["compiler"]
        return cls(
            host=host,
            facts=HostFacts.from_json(value["facts"]),
            compiler_reason=compiler["reason"],
            compiler_remedy=compiler["remedy"],
            devices=Devices.from_json(value["devices"]),
        )


def no_devices(host: str, reason: str, mode: Mode) -> ModeNotEnabledError:
    """The refusal of the rapids bit on a host without a GPU that can be used."""
    return ModeNotEnabledError(
        f"mode {mode.words} needs a GPU on every host, and this one has none: {reason}",
        where=host,
        remedy="Run without bit 8, or choose hosts with an NVIDIA GPU and driver 525 or newer",
        metadata={"host": host, "mode": str(int(mode)), "reason": reason},
    )
