"""Wheels with the bytecode of their modules: compiled once on the manager, not on each host.

Bytecode depends on the interpreter alone. Where a host has the manager's, it is sent wheels that
carry it; any other host compiles for itself. It is made with unchecked hashes, as on a host: a
build never changes, so an import need not look at sources.
"""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import io
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.on_host.facts import host_platform
from agi_daemon.install.release import digest_of
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.child_process import run_child
from agi_env.errors import HostCommandTimeoutError, WheelsFailedError

_DEADLINE_S = 900.0
_EPOCH = (1980, 1, 1, 0, 0, 0)
_TESTS = "/tests/"
"""A package's own tests: no run needs their bytecode."""


class CompiledWheels:
    """Wheels as hosts get them.

    Args:
        store: Where the wheels are, and which compiled one stands for which.
    """

    def __init__(self, store: WheelStore) -> None:
        self._store = store
        self._turn = asyncio.Lock()

    def recall(self, wheels: Sequence[Wheel], platform: HostPlatform) -> tuple[Wheel, ...] | None:
        """The wheels as a platform gets them; none unless all of them are stored."""
        if not _is_ours(platform):
            return tuple(wheels)
        found = [self._store.recall(_need(wheel)) for wheel in wheels]
        return tuple(wheel for wheel in found if wheel) if all(found) else None

    def stored(self, wheels: Sequence[Wheel], platform: HostPlatform) -> tuple[Wheel, ...]:
        """Those of the wheels as a platform gets them that are stored."""
        found = (self.recall([wheel], platform) for wheel in wheels)
        return tuple(wheel for each in found if each for wheel in each)

    async def ensure(self, wheels: Sequence[Wheel], platform: HostPlatform) -> tuple[Wheel, ...]:
        """The wheels as a platform gets them, compiled where they were not yet.

        Raises:
            WheelsFailedError: Compiling takes too long.
            DiskFullError: There is no room for a wheel.
        """
        async with self._turn:  # a second host of the platform finds them compiled
            if self.recall(wheels, platform) is None:
                new = [wheel for wheel in wheels if self._store.recall(_need(wheel)) is None]
                await self._compile(new)
        found = self.recall(wheels, platform)
        if found is None:
            raise WheelsFailedError("compiled wheels vanished from the store", where=platform.key)
        return found

    async def _compile(self, wheels: Sequence[Wheel]) -> None:
        with tempfile.TemporaryDirectory(prefix="agi-compile-") as scratch:
            folder = Path(scratch)
            await asyncio.to_thread(self._unpack, wheels, folder)
            try:
                await run_child(_command(folder), deadline_s=_DEADLINE_S, cwd=folder)
            except HostCommandTimeoutError as error:
                raise WheelsFailedError(error.what, where=scratch) from error
            await asyncio.to_thread(self._pack, wheels, folder)

    def _unpack(self, wheels: Sequence[Wheel], folder: Path) -> None:
        for wheel in wheels:
            with zipfile.ZipFile(self._store.path(wheel)) as archive:
                names = [name for name in archive.namelist() if _is_module(name)]
                archive.extractall(folder / wheel.filename, names)

    def _pack(self, wheels: Sequence[Wheel], folder: Path) -> None:
        for wheel in wheels:
            content = _with_bytecode(self._store.path(wheel), folder / wheel.filename)
            self._store.remember(_need(wheel), self._store.put(wheel.filename, content))


def _is_ours(platform: HostPlatform) -> bool:
    own = HostPlatform.from_json(host_platform())
    return platform.tag.split("-")[0] == own.tag.split("-")[0]


def _need(wheel: Wheel) -> str:
    return digest_of(["compiled.v1", wheel.sha256, sys.implementation.cache_tag])


def _is_module(name: str) -> bool:
    return name.endswith(".py") and ".data/" not in name and _TESTS not in f"/{name}"


def _command(folder: Path) -> list[str]:
    # Modules that are no Python of this version are common: they stay without, as on a host.
    options = ["-qq", "-j0", "--invalidation-mode", "unchecked-hash", "-s", str(folder)]
    return [sys.executable, "-I", "-m", "compileall", *options, str(folder)]


def _with_bytecode(wheel: Path, folder: Path) -> bytes:
    """The wheel's bytes with its bytecode, in an order that does not change."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        record = next(name for name in old.namelist() if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(old.read(record).decode().splitlines()))
        for entry in old.infolist():
            if entry.filename != record:
                new.writestr(entry, old.read(entry), entry.compress_type)
        for name, content in _bytecode(folder, set(old.namelist())):
            rows.append(_row(name, content))
            new.writestr(_entry(name), content)
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        new.writestr(_entry(record), text.getvalue())
    return buffer.getvalue()


def _bytecode(folder: Path, there: set[str]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.pyc")):
        name = path.relative_to(folder).as_posix()
        if name not in there:
            yield name, path.read_bytes()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = (0o100000 | 0o644) << 16
    return entry


def _row(name: str, content: bytes) -> list[str]:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return [name, f"sha256={hashed}", str(len(content))]
