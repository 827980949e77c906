"""What the system adds on one machine, each figure beside a floor measured in the same run.

    uv run python benchmarks/local_overhead.py [ROUNDS]

Times are wall seconds, medians of the rounds with their spread, the two sides alternating. The
aims are 0.3 s each for a run of mode 0 with nothing to do, an unchanged install and a plan of 16
partitions, and 80 MB for an idle daemon.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agi_cluster.client.sync import Client
from agi_cluster.model.installation import Installation
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.testing import running_daemon
from agi_env.mode import Mode

APPS = Path(__file__).parent / "apps"
NOTHING = APPS / "nothing_project"
SIXTEEN = APPS / "sixteen_project"

BARE_SERVER = """
import asyncio, grpc, sys
async def main():
    server = grpc.aio.server()
    server.add_insecure_port("unix:" + sys.argv[1])
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()
asyncio.run(main())
"""

DIRECT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from agi_env.runtime.app_context import AppContext
from {target}.{target} import {manager}
context = AppContext("{target}_project", "{target}", 0, 0, Path("/tmp"), Path("/tmp"))
print(len(list({manager}(context, **{args}).partitions())))
"""


def run_nothing(client: Client) -> None:
    run = client.start_run(StartRun(app=str(NOTHING), mode=Mode.PLAIN))
    last = [update for update, _ in client.watch_run(run.id) if isinstance(update, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error


def install_nothing(client: Client) -> None:
    name = client.create_installation(CreateInstallation(app=str(NOTHING))).id
    updates = [each for each, _ in client.watch_installation(name)]
    last = [each for each in updates if isinstance(each, Installation)][-1]
    assert last.unchanged, last


def plan_sixteen(client: Client) -> None:
    plan = client.create_plan(CreatePlan(app=str(SIXTEEN), args={"partitions": 16}))
    assert plan.partition_count == 16


def direct(app: Path, args: str) -> Callable[[], None]:
    """The app's own code in a bare interpreter: the least that naming its partitions can cost."""
    target = app.name.removesuffix("_project")
    program = DIRECT.format(target=target, manager=target.capitalize(), args=args)
    command = [sys.executable, "-c", program, str(app / "src")]
    return lambda: _quietly(command)


def uv_unchanged(folder: Path) -> Callable[[], None]:
    """An install by uv that finds everything there."""
    command = ["uv", "pip", "install", "--quiet", "--offline", "--python", str(folder), "tomlkit"]
    _quietly(["uv", "venv", "--quiet", str(folder)])
    _quietly([part for part in command if part != "--offline"])
    return lambda: _quietly(command)


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def compare(
    name: str, floor: str, ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> None:
    for side in (ours, theirs):
        side()
    pairs = [(_seconds(ours), _seconds(theirs)) for _ in range(rounds)]
    mine, other = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = statistics.median(mine) / statistics.median(other)
    print(f"{name:34} {_shown(mine)}   {floor:30} {_shown(other)}   ratio {ratio:5.2f}")


def _seconds(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _shown(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})"


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(pid)


def compare_memory(daemon_pid: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", BARE_SERVER, f"{folder}/s.sock"]
        bare = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert bare.stdout is not None
        bare.stdout.readline()
        ours, theirs = resident_mib(daemon_pid), resident_mib(bare.pid)
        bare.kill()
        bare.wait()
    line = f"{ours:.0f} MiB   bare grpc.aio server {theirs:.0f} MiB   ratio {ours / theirs:.2f}"
    print(f"{'idle daemon':34} {line}")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with running_daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        compare_memory(daemon.pid)
        with daemon.client() as client:
            client.start_run(StartRun(app=str(NOTHING), mode=Mode.PLAIN))
            run_nothing(client)
            naming = direct(NOTHING, "{}")
            compare(
                "run, mode 0, nothing to do",
                "the app's naming alone",
                _on(run_nothing, client),
                naming,
                rounds,
            )
            uv = uv_unchanged(Path(folder) / "venv")
            compare(
                "install, unchanged",
                "uv pip install, unchanged",
                _on(install_nothing, client),
                uv,
                rounds,
            )
            sixteen = direct(SIXTEEN, "{'partitions': 16}")
            compare(
                "plan of 16 partitions",
                "the app's naming alone",
                _on(plan_sixteen, client),
                sixteen,
                rounds,
            )


def _on(action: Callable[[Client], None], client: Client) -> Callable[[], None]:
    return lambda: action(client)


if __name__ == "__main__":
    main()
