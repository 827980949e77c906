"""PID 1 of a test host: makes the host's root of its disk and the system's programs, then reaps.

Run by the system's own Python, in namespaces of its own, as ``python3 -I -S init.py SPEC``. Nothing
of the machine around it is to be seen but the system's programs. The host is on for as long as the
other end of its standard input is open: it goes with whoever made it, however that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path

RDONLY, REMOUNT, BIND = 1, 32, 4096
DETACH = 2
PR_CAPBSET_DROP, CAP_SYS_TIME = 24, 25
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "fuse")
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: object) -> None:
    """Raise what the system says of a call that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(what))


def mount(source: object, target: Path, kind: str = "none", flags: int = 0, how: str = "") -> None:
    """mount(2); the target is made."""
    target.mkdir(parents=True, exist_ok=True)
    words = (os.fsencode(str(source)), os.fsencode(target), kind.encode(), flags, how.encode())
    checked(LIBC.mount(*words), target)


def bind(source: Path, target: Path, *, read_only: bool = False) -> None:
    """Have a file or a directory at a second place."""
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    for flags in (BIND, BIND | REMOUNT | RDONLY)[: 1 + read_only]:
        words = (os.fsencode(source), os.fsencode(target), b"none", flags, None)
        checked(LIBC.mount(*words), target)


def system(root: Path) -> None:
    """The programs of the machine around, read-only."""
    for name in SYSTEM:
        source = Path("/", name)
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            bind(source, root / name, read_only=True)


def kernel(root: Path) -> None:
    """/proc, /sys and /dev of these namespaces, with a boot id of this boot."""
    mount("proc", root / "proc", "proc")
    mount("sysfs", root / "sys", "sysfs", RDONLY)
    mount("tmpfs", root / "dev", "tmpfs", 0, "mode=755,size=1m")
    for name in DEVICES:
        if Path("/dev", name).exists():
            bind(Path("/dev", name), root / "dev" / name)
    mount("devpts", root / "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (root / "dev" / name).symlink_to(f"/proc/self/fd{target}")
    mount("tmpfs", root / "dev/shm", "tmpfs", 0, "mode=1777")
    boot_id = root / "run/boot_id"
    boot_id.write_text(f"{uuid.uuid4()}\n")
    bind(boot_id, root / "proc/sys/kernel/random/boot_id", read_only=True)


def storage(root: Path, disk: Path) -> None:
    """The host's disk, and what is empty after each start."""
    for entry in (*disk.iterdir(), disk / "usr/local"):
        if entry.name != "usr":
            bind(entry, root / entry.relative_to(disk))
    mount("tmpfs", root / "tmp", "tmpfs", 0, "mode=1777")
    mount("tmpfs", root / "run", "tmpfs", 0, "mode=755")
    for name in ("sshd", "lock"):
        (root / "run" / name).mkdir(mode=0o755)


def enter(root: Path) -> None:
    """Have this root, and lose sight of the one around."""
    os.chdir(root)
    checked(LIBC.pivot_root(b".", b"."), root)
    checked(LIBC.umount2(b".", DETACH), "the root around")
    os.chdir("/")


def reap(*_: object) -> None:
    """Bury every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stay() -> None:
    """Reap orphans until the maker's end of our standard input is closed."""
    awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, reap)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        reap()
        readable, _, _ = select.select([0, awake], [], [])
        if awake in readable:
            os.read(awake, 4096)
        if 0 in readable and not os.read(0, 4096):
            return


def boot(spec: dict[str, str], shares: list[str]) -> None:
    """Make the host of these namespaces."""
    root = Path(spec["root"])
    os.umask(0o022)
    mount("tmpfs", root, "tmpfs", 0, "mode=755,size=64m")
    system(root)
    storage(root, Path(spec["disk"]))
    kernel(root)
    bind(Path(spec["uv"]), root / "opt/uv/uv", read_only=True)
    for share in shares:
        bind(Path(share), root / share[1:])
    socket.sethostname(spec["name"])
    enter(root)
    # The clock is the machine's around: nobody in here may set it.
    checked(LIBC.prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0), "prctl")
    ipv6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    if ipv6.exists():
        ipv6.write_text("0")


def main() -> None:
    """Boot, start the SSH server, say so, and stay."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    boot(spec, spec["shares"])
    subprocess.run(spec["sshd"], stdin=subprocess.DEVNULL, check=True, timeout=30)
    os.write(1, b"on\n")
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    stay()


if __name__ == "__main__":
    main()
