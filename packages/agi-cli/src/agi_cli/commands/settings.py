"""``agi settings``: look at the settings of an app and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from agi_cli.arguments import app_reference
from agi_cli.options import App, DryRun, Etag, Format, Output
from agi_cli.session import Session, session_of
from agi_cli.views.app import settings_summary, settings_view
from agi_cluster.model.app import SettingChange
from agi_env.errors import RequestInvalidError

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def settings() -> None:
    """Look at the settings of an app and change them.

    They are your own copy of the app's src/app_settings.toml, made at first use.
    """


@app.command()
def show(context: typer.Context, name: App, output: Output = Format.TABLE) -> None:
    """Show the settings of APP, and what they amount to."""
    session = session_of(context)
    with session.client() as client:
        found = client.get_settings(app_reference(name))
    session.show(output, found, lambda: settings_view(found))


@app.command("set")
def set_(
    context: typer.Context,
    name: App,
    *,
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="Such as cluster.pool=true, or one KEY and its VALUE. Values are TOML or text.",
        ),
    ],
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Change keys of the settings of APP, all or none; comments and order stay."""
    _update(session_of(context), name, changes_of(assignments), etag, output, dry_run=dry_run)


@app.command()
def unset(
    context: typer.Context,
    name: App,
    *,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Such as args.nfile.")],
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Remove keys from the settings of APP."""
    changes = [SettingChange(key=key, unset=True) for key in keys]
    _update(session_of(context), name, changes, etag, output, dry_run=dry_run)


@app.command()
def reset(
    context: typer.Context,
    name: App,
    *,
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Make the settings of APP anew from the app's own."""
    session = session_of(context)
    with session.client() as client:
        found = client.reset_settings(app_reference(name), etag=etag, validate_only=dry_run)
    session.show(output, found, lambda: settings_summary(found))


def changes_of(assignments: Sequence[str]) -> list[SettingChange]:
    """The changes that KEY=VALUE, or one KEY and its VALUE, ask for.

    Raises:
        RequestInvalidError: There is a key without a value.
    """
    if len(assignments) == 2 and "=" not in assignments[0]:
        return [SettingChange(key=assignments[0], value=assignments[1])]
    changes = []
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise RequestInvalidError(
                f"{assignment!r} has no value", where="agi settings set", remedy="Give KEY=VALUE"
            )
        changes.append(SettingChange(key=key, value=value))
    return changes


def _update(
    session: Session,
    name: str,
    changes: Sequence[SettingChange],
    etag: str,
    output: Format,
    *,
    dry_run: bool,
) -> None:
    with session.client() as client:
        found = client.update_settings(
            app_reference(name), changes, etag=etag, validate_only=dry_run
        )
    session.show(output, found, lambda: settings_summary(found))
