"""Long rounds of chaos by hand: ``uv run python tests/chaos/round.py --seed N --minutes M``.

It plays rounds of a minute each, with the seeds N, N+1, ..., until the time is up, and prints the
figures. A round that breaks a promise is printed with the command that plays it again; its
directory is kept.

With ``--hosts N`` the runs in cluster modes have N test hosts for their workers, and now and then
for their scheduler (see docs/test-hosts.md; this needs root). Then links, SSH servers, disks and
whole hosts fail as well, and what failed because of that is retried when the storm is over.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from harness import chaos_round, faults, host_faults
from harness.chaos_round import Round
from harness.figures import Figures

from agi_env.mode import Mode


def main(arguments: Sequence[str] | None = None) -> int:
    """Play rounds; 1 when a promise was broken."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    options = _parser().parse_args(arguments)
    first = Round(
        seed=options.seed,
        seconds=options.round_seconds,
        customers=options.customers,
        apps=options.apps,
        fault_names=tuple(options.faults),
        mean_pause_s=options.pause,
        modes=tuple(Mode(number) for number in options.modes),
        hosts=options.hosts,
        mean_calm_s=options.calm,
    )
    total, end, seed = Figures(), time.monotonic() + 60 * options.minutes, options.seed
    while seed == options.seed or time.monotonic() < end:
        total.add(_play(replace(first, seed=seed)))
        seed += 1
    print(f"\n{seed - options.seed} rounds, {total.seconds / 60:.1f} minutes")
    print("\n".join(total.lines()))
    return 1 if total.violations else 0


def _play(planned: Round) -> Figures:
    outcome = asyncio.run(chaos_round.play(planned))
    figures = outcome.figures
    print(
        f"seed {planned.seed}: {figures.runs.total()} runs, {figures.faults.total()} faults, "
        f"{len(figures.violations)} violations, {figures.seconds:.0f} s",
        flush=True,
    )
    for violation in figures.violations:
        print(f"  {violation}", flush=True)
    if figures.violations:
        print(f"  evidence: {outcome.root}")
        print(f"  again: {_command(planned)}", flush=True)
    return figures


def _command(planned: Round) -> str:
    words = ["uv run python tests/chaos/round.py", f"--seed {planned.seed} --minutes 0"]
    words += [f"--round-seconds {planned.seconds:g}", f"--customers {planned.customers}"]
    words += [f"--apps {planned.apps}", f"--pause {planned.mean_pause_s:g}"]
    if planned.hosts:
        words.append(f"--hosts {planned.hosts} --calm {planned.mean_calm_s:g}")
    if planned.fault_names:
        words.append(f"--faults {' '.join(planned.fault_names)}")
    if planned.modes:
        words.append(f"--modes {' '.join(str(int(mode)) for mode in planned.modes)}")
    return " ".join(words)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Seeded chaos against a real daemon.")
    parser.add_argument("--seed", type=int, default=1, help="the first round's seed")
    parser.add_argument("--minutes", type=float, default=1.0, help="begin rounds for so long")
    parser.add_argument("--round-seconds", type=float, default=60.0)
    parser.add_argument("--customers", type=int, default=3, help="runs ordered at the same time")
    parser.add_argument("--apps", type=int, default=2, choices=(1, 2, 3))
    parser.add_argument("--pause", type=float, default=0.25, help="mean seconds between faults")
    parser.add_argument("--modes", type=int, nargs="*", default=[], help="default: all there are")
    parser.add_argument("--hosts", type=int, default=0, help="test hosts to run on; needs root")
    calm = "mean seconds between faults of machines, with --hosts"
    parser.add_argument("--calm", type=float, default=1.5, help=calm)
    known = faults.LOCAL | faults.CLUSTER | faults.GIVEN_UP | host_faults.HOSTS | host_faults.DISKS
    names = ", ".join(fault.name for fault in known)
    parser.add_argument("--faults", nargs="*", default=[], help=f"parts of the names of: {names}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
