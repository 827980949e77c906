"""Snippets as people see them: whether one is current."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.views.grid import facts, grid, state
from agi_cluster.model.snippet import SnippetVerdict
from agi_cluster.text import one_line


def verdict_report(verdict: SnippetVerdict) -> RenderableType:
    """What it was rendered from, and what has changed since."""
    of = verdict.facts
    head = facts(
        [
            ("snippet", f"{of.kind.value} {of.app}"),
            ("state", state("CURRENT" if verdict.current else "STALE")),
            ("settings", of.settings[:12]),
            ("sources", of.sources[:12]),
            ("plan", of.plan),
        ]
    )
    if verdict.current:
        return head
    rows = [(each.field, one_line(each.detail, 300)) for each in verdict.stale]
    return Group(head, Text(), grid(("changed", "how"), rows, prose=("how",)))
