"""Faults of what is installed on a host: uv, Python, and the clock as programs read it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hosts.host import Fault, Host
from hosts.programs import UnavailableError

_REAL = "/run/agi-bin"
_HIDE = """\
mkdir -p {real}
mount --bind /usr/bin {real}
mount -t tmpfs -o mode=755 tmpfs /usr/bin
PATH={real}
ln -s {real}/* /usr/bin/
cd /usr/bin
rm -f {without}
"""
_OLD_PYTHON = """\
#!/bin/bash
case "$1" in -V|--version) echo "Python {version}"; exit;; esac
AGI_TEST_PYTHON={version} exec -a /usr/bin/python3 {real}/python3 "$@"
"""
_OLD_SITE = """\
import os, sys
from collections import namedtuple
if said := os.environ.get("AGI_TEST_PYTHON"):
    kind = namedtuple("version_info", "major minor micro releaselevel serial")
    numbers = [int(word) for word in said.split(".")]
    sys.version_info = kind(*numbers, "final", 0)
    sys.hexversion = (numbers[0] << 24) + (numbers[1] << 16) + (numbers[2] << 8) + 0xF0
    sys.version = said + sys.version[sys.version.index(" "):]
"""
_CLOCK_SITE = """\
import time
def _shifted(read, offset):
    return lambda: read() + offset
def _shifted_of(read, offset):
    return lambda clock: read(clock) + (offset if clock == time.CLOCK_REALTIME else 0)
time.time = _shifted(time.time, {offset})
time.time_ns = _shifted(time.time_ns, {offset} * 10**9)
time.clock_gettime = _shifted_of(time.clock_gettime, {offset})
time.clock_gettime_ns = _shifted_of(time.clock_gettime_ns, {offset} * 10**9)
"""
_CLOCK_DATE = f"""\
#!/bin/sh
exec {_REAL}/date -d '{{offset}} seconds' "$@"
"""


def no_uv(host: Host) -> Iterator[None]:
    """There is no uv."""
    program = host.disk / "usr/local/bin/uv"
    target = program.readlink()
    program.unlink()
    yield
    program.symlink_to(target)


def no_python(host: Host) -> Iterator[None]:
    """There is no Python at all."""
    with _programs(host, {}, without="python*"):
        yield


def old_python(version: str = "3.9.2") -> Fault:
    """The only Python says that it is this version, to whoever runs it or asks it inside."""

    def fault(host: Host) -> Iterator[None]:
        said = _OLD_PYTHON.format(version=version, real=_REAL)
        names = ("python3", f"python{version.rpartition('.')[0]}")
        with _site(host, _OLD_SITE), _programs(host, dict.fromkeys(names, said), "python*"):
            yield

    return fault


def clock_wrong(offset_s: int = 3600) -> Fault:
    """The clock is ahead by this much, or behind.

    What reads it: ``date``, and the functions of the module ``time`` in every Python. The kernel's
    own (times of files, `datetime.now`) is this machine's and stays right.
    """

    def fault(host: Host) -> Iterator[None]:
        date = _CLOCK_DATE.format(offset=f"{offset_s:+d}")
        site = _CLOCK_SITE.format(offset=offset_s)
        with _site(host, site), _programs(host, {"date": date}, without="date"):
            yield

    return fault


@contextmanager
def _programs(host: Host, others: dict[str, str], without: str) -> Iterator[None]:
    """Have /usr/bin without some programs, and with others of these texts."""
    boot = host.boot
    host.run("sh", "-ec", _HIDE.format(real=_REAL, without=without))
    for name, text in others.items():
        script = 'cat > "$1" && chmod 755 "$1"'
        host.run("sh", "-ec", script, "sh", f"/usr/bin/{name}", text=text)
    yield
    if host.boot == boot:
        host.run("umount", "-l", "/usr/bin", _REAL)


@contextmanager
def _site(host: Host, text: str) -> Iterator[None]:
    """Have every Python of the host begin with this: Debian's reads it from /etc."""
    found = [*host.disk.glob("etc/python3*/sitecustomize.py")]
    if not found:
        raise UnavailableError("the system's python3 reads no sitecustomize.py from /etc")
    kept = [(file, file.read_bytes()) for file in found]
    for file in found:
        file.write_text(text)
    yield
    for file, content in kept:
        file.write_bytes(content)
