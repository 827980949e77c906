"""Asking an app for its partitions: its code runs in a bounded child in its own build."""

from __future__ import annotations

import json
from collections.abc import Iterator

from agi_daemon.apps.resolution import Resolution
from agi_daemon.transport.host_transport import Completed, HostTransport
from agi_env.errors import HostCommandTimeoutError, PartitionsFailedError, error_from
from agi_env.runtime.partitions import Partition

DEADLINE_S = 120.0
"""Seconds that an app has to name its partitions."""

MOST_BYTES = 512 * 1024 * 1024
"""What the names, labels, weights and payloads of all partitions may amount to as JSON."""


async def name_partitions(
    transport: HostTransport, build: str, resolution: Resolution
) -> list[Partition]:
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
    }
    try:
        completed = await transport.run(
            [f"{build}/bin/python", "-m", "agi_env.runtime.naming"],
            stdin=json.dumps(request).encode(),
            deadline_s=DEADLINE_S,
            max_output_bytes=MOST_BYTES,
        )
    except HostCommandTimeoutError as error:
        raise PartitionsFailedError(
            f"partitions() did not end within {DEADLINE_S:g} s", where=resolution.app
        ) from error
    return list(_read(completed, resolution.app))


def _read(completed: Completed, app: str) -> Iterator[Partition]:
    for line in completed.stdout.splitlines():
        facts = json.loads(line)
        if "error" in facts:
            raise error_from(facts["error"]["code"], facts["error"]["metadata"])
        yield Partition(facts["id"], facts["label"], facts["weight"], facts["payload"])
    if completed.returncode != 0:
        lines = completed.stderr.decode(errors="replace").strip().splitlines()
        said = f": {lines[-1]}" if lines else ""
        raise PartitionsFailedError(
            f"the process that names the partitions ended with {completed.returncode}{said}",
            where=app,
        )
