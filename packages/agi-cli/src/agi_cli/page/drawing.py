"""The pictures of a page, as SVG that takes its colours from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from agi_cli.page.lanes import Lane, Span, length_of
from agi_cluster.model.plan import PlanSlot
from agi_cluster.model.run import RunSlot
from agi_cluster.text import duration, number

WIDTH = 960
"""The width of a picture in pixels."""

_LEFT = 130
_ROW = 22
_GAP = 6
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)


def drawable_seconds(length: float) -> float:
    """The shortest time that a timeline of this length can show: one pixel."""
    return length / (WIDTH - _LEFT)


def timeline(lanes: Sequence[Lane], hosts: dict[int, str]) -> str:
    """When each slot executed what; hovering over a bar names it."""
    length = length_of(lanes) or 1.0
    scale = (WIDTH - _LEFT - 10) / length
    rows = [_lane(place, lane, lanes, hosts, scale) for place, lane in enumerate(lanes)]
    height = len(lanes) * _ROW + 28
    return _svg(height, _axis(length, scale, height - 20) + "".join(rows), "What ran when")


def loads(planned: Sequence[PlanSlot], actual: Sequence[RunSlot]) -> str:
    """The share of each slot in the whole: as the plan predicted it, and as it was."""
    weight = sum(slot.load for slot in planned) or 1.0
    busy = sum(slot.busy_seconds for slot in actual) or 1.0
    done = {slot.index: slot for slot in actual}
    shares = [
        (slot.load / weight, done[slot.index].busy_seconds / busy if slot.index in done else 0.0)
        for slot in planned
    ]
    most = max((share for pair in shares for share in pair), default=1.0) or 1.0
    rows = [
        _load(place, slot, share, done.get(slot.index), most)
        for place, (slot, share) in enumerate(zip(planned, shares, strict=True))
    ]
    return _svg(len(rows) * (2 * _ROW + _GAP) + 4, "".join(rows), "Load of each slot")


def _lane(
    place: int, lane: Lane, lanes: Sequence[Lane], hosts: dict[int, str], scale: float
) -> str:
    top = place * _ROW
    first = place == 0 or lanes[place - 1].slot != lane.slot
    name = f"slot {lane.slot}, {hosts.get(lane.slot, '')}" if first else ""
    bars = "".join(_bar(span, top, scale) for span in lane.spans)
    return _text(0, top + 15, name) + bars


def _bar(span: Span, top: int, scale: float) -> str:
    what = span.label if span.count == 1 else f"{span.label} and {span.count - 1} more"
    title = f"{what}: {span.state.value.lower()}, {duration(span.end - span.begin)}"
    width = max(1.0, (span.end - span.begin) * scale - 0.5)
    return (
        f'<rect class="{span.state.value.lower()}" x="{_LEFT + span.begin * scale:.1f}" '
        f'y="{top + 3}" width="{width:.1f}" height="{_ROW - 6}" rx="2">'
        f"<title>{escape(title)}</title></rect>"
    )


def _axis(length: float, scale: float, bottom: int) -> str:
    step = next((tick for tick in _TICKS if length / tick <= 8), _TICKS[-1])
    marks = [number_of * step for number_of in range(int(length / step) + 1)]
    return "".join(
        f'<line class="grid" x1="{_LEFT + at * scale:.1f}" x2="{_LEFT + at * scale:.1f}" '
        f'y1="0" y2="{bottom}"/>' + _text(_LEFT + at * scale + 3, bottom + 14, duration(at))
        for at in marks
    )


def _load(
    place: int, slot: PlanSlot, share: tuple[float, float], done: RunSlot | None, most: float
) -> str:
    top = place * (2 * _ROW + _GAP)
    busy = duration(done.busy_seconds) if done else "nothing"
    return (
        _text(0, top + 15, f"slot {slot.index}, {slot.host}")
        + _share("planned", share[0], most, top, f"planned {number(slot.load)}")
        + _share("succeeded", share[1], most, top + _ROW - 3, f"was busy {busy}")
    )


def _share(kind: str, share: float, most: float, top: int, words: str) -> str:
    room = WIDTH - _LEFT - 220
    width = max(1.0, room * share / most)
    return (
        f'<rect class="{kind}" x="{_LEFT}" y="{top + 4}" width="{width:.1f}" height="{_ROW - 8}" '
        f'rx="2"/>' + _text(_LEFT + width + 8, top + 15, f"{share:.0%}, {words}")
    )


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>' if words else ""


def _svg(height: int, body: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
