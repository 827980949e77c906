"""What a host's Python runs on: its markers, its tags and the name that stands for both."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from attrs import field, frozen
from packaging.markers import Marker

_CUPY = re.compile(r"cupy-cuda(\d+)x")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
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
        cuda: The CUDA that its GPU driver takes, such as ``12``; empty where it has none.
    """

    tag: str
    python: str
    markers: Mapping[str, str] = field(converter=dict, eq=False)
    cuda: str = ""

    @property
    def key(self) -> str:
        """Its name: tag, Python version, and CUDA where it has that."""
        return f"{self.tag}-{self.python}{f'-cuda{self.cuda}' if self.cuda else ''}"

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The platform as a host describes it.

        Raises:
            ValueError: It is none; its key becomes the name of a file.
        """
        platform = cls(value["tag"], value["python"], value["markers"], value.get("cuda", ""))
        if not _KEY.fullmatch(platform.key):
            raise ValueError(f"{platform.key!r} is no platform")
        return platform

    def to_json(self) -> dict[str, Any]:
        """The platform as a JSON value."""
        facts = {"tag": self.tag, "python": self.python, "markers": dict(self.markers)}
        return {**facts, "cuda": self.cuda}

    def applies(self, marker: Marker | None) -> bool:
        """A requirement with this marker is one here."""
        return marker is None or marker.evaluate({**self.markers, "extra": ""})

    def takes(self, name: str) -> bool:
        """Whether a package can be used here: a CuPy for one CUDA can be with no other."""
        cuda = _CUPY.fullmatch(name)
        return cuda is None or cuda[1] == self.cuda

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
