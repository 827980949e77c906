"""Laying partitions out in time: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from attrs import evolve, frozen

from agi_cluster.model.run import PartitionState, Run, RunPartition


@frozen(kw_only=True)
class Span:
    """A stretch of one lane in which a partition, or several short ones, were executed."""

    begin: float
    """Seconds since the run's first partition began."""
    end: float
    label: str
    state: PartitionState
    count: int = 1


@frozen(kw_only=True)
class Lane:
    """What one executor of a slot did, one span after another."""

    slot: int
    spans: tuple[Span, ...]


def lanes_of(run: Run, partitions: Sequence[RunPartition], *, shortest: float) -> tuple[Lane, ...]:
    """The lanes of a run by slot; a slot has as many as it executed partitions at once.

    Args:
        run: The run; one that goes on is drawn up to its latest known moment.
        partitions: Its partitions; those that never began are left out.
        shortest: Seconds; neighbours that are shorter are drawn as one.
    """
    begun = [each for each in partitions if each.start_time is not None]
    if not begun:
        return ()
    origin = min(each.start_time.timestamp() for each in begun if each.start_time)
    latest = run.end_time.timestamp() - origin if run.end_time else None
    placed = sorted(
        ((each.slot, _span(each, origin, latest)) for each in begun),
        key=lambda pair: (pair[0], pair[1].begin),
    )
    return tuple(
        Lane(slot=slot, spans=tuple(_merged(lane, shortest)))
        for slot, spans in groupby(placed, key=lambda pair: pair[0])
        for lane in _apart(span for _, span in spans)
    )


def length_of(lanes: Iterable[Lane]) -> float:
    """When the last span ends, in seconds; 0 where there is none."""
    return max((span.end for lane in lanes for span in lane.spans), default=0.0)


def _span(partition: RunPartition, origin: float, latest: float | None) -> Span:
    assert partition.start_time is not None
    begin = partition.start_time.timestamp() - origin
    done = partition.state is PartitionState.SUCCEEDED
    end = begin + partition.seconds if done or latest is None else latest
    return Span(begin=begin, end=max(begin, end), label=partition.label, state=partition.state)


def _apart(spans: Iterable[Span]) -> list[list[Span]]:
    """Spans in the order of their begin, on as few lanes as keep them from overlapping."""
    lanes: list[list[Span]] = []
    for span in spans:
        free = next((lane for lane in lanes if _follows(lane[-1], span)), None)
        if free is None:
            lanes.append([span])
        else:
            free.append(evolve(span, begin=max(span.begin, free[-1].end)))
    return lanes


def _follows(last: Span, span: Span) -> bool:
    # The beginnings come from the journal's clock and the lengths from the executor's.
    slack = min(0.05, (span.end - span.begin) / 2)
    return last.end <= span.begin + slack


def _merged(spans: Sequence[Span], shortest: float) -> Iterable[Span]:
    last: Span | None = None
    for span in spans:
        if last is not None and _are_one(last, span, shortest):
            last = evolve(last, end=span.end, count=last.count + 1)
            continue
        if last is not None:
            yield last
        last = span
    if last is not None:
        yield last


def _are_one(last: Span, span: Span, shortest: float) -> bool:
    small = span.end - span.begin < shortest and last.end - last.begin < 8 * shortest
    return small and last.state is span.state and span.begin - last.end < shortest
