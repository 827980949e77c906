"""The same work as `sixteen_project` through Dask alone, as one would write it by hand.

    python benchmarks/plain_dask.py WORKERS EACH SPIN_MS

A scheduler, as many `dask worker --no-nanny --nthreads 1` processes, TLS, and `client.map` of all
partitions. Prints when the first partition started and when the last ended, in unix seconds, and
the seconds between, once all workers have joined and each has imported the app.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import distributed

SOURCES = Path(__file__).parent / "apps" / "sixteen_project" / "src"
JOIN_S = 60.0


def work(number: int, spin_ms: float) -> tuple[float, float]:
    """Do one partition; return when it began and when it ended."""
    # Imported where it runs: the process that calls `map` needs no app.
    from sixteen_worker.sixteen_worker import SixteenWorker  # noqa: PLC0415

    from agi_env import Partition  # noqa: PLC0415
    from agi_env.runtime.app_context import AppContext  # noqa: PLC0415

    here = Path("/tmp")
    begun = time.time()
    context = AppContext("sixteen_project", "sixteen", 0, 0, here, here)
    SixteenWorker(context, spin_ms=spin_ms).work(Partition.of(str(number)), here)
    return begun, time.time()


@contextlib.contextmanager
def workers(address: str, count: int, folder: Path) -> Iterator[None]:
    """Processes of `dask worker`, killed at the end."""
    tls = [f"--tls-{kind}={folder / kind}.pem" for kind in ("ca-file", "cert", "key")]
    options = ["--no-nanny", "--nthreads=1", "--no-dashboard", f"--local-directory={folder}"]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, *options, *tls]
    paths = os.pathsep.join([str(SOURCES), str(Path(__file__).parent)])
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": paths},
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            stack.callback(process.wait)
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
        yield


@contextlib.asynccontextmanager
async def cluster(count: int) -> AsyncIterator[Any]:
    """A client of a scheduler that all workers have joined."""
    security = distributed.Security.temporary()
    with tempfile.TemporaryDirectory() as folder:
        pems = {"ca-file": security.tls_ca_file, "cert": security.tls_worker_cert}
        for name, pem in {**pems, "key": security.tls_worker_key}.items():
            (Path(folder) / f"{name}.pem").write_text(str(pem))
        scheduler = distributed.Scheduler(
            host="127.0.0.1", port=0, protocol="tls", security=security, dashboard=False
        )
        async with scheduler:
            with workers(scheduler.address, count, Path(folder)):
                async with distributed.Client(
                    scheduler.address, security=security, asynchronous=True
                ) as client:
                    await client.wait_for_workers(count, timeout=JOIN_S)
                    yield client


async def span(count: int, each: int, spin_ms: float) -> tuple[float, float]:
    """The first partition's start and the last one's end."""
    async with cluster(count) as client:
        await client.run(work, -1, 0.0)
        futures = client.map(work, range(count * each), spin_ms=spin_ms, pure=False)
        spans = await client.gather(futures)
    return min(begin for begin, _ in spans), max(end for _, end in spans)


def main() -> None:
    logging.getLogger("distributed").setLevel(logging.WARNING)
    count, each, spin_ms = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    begin, end = asyncio.run(span(count, each, spin_ms))
    print(begin, end, end - begin)


if __name__ == "__main__":
    main()
