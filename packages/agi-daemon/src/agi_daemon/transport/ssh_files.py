"""Small files of a host that is reached over SSH, each time in one command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path, PurePosixPath

from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.atomic_file import storage_error
from agi_env.errors import NotFoundError, OutputTooLargeError, RefusedError

_NOT_THERE = 44
_READ = (
    'case $1 in "~"/*) set -- "$HOME/${1#*/}" "$2";; esac; '
    f'[ -e "$1" ] || exit {_NOT_THERE}; exec head -c "$2" -- "$1"'
)


async def read_file(
    host: HostTransport, path: PurePosixPath, *, deadline_s: float, max_bytes: int
) -> bytes:
    """Read a small file with the host's shell; see ``HostTransport.read_file``."""
    where = f"{host.host}:{path}"
    done = await host.run(
        ["sh", "-c", _READ, "agi", str(path), str(max_bytes + 1)],
        deadline_s=deadline_s,
        max_output_bytes=max_bytes + 1,
    )
    if done.returncode == _NOT_THERE:
        raise NotFoundError("there is no such file", where=where)
    if done.returncode:
        raise RefusedError(f"it cannot be read: {_last_words(done)}", where=where)
    if len(done.stdout) > max_bytes:
        raise OutputTooLargeError(f"the file exceeds {max_bytes} bytes", where=where)
    return done.stdout


async def write_files(
    host: HostTransport, directory: PurePosixPath, files: Mapping[str, bytes], *, deadline_s: float
) -> None:
    """Write small files with the host's Python; see ``HostTransport.write_files``."""
    order = {
        "directory": str(directory),
        "files": [[name, len(content)] for name, content in files.items()],
    }
    done = await host.run(
        [host.python, "-I", "-S", "-c", _program()],
        stdin=b"".join([json.dumps(order).encode(), b"\n", *files.values()]),
        deadline_s=deadline_s,
    )
    if done.returncode:
        where = f"{host.host}:{directory}"
        raise RefusedError(f"it cannot be written: {_last_words(done)}", where=where)
    answer = json.loads(done.stdout)
    if answer:
        error = OSError(answer["errno"], answer["reason"])
        raise storage_error(error, Path(f"{host.host}:{directory}"))


@cache
def _program() -> str:
    return resources.files(__package__).joinpath("files_on_host.py").read_text()


def _last_words(done: Completed) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"code {done.returncode}"
