"""Apps and their settings as people see them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.views.grid import facts, grid, listed, path
from agi_cluster.model.app import App, AppSettings


def app_table(apps: Listing[App]) -> RenderableType:
    """The known apps."""
    table = grid(("app", "path"), [(app.name, app.path) for app in apps.items])
    empty = "no apps yet: `agi apps new NAME` makes one, `agi apps register PATH` adds one"
    return listed(table, empty, more=apps.more)


def app_facts(app: App) -> RenderableType:
    """One app."""
    return facts(
        [
            ("app", app.name),
            ("path", path(app.path)),
            ("settings", path(app.settings_path)),
            ("python", app.requires_python),
        ]
    )


def settings_view(settings: AppSettings) -> RenderableType:
    """What the settings amount to, and the file itself."""
    return Group(settings_summary(settings), Text(), Text(settings.text.rstrip("\n")))


def settings_summary(settings: AppSettings) -> RenderableType:
    """What the settings amount to, in words."""
    return facts(
        [
            ("settings", f"{settings.app}, {settings.path}"),
            ("mode", settings.explanation[0] if settings.explanation else settings.mode.words),
            ("enabled", settings.modes_enabled.words),
            *(("", line) for line in settings.explanation[1:]),
        ]
    )
