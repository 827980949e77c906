"""Asking a host what it is, in one round trip."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from attrs import frozen

from agi_cluster.text import one_line
from agi_daemon.install.on_host import SURVEY
from agi_daemon.store.codec import structured
from agi_daemon.transport.host_program import START
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import HostError, error_from

DEADLINE_S = 25.0
"""Seconds that a host has to say what it is, the connection included."""

REMOTE_ROOT = PurePosixPath("~/.local/state/agi-host")
"""Below it each machine has a directory of its own: a home may be shared by many."""

LAUNCH = """
old='import sys; sys.exit(sys.version_info < (3, 8))'
for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8 \
    "$HOME"/.local/bin/python3* "$HOME"/.local/share/uv/python/*/bin/python3; do
  path=$(command -v "$name" 2>/dev/null) || continue
  "$path" -I -c "$old" </dev/null >/dev/null 2>&1 && exec "$path" -I -c "$1"
done
printf '{"error": {"code": "PYTHON_MISSING", "metadata": {"what": "it has no Python"}}}\\n'
"""
"""Finds any Python 3.8 or later and executes in it what its argument says."""


@frozen(kw_only=True)
class Survey:
    """What a host said about itself."""

    account: str
    home: str
    root: str
    cores: int
    memory_bytes: int
    platform: str
    os: str
    libc: str
    python_version: str
    python_path: str
    """The Python to use; empty where none is of 3.11 or later."""
    pythons: tuple[str, ...]
    uv_version: str
    uv_path: str
    gpus: tuple[str, ...]
    disk_free_bytes: int
    boot_id: str
    clock_offset: float
    """Seconds by which its clock is ahead of ours, give or take the time of one way."""


async def survey(
    transport: HostTransport, *, shared_home: bool, python: str = "", uv: str = ""
) -> Survey:
    """Ask a host what it is.

    Args:
        transport: The way to it.
        shared_home: Its root is below a home that may be shared: give it a directory of its own.
        python: The Python to prefer, while it is there and new enough.
        uv: The uv to use; empty: the first that a login finds.

    Raises:
        PythonMissingError: It has no Python at all.
        AgiError: It cannot be asked; the code says why.
    """
    base = transport.root
    request = {"root": str(base), "shared_home": shared_home, "python": python, "uv": uv}
    arrivals: list[float] = []
    done = await transport.run(
        ["sh", "-c", LAUNCH, "agi", START],
        stdin=SURVEY.sources + json.dumps(request).encode() + b"\n",
        deadline_s=DEADLINE_S,
        on_line=lambda _: arrivals.append(time.time()),
    )
    answer = _answer(done, transport.host)
    now = answer.pop("time")
    offset = now - (arrivals[-1] if arrivals else time.time())
    return structured({**answer, "clock_offset": offset}, Survey)


def _answer(done: Completed, host: str) -> dict[str, Any]:
    lines = done.stdout.splitlines()
    try:
        answer: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    except ValueError:
        answer = {}
    if "error" in answer:
        raise _located(answer["error"], host)
    if not answer:
        said = one_line(done.stderr.decode(errors="replace")) or "nothing"
        raise HostError(
            f"it does not say what it is: exit code {done.returncode}, it said {said}",
            where=host,
            remedy=f"See what `sh` does for that login, then `agi hosts check {host}`",
            metadata={"host": host},
        )
    return answer


def _located(error: Mapping[str, Any], host: str) -> Exception:
    facts = error["metadata"]
    place = facts.get("where", "")
    where = f"{host}:{place}" if place else host
    return error_from(error["code"], {**facts, "where": where, "host": host})
