"""Rendering snippets: equal settings give equal bytes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import SNIPPET_API, Snippet, SnippetKind
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.slots import for_mode
from agi_daemon.snippets import staleness
from agi_daemon.snippets.literal import literal
from agi_daemon.store.store import Store
from agi_env.mode import Mode
from agi_env.settings import Settings

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

    def __init__(self, store: Store, apps: Apps) -> None:
        self._store = store
        self._apps = apps

    async def render_snippet(self, app: str, kind: SnippetKind) -> Snippet:
        """A snippet from the app's current settings."""
        found, snapshot = await self._apps.read_settings(app)
        settings = snapshot.settings
        await self._store.write(lambda tx: staleness.remember(tx, found.name, settings))
        return Snippet(
            app=found.name,
            kind=kind,
            text=render(found.name, settings, kind),
            api=SNIPPET_API,
            settings_digest=settings.digest,
        )


def render(app: str, settings: Settings, kind: SnippetKind) -> str:
    """The text of a snippet."""
    mode = settings.mode
    selection = for_mode(
        Selection(), Selection(scheduler=settings.scheduler, workers=settings.workers), mode
    )
    install = kind is SnippetKind.INSTALL
    given = {} if install else settings.args
    return _template().render(
        api=SNIPPET_API,
        purpose=_PURPOSES[kind],
        digest=settings.digest,
        kind=kind.value,
        app=app,
        verbose=settings.verbose,
        workers=selection.workers if mode & (Mode.CLUSTER | Mode.POOL) else {},
        scheduler=selection.scheduler if Mode.CLUSTER in mode else "",
        args={key: value for key, value in given.items() if key not in _RESERVED},
        withheld=sorted(_RESERVED & given.keys()),
        function=_FUNCTIONS[kind],
        mode_field="modes_enabled" if install else "mode",
        mode=int(settings.modes_enabled if install else mode),
        words=mode.words,
        origin=settings.digest if kind is SnippetKind.RUN else "",
    )
