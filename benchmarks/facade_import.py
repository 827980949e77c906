"""What `import AGI` costs, beside a bare interpreter and `import grpc`.

Processor time (user and system) and peak memory of whole processes, taken in turns so that all
meet the same machine; medians with the middle half of the values.

usage: python benchmarks/facade_import.py [ROUNDS]      default 21
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

CODES = {
    "bare interpreter": "pass",
    "import grpc": "import grpc",
    "facade": "from agi_cluster.agi_distributor import AGI; from agi_env import AgiEnv",
    "async client": "from agi_cluster.client import AsyncClient",
}
AIM_SECONDS, AIM_MIB = 0.15, 40
PEAK = "\nimport resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


def environment() -> dict[str, str]:
    """Ours, with bytecode: what an installed package has."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def cpu_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment(), timeout=60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def peak_mib(code: str) -> float:
    command = [sys.executable, "-c", code + PEAK]
    done = subprocess.run(command, check=True, env=environment(), timeout=60, capture_output=True)
    return int(done.stdout) / 1024


def main(rounds: int) -> None:
    for code in CODES.values():
        cpu_seconds(code)
    times: dict[str, list[float]] = {name: [] for name in CODES}
    for _ in range(rounds):
        for name, code in CODES.items():
            times[name].append(cpu_seconds(code))
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare, grpc = medians["bare interpreter"], medians["import grpc"]
    print(f"{'':18}{'CPU':>9}{'middle half':>18}{'x bare':>8}{'x grpc':>8}{'peak':>11}")
    for name, median in medians.items():
        low, _, high = statistics.quantiles(times[name], n=4)
        print(
            f"{name:18}{median * 1000:6.0f} ms{low * 1000:10.0f} - {high * 1000:.0f} ms"
            f"{median / bare:8.1f}{median / grpc:8.2f}{peak_mib(CODES[name]):7.0f} MiB"
        )
    peak = peak_mib(CODES["facade"])
    print(f"facade: {medians['facade']:.3f} s of {AIM_SECONDS} s, {peak:.0f} MiB of {AIM_MIB} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
