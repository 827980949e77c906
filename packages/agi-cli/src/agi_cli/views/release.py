"""Releases, and what is removed of them, as people see them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import grid, listed
from agi_cluster.model.release import HostPruning, PrunedItem, Release, ReleasePruning
from agi_cluster.text import byte_count, counted, moment

_DIGITS = 12


def release_table(releases: Listing[Release]) -> RenderableType:
    """The releases of an app, and what each changed."""
    rows = [
        (
            release.digest[:_DIGITS],
            "installed" if release.current else "",
            moment(release.install_time),
            release.modes_enabled.words,
            ", ".join(release.changed_inputs),
        )
        for release in releases.items
    ]
    table = grid(
        ("release", "", "installed last", "enabled", "changed"),
        rows,
        prose=("enabled", "changed"),
        moments=("installed last",),
        may_go=("enabled",),
    )
    return listed(table, "no releases: `agi install APP` makes the first", more=releases.more)


def pruning_view(pruning: ReleasePruning, *, removed: bool) -> RenderableType:
    """What was removed, or would be, host by host."""
    rows = [row for host in pruning.hosts for row in _rows(host, removed=removed)]
    table = grid(("host", "", "what", "size", "of"), rows, right=("size",), prose=("of",))
    return Group(table, Text(_total(pruning, removed=removed)))


def _rows(host: HostPruning, *, removed: bool) -> list[tuple[str, ...]]:
    word = "removed" if removed else "would go"
    rows = [_row(host.host, word, item) for item in host.removed]
    rows += [_row(host.host, "stays", item) for item in host.kept]
    return rows


def _row(host: str, word: str, item: PrunedItem) -> tuple[str, ...]:
    kind = item.kind.value.lower().replace("_", " ")
    name = item.item[:_DIGITS] if len(item.item) == 64 else item.item
    size = byte_count(item.size_bytes) if item.size_bytes else ""
    return host, word, f"{kind} {name}", size, item.detail


def _total(pruning: ReleasePruning, *, removed: bool) -> str:
    items = [item for host in pruning.hosts for item in host.removed]
    if not items:
        return "nothing to remove"
    size = byte_count(sum(item.size_bytes for item in items))
    return f"{'removed' if removed else 'would remove'} {counted(len(items), 'thing')}, {size}"
