"""How good placements are and what they cost, with plain longest-first and prtpy beside them.

Run it with ``uv run python benchmarks/planning.py``; ``--quick`` leaves out the million.

The first table has 20 draws of log-normal weights (sigma 0.5) for each case. Gaps are relative to
the lower bound, and "closed" is how much of plain longest-first's mean gap is gone. prtpy knows
equal slots only. The second table is the cost of one placement, from loaded arrays, beside plain
longest-first in the same process: the ratio is what to compare between machines.
"""

from __future__ import annotations

import argparse
import random
import time
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heapreplace
from typing import TypeVar

import prtpy

from agi_daemon.planning import Slot, place

T = TypeVar("T")

DRAWS = 20
CASES = [(11, 16), (36, 8), (200, 64), (320, 64), (1000, 300), (10_000, 64)]
SIZES = [1_000, 10_000, 100_000, 1_000_000]
SLOTS = 1000
PRTPY_LIMIT = 10_000
COMPARED = {
    "prtpy kk": prtpy.partitioning.karmarkar_karp,
    "prtpy multifit": prtpy.partitioning.multifit,
}


def plain_longest_first(weights: Sequence[float], speeds: Sequence[float]) -> float:
    """Finish of longest-first; on unequal slots by comparing all of them for every weight."""
    loads = [0.0] * len(speeds)
    if len(set(speeds)) == 1:
        return max(_on_equal_slots(weights, len(speeds))) / speeds[0]
    for weight in sorted(weights, reverse=True):
        ends = [(load + weight) / speed for load, speed in zip(loads, speeds, strict=True)]
        loads[ends.index(min(ends))] += weight
    return max(load / speed for load, speed in zip(loads, speeds, strict=True))


def _on_equal_slots(weights: Sequence[float], slots: int) -> list[float]:
    queue, chosen = [(0.0, slot) for slot in range(slots)], [0] * len(weights)
    for each in sorted(range(len(weights)), key=weights.__getitem__, reverse=True):
        load, chosen[each] = queue[0]
        heapreplace(queue, (load + weights[each], chosen[each]))
    return [load for load, _ in queue]


def timed(call: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    value = call()
    return value, time.perf_counter() - start


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def speeds_of(kind: str, slots: int, draw: random.Random) -> list[float]:
    if kind == "equal":
        return [1.0] * slots
    if kind == "three":
        return [draw.choice([1.0, 1.5, 2.0]) for _ in range(slots)]
    return [draw.uniform(0.5, 2.0) for _ in range(slots)]


def slots_of(speeds: Sequence[float]) -> list[Slot]:
    return [Slot(index, f"host-{index // 8}", speed) for index, speed in enumerate(speeds)]


def quality(partitions: int, slots: int, kind: str) -> str:
    """One line of the first table."""
    gaps: dict[str, list[float]] = {"longest-first": [], "ours": []}
    times: list[float] = []
    for seed in range(DRAWS):
        draw = random.Random(seed)
        weights = [draw.lognormvariate(0, 0.5) for _ in range(partitions)]
        speeds = speeds_of(kind, slots, draw)
        places = slots_of(speeds)
        placement, seconds = timed(partial(place, weights, places))
        times.append(seconds)
        gaps["ours"].append(placement.gap)
        plain = plain_longest_first(weights, speeds) / placement.lower_bound - 1
        gaps["longest-first"].append(plain)
        if kind == "equal" and partitions <= 1000:
            for name, algorithm in COMPARED.items():
                finish = by_prtpy(algorithm, weights, slots)
                gaps.setdefault(name, []).append(finish / placement.lower_bound - 1)
    before, after = mean(gaps["longest-first"]), mean(gaps["ours"])
    closed = f"{1 - after / before:7.1%}" if before > 1e-9 else "   none"
    others = "  ".join(
        f"{mean(gaps[name]):14.3%}" if name in gaps else f"{'-':>14}" for name in COMPARED
    )
    return (
        f"{partitions:>7} on {slots:<4} {kind:<6} {before:13.3%}  {others}  {after:8.3%}  {closed}"
        f"  {mean(times) * 1e3:9.2f}  {max(times) * 1e3:9.2f}"
    )


def by_prtpy(algorithm: Callable[..., object], weights: Sequence[float], slots: int) -> float:
    sums = prtpy.partition(
        algorithm=algorithm, numbins=slots, items=weights, outputtype=prtpy.out.Sums
    )
    return float(max(sums))


def cost(partitions: int, kind: str) -> str:
    """One line of the second table."""
    draw = random.Random(1)
    weights = array("d", (draw.lognormvariate(0, 0.5) for _ in range(partitions)))
    slots = slots_of(speeds_of(kind, SLOTS, draw))
    placement, ours = min((timed(lambda: place(weights, slots)) for _ in range(3)), key=_seconds)
    plain = min(timed(lambda: _on_equal_slots(weights, SLOTS))[1] for _ in range(3))
    beside = f"{'-':>12}"
    if partitions <= PRTPY_LIMIT:
        greedy = prtpy.partitioning.greedy
        beside = f"{timed(lambda: by_prtpy(greedy, list(weights), SLOTS))[1]:12.3f}"
    return (
        f"{partitions:>9} on {SLOTS} {kind:<6} {ours:9.3f}  {plain:13.3f}  {ours / plain:5.2f}"
        f"  {beside}  {placement.gap:9.4%}"
    )


def _seconds(measured: tuple[object, float]) -> float:
    return measured[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the largest size")
    sizes = SIZES[:-1] if parser.parse_args().quick else SIZES
    heads = "  ".join(f"{name:>14}" for name in COMPARED)
    print(f"Gap to the lower bound, mean of {DRAWS} draws; milliseconds of one placement")
    print(
        f"{'partitions on slots':<22} {'longest-first':>11}  {heads}  {'ours':>8}  {'closed':>7}"
        f"  {'mean ms':>9}  {'worst ms':>9}"
    )
    for partitions, slots in CASES:
        for kind in ("equal", "three", "any"):
            print(quality(partitions, slots, kind), flush=True)
    print("\nSeconds of one placement, the best of three, and of plain longest-first, equal slots")
    print(
        f"{'partitions on slots':<24} {'ours':>8}  {'longest-first':>13}  ratio"
        f"  {'prtpy greedy':>12}  {'gap':>9}"
    )
    for partitions in sizes:
        for kind in ("equal", "three", "any"):
            print(cost(partitions, kind), flush=True)


if __name__ == "__main__":
    main()
