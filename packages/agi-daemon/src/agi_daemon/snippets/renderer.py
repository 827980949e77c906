"""Rendering snippets: equal settings give equal bytes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from attrs import evolve

from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import (
    SNIPPET_API,
    Snippet,
    SnippetFacts,
    SnippetKind,
    SnippetVerdict,
    Staleness,
)
from agi_daemon.apps.slots import for_mode
from agi_daemon.snippets import facts as head
from agi_daemon.snippets.literal import literal
from agi_daemon.snippets.notebook import notebook
from agi_daemon.snippets.origins import Origins
from agi_env.mode import Mode
from agi_env.settings import Settings
from agi_env.slip import meant

if TYPE_CHECKING:
    from jinja2 import Template

_FUNCTIONS = {
    SnippetKind.INSTALL: "install",
    SnippetKind.DISTRIBUTE: "get_distrib",
    SnippetKind.RUN: "run",
}
_PURPOSES = {
    SnippetKind.INSTALL: "Installs the app's worker runtime.",
    SnippetKind.DISTRIBUTE: "Shows how the work will be distributed.",
    SnippetKind.RUN: "Runs the app.",
}
_RESERVED = frozenset(
    {"app_env", "scheduler", "workers", "mode", "modes_enabled", "plan", "request", "snippet"}
    | {"verbose", "upgrade", "no_install", "cores_per_slot"}
)
"""Parameters of the facade: an app's argument of such a name cannot be passed beside them."""


def _clashes(key: str, kind: SnippetKind) -> bool:
    # The facade refuses what is very like its parameters, but to a snippet that runs the app.
    likely = meant(key, _RESERVED) if kind is SnippetKind.DISTRIBUTE else None
    return key in _RESERVED or likely is not None


def _entry(value: object, key: str) -> str:
    return literal(value, indent=8, used=len(literal(key)) + 3)


@functools.cache
def _template() -> Template:
    # The import takes a third of the daemon's start, and most daemons render nothing.
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415

    # What is rendered is Python, not HTML: `literal` does the quoting.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("agi_daemon.snippets", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    environment.filters["entry"] = _entry
    return environment.get_template("snippet.py.jinja")


class Snippets:
    """Implements ``agi_cluster.model.services.SnippetService``."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    async def render_snippet(
        self, app: str, kind: SnippetKind, *, plan: str = "", notebook: bool = False
    ) -> Snippet:
        """A snippet from the app's current settings, or a notebook of all three."""
        facts, settings = await self._origins.now(app, kind, plan)
        text = _notebook(facts, settings) if notebook else rendered(facts, settings)
        return Snippet(
            app=facts.app,
            kind=kind,
            text=text,
            api=SNIPPET_API,
            settings_digest=settings.digest,
            facts=facts,
        )

    async def verify_snippet(self, text: str) -> SnippetVerdict:
        """Whether a generated snippet is what would be rendered now."""
        facts = head.read(text)
        stale = await self._origins.changes(facts)
        if not stale:
            now, settings = await self._origins.now(
                facts.app, facts.kind, facts.plan, remember=False
            )
            if rendered(now, settings) != text:
                what = "the program is not what is rendered from the same settings"
                stale = (Staleness(field="code", detail=what),)
        return SnippetVerdict(facts=facts, stale=stale)


def rendered(facts: SnippetFacts, settings: Settings) -> str:
    """The text of a snippet with a head that says what it was rendered from."""
    return render(facts.app, settings, facts.kind, facts=facts)


def _notebook(facts: SnippetFacts, settings: Settings) -> str:
    cells = []
    for kind in SnippetKind:
        bound = facts.plan if kind is not SnippetKind.INSTALL else ""
        own = evolve(facts, kind=kind, plan=bound)
        cells.append((kind.value, render(facts.app, settings, kind, facts=own, awaits=True)))
    return notebook(facts.app, cells)


def render(
    app: str,
    settings: Settings,
    kind: SnippetKind,
    *,
    facts: SnippetFacts | None = None,
    awaits: bool = False,
) -> str:
    """The text of a snippet.

    Args:
        app: The app's full name.
        settings: The user's settings of it.
        kind: What the snippet does.
        facts: What its head says that it was rendered from.
        awaits: It is a cell of a notebook, which awaits, instead of a program.
    """
    mode = settings.mode
    selection = for_mode(
        Selection(), Selection(scheduler=settings.scheduler, workers=settings.workers), mode
    )
    install = kind is SnippetKind.INSTALL
    given = {} if install else settings.args
    withheld = sorted(key for key in given if _clashes(key, kind))
    return _template().render(
        api=SNIPPET_API,
        purpose=_PURPOSES[kind],
        digest=settings.digest,
        kind=kind.value,
        app=app,
        verbose=settings.verbose,
        workers=selection.workers if mode & (Mode.CLUSTER | Mode.POOL) else {},
        scheduler=selection.scheduler if Mode.CLUSTER in mode else "",
        args={key: value for key, value in given.items() if key not in withheld},
        withheld=withheld,
        function=_FUNCTIONS[kind],
        mode_field="modes_enabled" if install else "mode",
        mode=int(settings.modes_enabled if install else mode),
        words=mode.words,
        origin=settings.digest if kind is SnippetKind.RUN else "",
        plan=facts.plan if facts else "",
        head=head.head(facts) if facts else [],
        awaits=awaits,
    )
