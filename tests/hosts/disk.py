"""What is on a test host's disk: laid out once, kept while the host is powered off and on."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from hosts import programs

PASSWORD = "correct horse"
"""The password of the account ``worker``."""
_HASH = (
    "$6$agitesthosts$02jAmtYxAfhJHyMHO7rNo3JmsgAfXs7C2SsFKQCjfLZheSNwFN3CzIrEV5HHXXYWvA8w38ScaQIN5jK"
    "kSQc4p0"
)
WORKER_ID = 1000

COPIED = (
    "alternatives",
    "bash.bashrc",
    "debian_version",
    "fuse.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "login.defs",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "profile",
    "protocols",
    "services",
    "terminfo",
)
"""What a host has of this machine's /etc: nothing that configures a package index."""
ETC = {
    "passwd": (
        "root:x:0:0:root:/root:/bin/bash\n"
        f"worker:x:{WORKER_ID}:{WORKER_ID}:worker:/home/worker:/bin/bash\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    ),
    "group": f"root:x:0:\ntty:x:5:\nworker:x:{WORKER_ID}:\nnogroup:x:65534:\n",
    "shadow": f"root:*:19000::::::\nworker:{_HASH}:19000::::::\nsshd:*:19000::::::\n",
    "resolv.conf": "",
    "shells": "/bin/sh\n/bin/bash\n",
}
FOLDERS = ("etc/ssh", "home", "mnt", "opt/uv", "root", "srv", "usr/local/bin", "usr/local/sbin")
VAR = ("cache", "lib", "log", "spool")


def lay_out(disk: Path, name: str, names: Mapping[str, str], home: str = "") -> None:
    """Make a disk with nothing on it but a system and two accounts.

    Args:
        disk: Where; it does not exist yet.
        name: The host's name.
        names: What the host calls the addresses of its network.
        home: How large a disk of its own root's home is on; empty: it is on that of all.
    """
    for folder in (*FOLDERS, *(f"var/{part}" for part in VAR)):
        (disk / folder).mkdir(parents=True)
    _var(disk / "var")
    _etc(disk / "etc", name, names)
    if home:
        mount_small(disk / "root", home)
    (disk / "usr/local/bin/uv").symlink_to("/opt/uv/uv")
    homes(disk)


def homes(disk: Path) -> None:
    """Make the homes of the accounts, empty."""
    for home, owner in ((disk / "root", 0), (disk / "home/worker", WORKER_ID)):
        home.mkdir(mode=0o700, exist_ok=True)
        for entry in home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        home.chmod(0o700)
        os.chown(home, owner, owner)


def mount_small(path: Path, size: str) -> None:
    """Mount a disk of its own, in memory, on a directory of this machine."""
    programs.run("mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", str(path))


def unmount_below(folder: Path) -> None:
    """Take away whatever is mounted below a directory of this machine."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for path in reversed(mounted):
        if Path(path).is_relative_to(folder):
            programs.run("umount", "-l", path, check=False)


def _var(var: Path) -> None:
    (var / "tmp").mkdir()
    (var / "tmp").chmod(0o1777)
    (var / "run").symlink_to("/run")
    (var / "lock").symlink_to("/run/lock")


def _etc(etc: Path, name: str, names: Mapping[str, str]) -> None:
    for entry in (*map(Path("/etc").joinpath, COPIED), *Path("/etc").glob("python3*")):
        _copy(entry, etc / entry.name)
    for file, text in ETC.items():
        (etc / file).write_text(text)
    (etc / "shadow").chmod(0o600)
    (etc / "hostname").write_text(f"{name}\n")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    lines = ("127.0.0.1 localhost", "::1 localhost", *(f"{at} {of}" for at, of in names.items()))
    (etc / "hosts").write_text("\n".join(lines) + "\n")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    elif source.is_symlink() or source.exists():
        shutil.copy2(source, target, follow_symlinks=False)
