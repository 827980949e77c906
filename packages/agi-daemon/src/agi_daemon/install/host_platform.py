"""What a host's Python runs on: its markers, its tags and the name that stands for both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from attrs import field, frozen
from packaging.markers import Marker

_OLDEST_GLIBC_MINOR = 5
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@frozen
class HostPlatform:
    """Two hosts of equal platform take equal wheels.

    Attributes:
        tag: Interpreter, machine and C library, such as ``cp311-linux_x86_64-glibc2.36``: what
            decides which wheel fits.
        python: Full version of the interpreter.
        markers: The environment markers of PEP 508 that do not change with a reboot.
    """

    tag: str
    python: str
    markers: Mapping[str, str] = field(converter=dict, eq=False)

    @property
    def key(self) -> str:
        """Its name: tag and Python version."""
        return f"{self.tag}-{self.python}"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The platform as a host describes it."""
        return cls(value["tag"], value["python"], value["markers"])

    def to_json(self) -> dict[str, Any]:
        """The platform as a JSON value."""
        return {"tag": self.tag, "python": self.python, "markers": dict(self.markers)}

    def applies(self, marker: Marker | None) -> bool:
        """A requirement with this marker is one here."""
        return marker is None or marker.evaluate({**self.markers, "extra": ""})

    def pip_arguments(self) -> list[str]:
        """Arguments that make ``pip download`` choose the wheels that fit here."""
        interpreter, machine, libc = self.tag.split("-")
        version = "".join(re.findall(r"\d+", interpreter))
        platforms = [f"--platform={name}" for name in _platforms(machine, libc)]
        abis = [f"--abi={abi}" for abi in (interpreter, "abi3", "none")]
        return [
            "--only-binary=:all:",
            f"--implementation={interpreter[:2]}",
            f"--python-version={version[0]}.{version[1:]}",
            *abis,
            *platforms,
        ]


def _platforms(machine: str, libc: str) -> Iterator[str]:
    if not machine.startswith("linux_"):
        yield machine
        return
    architecture = machine.removeprefix("linux_")
    family, minor = re.sub(r"[\d.]+", "", libc), int(libc.rpartition(".")[2])
    oldest = _OLDEST_GLIBC_MINOR if family == "glibc" else 0
    name, major = ("manylinux", 2) if family == "glibc" else ("musllinux", 1)
    for step in range(minor, oldest - 1, -1):
        yield f"{name}_{major}_{step}_{architecture}"
        if family == "glibc" and step in _LEGACY_MANYLINUX:
            yield f"{_LEGACY_MANYLINUX[step]}_{architecture}"
    yield machine
