"""Asking an app for its partitions: its code runs in a bounded child in its own build."""

from __future__ import annotations

import asyncio
import json

from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning.named import Named
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import AgiError, HostCommandTimeoutError, PartitionsFailedError, error_from
from agi_env.module_command import module_command
from agi_env.runtime.partition_block import PartitionBlock

DEADLINE_S = 120.0
"""Seconds that an app has to name its partitions."""

_MARGIN_S = 15.0  # the child keeps its time itself and ends tidily, unless it is stuck

LOG_TAIL = "log_tail"
"""The fact of an error that has the end of what the app printed."""

MAX_TAIL_CHARS = 2000
"""How much of it that is: what is sent with a gRPC status is short."""

MOST_BYTES = 512 * 1024 * 1024
"""What the names, labels, weights and payloads of all partitions may amount to as JSON."""


async def name_partitions(transport: HostTransport, build: str, resolution: Resolution) -> Named:
    """The partitions that the app's manager side names for these arguments.

    Args:
        transport: The host of the build.
        build: The path of the build there.
        resolution: The call.

    Raises:
        AppImportError: The manager side cannot be imported.
        PartitionsFailedError: It raised, ended, took too long, or named an id twice.
    """
    request = {
        "app": resolution.app,
        "target": resolution.target,
        "mode": int(resolution.mode),
        "verbose": resolution.verbose,
        "args": resolution.args,
        "data_in": resolution.data_in,
        "data_out": resolution.data_out,
        "timeout_s": DEADLINE_S,
    }
    try:
        completed = await transport.run(
            module_command(f"{build}/bin/python", "agi_env.runtime.naming"),
            stdin=json.dumps(request).encode(),
            deadline_s=DEADLINE_S + _MARGIN_S,
            max_output_bytes=MOST_BYTES,
        )
    except HostCommandTimeoutError as error:
        raise PartitionsFailedError(
            f"partitions() did not end within {DEADLINE_S:g} s", where=resolution.app
        ) from error
    if completed.returncode != 0:
        failure = _failure(completed, resolution.app)
        if tail := _printed(completed)[-MAX_TAIL_CHARS:]:
            failure.metadata[LOG_TAIL] = tail
        raise failure
    return await asyncio.to_thread(_named, completed)


def _named(completed: Completed) -> Named:
    lines = completed.stdout.splitlines()
    return Named([PartitionBlock.from_line(line) for line in lines], _printed(completed))


def _printed(completed: Completed) -> str:
    return completed.stderr.decode(errors="replace")


def _failure(completed: Completed, app: str) -> AgiError:
    """The error in the last line, or else how the process ended and what it said last."""
    lines = completed.stdout.splitlines()
    if lines and lines[-1].startswith(b'{"error": '):
        error = json.loads(lines[-1])["error"]
        facts = error["metadata"]
        return error_from(error["code"], {**facts, "app": app, "where": facts["where"] or app})
    said = _printed(completed).strip().splitlines()
    words = f": {said[-1]}" if said else ""
    what = f"the process that names the partitions ended with {completed.returncode}{words}"
    return PartitionsFailedError(what, where=app)
