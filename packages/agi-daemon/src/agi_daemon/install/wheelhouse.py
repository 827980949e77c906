"""Collecting what a lock needs on a platform: once for each requirement, on the manager."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from agi_daemon.install.credentials import masked
from agi_daemon.install.host_platform import HostPlatform
from agi_daemon.install.lock import Lock, LockEntry
from agi_daemon.install.on_host.facts import host_platform
from agi_daemon.install.release import digest_of
from agi_daemon.install.wheel_store import Wheel, WheelStore
from agi_daemon.transport.child_process import run_child
from agi_env.atomic_file import write_atomically
from agi_env.errors import HostCommandTimeoutError, WheelsFailedError
from agi_env.module_command import module_command
from agi_env.paths import private_directory

_DEADLINE_S = 1800.0
_IDLE_S = 600.0  # a source distribution may compile in silence
_PIP = module_command(sys.executable, "pip")
_QUIET = ("--no-deps", "--require-hashes", "--no-input", "--disable-pip-version-check")


OnFetch = Callable[[tuple[str, ...]], None]


class Wheelhouse:
    """The wheels of locks, by platform.

    Args:
        store: Where the wheels are kept, and which wheel answers which requirement.
    """

    def __init__(self, store: WheelStore) -> None:
        self.store = self._store = store
        self._folder = store.folder / "platforms"
        self._turn: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def platforms(self) -> tuple[HostPlatform, ...]:
        """The platforms that were met before."""
        paths = sorted(self._folder.glob("*.json"))
        return tuple(HostPlatform.from_json(json.loads(path.read_bytes())) for path in paths)

    def meet(self, platform: HostPlatform) -> None:
        """Remember a platform."""
        path = self._folder / f"{platform.key}.json"
        if not path.exists():
            private_directory(self._folder)
            write_atomically(path, json.dumps(platform.to_json()).encode())

    def recall(self, lock: Lock, platform: HostPlatform) -> tuple[Wheel, ...] | None:
        """The wheels that the lock needs there; none unless all of them are stored."""
        wheels = [self._store.recall(_need(entry, platform)) for entry in _of(lock, platform)]
        return tuple(wheel for wheel in wheels if wheel) if all(wheels) else None

    def stored(self, lock: Lock, platform: HostPlatform) -> tuple[Wheel, ...]:
        """Those of the wheels that the lock needs there that are stored."""
        wheels = [self._store.recall(_need(entry, platform)) for entry in _of(lock, platform)]
        return tuple(wheel for wheel in wheels if wheel)

    def missing(self, lock: Lock, platform: HostPlatform) -> tuple[LockEntry, ...]:
        """The entries of the lock whose wheel for that platform is not stored."""
        return tuple(
            entry
            for entry in _of(lock, platform)
            if self._store.recall(_need(entry, platform)) is None
        )

    async def collect(
        self, lock: Lock, platform: HostPlatform, on_fetch: OnFetch = lambda _: None
    ) -> tuple[Wheel, ...]:
        """Fetch or build the wheels that are not stored, and return all that the lock needs.

        Args:
            lock: What is needed.
            platform: Where.
            on_fetch: Called with names and versions of what is fetched, unless another call did it.

        Raises:
            WheelsFailedError: One cannot be fetched, built, or is not what was locked.
        """
        async with self._turn[platform.tag]:  # a second host of the platform finds them stored
            missing = self.missing(lock, platform)
            if missing:
                on_fetch(tuple(entry.title for entry in missing))
                await self._fetch(missing, platform)
        found = self.recall(lock, platform)
        if found is None:
            names = ", ".join(e.requirement.name for e in self.missing(lock, platform))
            raise WheelsFailedError(f"no wheel came for {names}", where=platform.key)
        return found

    async def _fetch(self, entries: Sequence[LockEntry], platform: HostPlatform) -> None:
        if platform.tag == own_platform().tag:
            await self._make(entries, platform)
            return
        try:
            await self._download(entries, platform)
        except WheelsFailedError:
            await self._fetch_singly(entries, platform)

    async def _fetch_singly(self, entries: Sequence[LockEntry], platform: HostPlatform) -> None:
        for entry in entries:
            try:
                await self._download([entry], platform)
            except WheelsFailedError as error:  # no wheel on the index: a pure one can be made here
                if not await self._made_pure(entry, platform):
                    raise error from None

    async def _made_pure(self, entry: LockEntry, platform: HostPlatform) -> bool:
        await self._make([entry], own_platform())
        wheel = self._store.recall(_need(entry, own_platform()))
        if wheel is None or not wheel.pure:
            return False
        self._store.remember(_need(entry, platform), wheel)
        return True

    async def _make(self, entries: Sequence[LockEntry], platform: HostPlatform) -> None:
        await self._pip(["wheel", "--wheel-dir=."], entries, platform)

    async def _download(self, entries: Sequence[LockEntry], platform: HostPlatform) -> None:
        arguments = ["download", "--dest=.", *platform.pip_arguments()]
        await self._pip(arguments, entries, platform)

    async def _pip(
        self, command: Sequence[str], entries: Sequence[LockEntry], platform: HostPlatform
    ) -> None:
        with tempfile.TemporaryDirectory(prefix="agi-wheels-") as scratch:
            folder = Path(scratch)
            (folder / "needed.txt").write_text("\n".join(entry.line for entry in entries) + "\n")
            argv = [*_PIP, *command, *_QUIET, "--requirement=needed.txt"]
            await _run_pip(argv, folder, platform.key)
            await asyncio.to_thread(self._adopt, folder, entries, platform)

    def _adopt(self, folder: Path, entries: Sequence[LockEntry], platform: HostPlatform) -> None:
        for path in sorted(folder.glob("*.whl")):
            for entry in (entry for entry in entries if _answers(path.name, entry)):
                wheel = self._store.put(path.name, path.read_bytes())
                self._store.remember(_need(entry, platform), wheel)


def own_platform() -> HostPlatform:
    """The platform of this very interpreter, which is the one that ``pip wheel`` builds for."""
    return HostPlatform.from_json(host_platform())


def _of(lock: Lock, platform: HostPlatform) -> list[LockEntry]:
    return [
        entry
        for entry in lock.entries
        if platform.applies(entry.requirement.marker) and platform.takes(entry.requirement.name)
    ]


def _need(entry: LockEntry, platform: HostPlatform) -> str:
    return digest_of(["locked.v1", entry.line, platform.tag])


def _answers(filename: str, entry: LockEntry) -> bool:
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return False
    return name == canonicalize_name(entry.requirement.name) and (
        entry.requirement.url is not None or entry.requirement.specifier.contains(version, True)
    )


async def _run_pip(argv: Sequence[str], folder: Path, where: str) -> None:
    try:
        done = await run_child(argv, deadline_s=_DEADLINE_S, idle_s=_IDLE_S, cwd=folder)
    except HostCommandTimeoutError as error:
        raise WheelsFailedError(error.what, where=where) from error
    if done.returncode:
        raise WheelsFailedError(_complaint(done.stderr.decode(errors="replace")), where=where)


def _complaint(stderr: str) -> str:
    lines = [line.strip() for line in masked(stderr).splitlines() if line.strip()]
    errors = [re.sub(r"^(ERROR|error):\s*", "", s) for s in lines if re.match("(?i)error:", s)]
    return (errors or lines[-1:] or ["pip said nothing"])[0]
