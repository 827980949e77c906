"""``agi pipeline``: runs as steps of a pipeline, its executions, their history."""

from __future__ import annotations

import typer

from agi_cli.commands import pipeline_runs, pipeline_steps

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def pipeline() -> None:
    """Keep runs as steps of a pipeline, execute it, look at its history.

    The steps are in lab_steps.toml; the daemon executes them, whatever becomes of the terminal.
    """


app.command()(pipeline_steps.show)
app.command()(pipeline_steps.add)
app.command("import")(pipeline_steps.import_)
app.command()(pipeline_steps.refresh)
app.command()(pipeline_steps.remove)
app.command()(pipeline_steps.move)
app.command()(pipeline_runs.run)
app.command()(pipeline_runs.rerun)
app.command()(pipeline_runs.resume)
app.command()(pipeline_runs.retry)
app.command()(pipeline_runs.history)
app.command()(pipeline_runs.compare)
app.command()(pipeline_runs.watch)
app.command()(pipeline_runs.logs)
app.command()(pipeline_runs.cancel)
