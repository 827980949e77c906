"""The arguments and options that several commands have, as annotations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agi_cli import completion


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


ONLY_CHECKED = "agi_cli.only_checked"
"""Where a context says that its command was told to change nothing."""


def _note_dry_run(context: typer.Context, value: bool) -> bool:
    context.meta[ONLY_CHECKED] = value
    return value


App = Annotated[
    str,
    typer.Argument(
        metavar="APP",
        help="The app: its name (flights_project, in short flights) or the path of its folder.",
        autocompletion=completion.apps,
        show_default=False,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(metavar="RUN", help="ID or runs/ID.", autocompletion=completion.runs),
]
HostName = Annotated[
    str,
    typer.Argument(
        metavar="HOST", help="Its address, as worker maps have it.", autocompletion=completion.hosts
    ),
]
PlanName = Annotated[
    str,
    typer.Argument(
        metavar="PLAN",
        help="plans/ID for the latest revision, plans/ID@REVISION for one.",
        autocompletion=completion.plans,
    ),
]
Output = Annotated[
    Format,
    typer.Option("--output", "-o", help="A table for people, or JSON for programs."),
]
Workers = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        "--hosts",
        "-w",
        metavar="HOST=SLOTS",
        help="A host and its number of slots; once for each host. Default: the settings.",
    ),
]
Scheduler = Annotated[
    str,
    typer.Option(metavar="HOST[:PORT]", help="Where the scheduler runs. Default: the settings."),
]
CoresPerSlot = Annotated[
    int,
    typer.Option(
        min=0, help="Cores of each slot; 0: as in the settings, else the host's divided by slots."
    ),
]
ModeNumber = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="pool 1 + cython 2 + cluster 4 + rapids 8; 0 is plain Python. Default: the settings.",
    ),
]
AppArgs = Annotated[
    list[str] | None,
    typer.Option(
        "--arg",
        "-a",
        metavar="KEY=VALUE",
        help="An argument of the app, as TOML, instead of the one in the settings.",
    ),
]
NoInstall = Annotated[
    bool,
    typer.Option("--no-install", help="Refuse where the current sources are not installed yet."),
]
ReleaseDigest = Annotated[
    str,
    typer.Option(
        "--release",
        metavar="DIGEST",
        help="An earlier release instead of the current sources; see `agi releases list`.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Only check; change nothing.", callback=_note_dry_run),
]
Verbose = Annotated[
    int | None,
    typer.Option(
        "--verbose",
        "-v",
        metavar="0..3",
        help="0 the outcome; 1 phases; 2 each partition; 3 also what the app prints.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="Show at most so many.")]
Etag = Annotated[
    str,
    typer.Option(metavar="ETAG", help="Refuse if the settings changed since they had this etag."),
]
