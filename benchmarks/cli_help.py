"""What `agi --help` costs, beside a bare interpreter and `import typer`.

Processor time (user and system) of whole processes with warm bytecode, taken in turns so that all
meet the same machine; medians with the middle half of the values.

usage: python benchmarks/cli_help.py [ROUNDS]      default 21
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

AIM_SECONDS = 0.2
AGI = "from agi_cli.main import main; main()"
COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "import typer": ["-c", "import typer"],
    "import grpc": ["-c", "import grpc"],
    "agi --help": ["-c", AGI, "--help"],
    "agi run --help": ["-c", AGI, "run", "--help"],
}


def cpu_seconds(arguments: list[str]) -> float:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        env=environ,
        timeout=60,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int) -> None:
    for arguments in COMMANDS.values():
        cpu_seconds(arguments)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu_seconds(arguments))
    bare = statistics.median(times["bare interpreter"])
    print(f"{'':18}{'CPU':>9}{'middle half':>18}{'x bare':>8}")
    for name, values in times.items():
        median = statistics.median(values)
        low, _, high = statistics.quantiles(values, n=4)
        print(
            f"{name:18}{median * 1000:6.0f} ms{low * 1000:10.0f} - {high * 1000:.0f} ms"
            f"{median / bare:8.1f}"
        )
    median = statistics.median(times["agi --help"])
    print(f"aim for agi --help: {AIM_SECONDS * 1000:.0f} ms, {median / AIM_SECONDS:.2f} of it used")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
