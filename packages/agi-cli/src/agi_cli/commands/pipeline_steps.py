"""``agi pipeline``: the commands about the steps in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agi_cli.arguments import app_reference
from agi_cli.completion import apps, plans
from agi_cli.options import DryRun, Format, Output
from agi_cli.pipeline_file import pipeline_file
from agi_cli.pipeline_options import Deps, Etag, File, Id, Module, Step, Steps
from agi_cli.session import Session, session_of
from agi_cli.views.pipeline import pipeline_tree
from agi_cli.written_file import read_file
from agi_cluster.model.pipeline import Pipeline, PipelineStep
from agi_cluster.model.snippet import SnippetKind
from agi_env.errors import RequestInvalidError


def show(
    context: typer.Context, file: File = "", module: Module = "", output: Output = Format.TABLE
) -> None:
    """Show the steps as a tree, and of each whether it is current."""
    session = session_of(context)
    with session.client() as client:
        found = client.get_pipeline(pipeline_file(file), module=module)
    _show(session, found, output)


def add(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python program.")],
    *,
    step_id: Id = "",
    deps: Deps = None,
    description: Annotated[str, typer.Option("--description", help="What it does.")] = "",
    environment: Annotated[
        str, typer.Option("--environment", metavar="DIR", help="A project, whose .venv runs it.")
    ] = "",
    outputs: Annotated[
        list[str] | None,
        typer.Option("--output-path", metavar="PATH", help="What it makes; repeatable."),
    ] = None,
    skip: Annotated[
        bool, typer.Option("--skip-if-outputs-exist", help="Pass it over when all are there.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="How long it may take; 0: a day.")
    ] = 0.0,
    file: File = "",
    module: Module = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Add the program in SCRIPT as a step; the file is made where there is none."""
    step = PipelineStep(
        id=step_id or script.stem,
        deps=tuple(deps or ()),
        description=description,
        question=script.name,
        code=read_file(script),
        environment=environment,
        engine="runpy",
        outputs=tuple(outputs or ()),
        skip_if_outputs_exist=skip,
        timeout=timeout,
    )
    session = session_of(context)
    with session.client() as client:
        found = client.add_pipeline_step(
            pipeline_file(file, new=True), step, module=module, etag=etag, validate_only=dry_run
        )
    _show(session, found, output)


def import_(
    context: typer.Context,
    snippet: Annotated[
        Path | None,
        typer.Argument(metavar="[SNIPPET]", help="A program that `agi snippet` wrote."),
    ] = None,
    *,
    name: Annotated[
        str,
        typer.Option("--app", metavar="APP", help="Render it now instead.", autocompletion=apps),
    ] = "",
    kind: Annotated[
        SnippetKind, typer.Option("--kind", help="What the rendered program does.")
    ] = SnippetKind.RUN,
    plan: Annotated[
        str,
        typer.Option(metavar="NAME", help="Bind it to this plan.", autocompletion=plans),
    ] = "",
    step_id: Id = "",
    deps: Deps = None,
    file: File = "",
    module: Module = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Add a generated snippet as a step, recorded with what it was rendered from."""
    if (snippet is None) == (not name):
        raise RequestInvalidError(
            "give a SNIPPET, or --app to render one", where="agi pipeline import"
        )
    session = session_of(context)
    with session.client() as client:
        if snippet is not None:
            code = read_file(snippet)
        else:
            code = client.render_snippet(app_reference(name), kind, plan=plan).text
        found = client.add_pipeline_step(
            pipeline_file(file, new=True),
            PipelineStep(id=step_id, deps=tuple(deps or ()), code=code),
            module=module,
            generated=True,
            etag=etag,
            validate_only=dry_run,
        )
    _show(session, found, output)


def refresh(
    context: typer.Context,
    steps: Steps = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the code was changed by hand.")
    ] = False,
    file: File = "",
    module: Module = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Render steps anew from the current settings; by default all that are stale."""
    session = session_of(context)
    with session.client() as client:
        found = client.refresh_pipeline_steps(
            pipeline_file(file),
            module=module,
            steps=tuple(steps or ()),
            force=force,
            etag=etag,
            validate_only=dry_run,
        )
    _show(session, found, output)


def remove(
    context: typer.Context,
    step: Step,
    *,
    file: File = "",
    module: Module = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Remove STEP, on which no other depends."""
    session = session_of(context)
    with session.client() as client:
        found = client.remove_pipeline_step(
            pipeline_file(file), step, module=module, etag=etag, validate_only=dry_run
        )
    _show(session, found, output)


def move(
    context: typer.Context,
    step: Step,
    position: Annotated[int, typer.Argument(metavar="POSITION", help="From 1.")],
    *,
    file: File = "",
    module: Module = "",
    etag: Etag = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Move STEP to another POSITION in the order."""
    session = session_of(context)
    with session.client() as client:
        found = client.move_pipeline_step(
            pipeline_file(file), step, position, module=module, etag=etag, validate_only=dry_run
        )
    _show(session, found, output)


def _show(session: Session, found: Pipeline, output: Format) -> None:
    session.show(output, found, lambda: pipeline_tree(found))
