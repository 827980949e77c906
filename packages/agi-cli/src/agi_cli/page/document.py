"""The page itself: one HTML file that needs nothing else, in light and in dark."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from agi_cli.page.drawing import drawable_seconds, loads, timeline
from agi_cli.page.lanes import lanes_of, length_of
from agi_cli.views.data import columns_of, is_table
from agi_cluster.model.plan import Plan
from agi_cluster.model.run import PartitionState, Run, RunPartition
from agi_cluster.text import duration, moment, number

GENERATED = '<meta name="generator" content="agi">'
"""Stands in the head of every page."""
_MOST_ROWS = 200
_STYLE = """
:root { --ink:#1c2733; --soft:#5d6b7a; --page:#ffffff; --panel:#f4f6f8; --line:#dde3e9;
  --good:#2f7d4f; --bad:#c0392b; --busy:#2b6cb0; --plan:#a9b8c6; }
@media (prefers-color-scheme: dark) { :root { --ink:#e6ebf0; --soft:#9aa8b5; --page:#14191f;
  --panel:#1d242c; --line:#323c47; --good:#58b881; --bad:#e8705f; --busy:#6ea8e0;
  --plan:#56636f; } }
body { margin:0 auto; max-width:1000px; padding:24px 20px 60px; color:var(--ink);
  background:var(--page); font:15px/1.5 system-ui, sans-serif; }
h1 { font-size:24px; margin:0 0 2px; } h2 { font-size:17px; margin:32px 0 8px; }
.soft { color:var(--soft); } .SUCCEEDED { color:var(--good); }
.FAILED, .CANCELLED { color:var(--bad); }
.tiles { display:flex; flex-wrap:wrap; gap:10px; margin:18px 0; }
.tile { background:var(--panel); border-radius:8px; padding:8px 14px; min-width:110px; }
.tile b { display:block; font-size:20px; font-weight:600; }
svg { width:100%; height:auto; display:block; } svg text { font-size:12px; fill:var(--soft); }
.grid { stroke:var(--line); } .succeeded { fill:var(--good); } .failed { fill:var(--bad); }
.running { fill:var(--busy); } .waiting, .planned { fill:var(--plan); }
table { border-collapse:collapse; width:100%; font-size:14px; display:block; overflow-x:auto; }
th { text-align:left; font-weight:600; color:var(--soft); } td.n, th.n { text-align:right; }
td, th { padding:3px 12px 3px 0; border-bottom:1px solid var(--line); white-space:nowrap; }
pre { background:var(--panel); border-radius:8px; padding:12px; overflow-x:auto; font-size:13px; }
.warning { border-left:3px solid var(--bad); padding-left:10px; }
"""


def run_page(run: Run, partitions: Sequence[RunPartition], plan: Plan | None) -> str:
    """The page of a run.

    Args:
        run: The run, settled or not.
        partitions: Its partitions in plan order.
        plan: The plan revision that it executes, for the predicted loads.
    """
    body = "".join(
        [
            _head(run),
            _tiles(run),
            *(f'<p class="warning">{escape(text)}</p>' for text in _remarks(run)),
            _when(run, partitions),
            _balance(run, plan),
            _failures(partitions),
            _slowest(partitions),
            _data(run.result),
        ]
    )
    title = f"{run.app} {run.id}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'{GENERATED}<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _head(run: Run) -> str:
    state = run.state.value
    return (
        f'<h1>{escape(run.app)} <span class="{state}">{state}</span></h1>'
        f'<div class="soft">{escape(run.id)} · mode {escape(run.mode.words)} · '
        f"accepted {moment(run.create_time)} · {escape(run.plan)}</div>"
    )


def _tiles(run: Run) -> str:
    progress = run.progress
    tiles = [
        ("partitions", f"{number(progress.succeeded)} of {number(progress.total)}"),
        ("failed", number(progress.failed) if progress.failed else ""),
        ("whole time", _between(run)),
        ("executing", _between(run, since_start=True)),
        ("processor time", duration(sum(slot.cpu_seconds for slot in run.slots))),
        ("slots", number(len(run.slots))),
        ("runner starts", str(run.epoch) if run.epoch > 1 else ""),
    ]
    shown = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span class="soft">{name}</span></div>'
        for name, value in tiles
        if value
    )
    return f'<div class="tiles">{shown}</div>'


def _between(run: Run, *, since_start: bool = False) -> str:
    begin = run.start_time if since_start else run.create_time
    return duration((run.end_time - begin).total_seconds()) if begin and run.end_time else ""


def _remarks(run: Run) -> Iterable[str]:
    if run.error is not None:
        yield str(run.error)
    yield from run.warnings


def _when(run: Run, partitions: Sequence[RunPartition]) -> str:
    lanes = lanes_of(run, partitions, shortest=0.0)
    if not lanes:
        return ""
    lanes = lanes_of(run, partitions, shortest=drawable_seconds(length_of(lanes)))
    hosts = {slot.index: slot.host for slot in run.slots}
    return f"<h2>What ran when</h2>{timeline(lanes, hosts)}"


def _balance(run: Run, plan: Plan | None) -> str:
    if plan is None or not run.slots:
        return ""
    return f"<h2>Load of each slot, planned and actual</h2>{loads(plan.slots, run.slots)}"


def _failures(partitions: Sequence[RunPartition]) -> str:
    failed = [each for each in partitions if each.state is PartitionState.FAILED]
    parts = [
        f"<h3>{escape(each.label)}</h3><p>{escape(str(each.error or ''))}</p>"
        + (f"<p>cause: {escape(each.cause.kind)}</p>" if each.cause else "")
        + (f"<pre>{escape(each.traceback.strip())}</pre>" if each.traceback else "")
        + (
            f"<pre>{escape(each.cause.log_tail)}</pre>"
            if each.cause and each.cause.log_tail
            else ""
        )
        for each in failed[:_MOST_ROWS]
    ]
    return f"<h2>What failed</h2>{''.join(parts)}" if parts else ""


def _slowest(partitions: Sequence[RunPartition]) -> str:
    done = [each for each in partitions if each.state is PartitionState.SUCCEEDED]
    slowest = sorted(done, key=lambda each: -each.seconds)[:10]
    rows = [
        [each.label, str(each.slot), number(each.weight), duration(each.seconds)]
        for each in slowest
    ]
    table = _table(["partition", "slot", "weight", "took"], rows, right=1)
    return f"<h2>Slowest partitions</h2>{table}" if rows else ""


def _data(result: object) -> str:
    if result is None:
        return ""
    tables = result.items() if isinstance(result, dict) else ()
    shown = "".join(
        f"<h2>{escape(str(name))}</h2>{_rows_table(rows)}"
        for name, rows in tables
        if is_table(rows)
    )
    whole = json.dumps(result, indent=1, ensure_ascii=False)
    return shown or f"<h2>Result</h2><pre>{escape(whole[:20_000])}</pre>"


def _rows_table(rows: list[dict[str, object]]) -> str:
    texts, numbers = columns_of(rows)
    columns = [*texts, *numbers]
    cells = [[_cell(row.get(column)) for column in columns] for row in rows[:_MOST_ROWS]]
    return _table(columns, cells, right=len(texts))


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    return number(value)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: int) -> str:
    """A table; the columns from the place ``right`` on hold numbers."""

    def row(cells: Sequence[str], tag: str) -> str:
        sides = ["" if place < right else ' class="n"' for place in range(len(cells))]
        each = zip(cells, sides, strict=True)
        return "".join(f"<{tag}{side}>{escape(cell)}</{tag}>" for cell, side in each)

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows)
    return f"<table><tr>{row(columns, 'th')}</tr>{body}</table>"
