"""Faults of disks and of the share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hosts import disk, programs
from hosts.host import Fault, Host

STALE = Path(__file__).with_name("stale_mount.py")
_KEPT = "/run/agi-share"
_PAGE = 4096
_TURNS = 8
"""How often what is left of a disk is taken, as others give room back meanwhile."""
_FULL = """\
mkdir -p "$1" /run/agi-disk
mount -t tmpfs -o "size=$2,mode=700" tmpfs /run/agi-disk
cp -a "$1/." /run/agi-disk/
mount --move /run/agi-disk "$1"
cat /dev/zero > "$1/.full" 2>/dev/null || test -s "$1/.full"
"""
_STALE = """\
rm -f /run/agi-stale
setsid "$@" > /run/agi-stale 2>&1 < /dev/null &
until [ -s /run/agi-stale ]; do kill -0 $!; sleep 0.01; done
grep -q mounted /run/agi-stale || { cat /run/agi-stale >&2; exit 1; }
"""


def disk_full(path: str, size: str = "16m") -> Fault:
    """No byte is left where this directory of the host is; what is in it stays as it is.

    Args:
        path: An absolute path on the host; made where it is missing.
        size: How large the disk is, as tmpfs reads it. What is in the directory must fit.
    """

    def fault(host: Host) -> Iterator[None]:
        with _mounted(host, path, _FULL, path, size):
            yield

    return fault


def home_full(host: Host) -> Iterator[None]:
    """No byte is left on the disk that root's home is on, whoever has a file open there.

    Raises:
        ValueError: The home is on no disk of its own: the cluster was made without ``home``.
    """
    home = host.disk / "root"
    if not home.is_mount():
        raise ValueError(f"the home of {host.name} is on no disk of its own")
    with filled(home):
        yield


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """Have a disk of its own, in memory, at an empty directory of this machine.

    Args:
        path: The directory.
        size: How large the disk is, as tmpfs reads it.
    """
    disk.mount_small(path, size)
    try:
        yield
    finally:
        programs.run("umount", "-l", str(path))


@contextmanager
def filled(path: Path) -> Iterator[None]:
    """Leave no byte on the disk that is mounted here; what is on it stays as it is."""
    filler = path / ".filler"
    try:
        with filler.open("ab", buffering=0) as file:
            for _ in range(_TURNS):
                state = os.statvfs(path)
                _take(file.fileno(), state.f_bavail * state.f_frsize)
        yield
    finally:
        filler.unlink(missing_ok=True)


def _take(file: int, size: int) -> None:
    # Others take room meanwhile: then the half is asked for.
    while size >= _PAGE:
        with suppress(OSError):
            os.posix_fallocate(file, os.fstat(file).st_size, size)
            return
        size //= 2


def share_read_only(host: Host) -> Iterator[None]:
    """The share can be read and not be written."""
    boot = host.boot
    _remount(host, "ro")
    yield
    if host.boot == boot:
        _remount(host, "rw")


def share_is_another(host: Host) -> Iterator[None]:
    """Another directory is mounted where the share should be."""
    share = str(host.share)
    with _mounted(host, share, 'mkdir -p /srv/other && mount --bind /srv/other "$1"', share):
        yield


def share_not_mounted(host: Host) -> Iterator[None]:
    """At the share's place is a directory of the host's own disk, which can be written."""
    boot, share = host.boot, str(host.share)
    _script(host, f'mkdir -p {_KEPT} && mount --bind "$1" {_KEPT} && umount -l "$1"', share)
    yield
    if host.boot == boot:
        _script(host, f'mount --bind {_KEPT} "$1" && umount {_KEPT}', share)


def share_stale(host: Host) -> Iterator[None]:
    """The share's server is gone, as with sshfs: who looks there hangs and cannot be killed."""
    program = ("python3", "-I", "-c", STALE.read_text(), str(host.share))
    with _mounted(host, str(host.share), _STALE, *program):
        yield
        if host.boot:
            host.machine.kill(STALE.stem)


def _remount(host: Host, how: str) -> None:
    host.run("mount", "-o", f"remount,bind,{how}", str(host.share))


@contextmanager
def _mounted(host: Host, path: str, script: str, *words: str) -> Iterator[None]:
    """Have what a script mounts at a path, for as long as this lasts."""
    boot = host.boot
    _script(host, script, *words)
    yield
    if host.boot == boot:
        host.run("umount", "-l", path)


def _script(host: Host, text: str, *words: str) -> None:
    host.run("sh", "-ec", text, "sh", *words)
