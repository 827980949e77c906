"""The arguments and options of the commands about pipelines, as annotations."""

from __future__ import annotations

from typing import Annotated

import typer

from agi_cli.completion import pipeline_runs

File = Annotated[
    str,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="The file of steps, or its folder. Default: lab_steps.toml or lab_stages.toml here.",
    ),
]
Module = Annotated[
    str,
    typer.Option("--module", "-m", metavar="NAME", help="Which list, where the file has several."),
]
Step = Annotated[str, typer.Argument(metavar="STEP", help="The step's id, or its number.")]
Steps = Annotated[
    list[str] | None,
    typer.Argument(metavar="[STEP]...", help="Ids or numbers of steps.", show_default=False),
]
Execution = Annotated[
    str,
    typer.Argument(
        metavar="EXECUTION", help="ID or pipelineRuns/ID.", autocompletion=pipeline_runs
    ),
]
Id = Annotated[str, typer.Option("--id", metavar="ID", help="What names the step.")]
Deps = Annotated[
    list[str] | None,
    typer.Option("--dep", metavar="STEP", help="A step that has to succeed before; repeatable."),
]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return as soon as it is accepted.")]
Etag = Annotated[
    str, typer.Option(metavar="ETAG", help="Refuse if the file changed since it had this etag.")
]
AllowStale = Annotated[bool, typer.Option("--allow-stale", help="Execute stale steps as they are.")]
