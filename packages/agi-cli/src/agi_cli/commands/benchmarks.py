"""``agi benchmarks``: what the modes of an app came to, measured by `agi run APP --benchmark`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from agi_cli.arguments import app_name
from agi_cli.listing import fetched
from agi_cli.options import DryRun, Format, Limit, Output
from agi_cli.session import session_of
from agi_cli.views.benchmark import benchmark_table, benchmark_view
from agi_cluster.model.benchmark import Benchmark

app = typer.Typer(rich_markup_mode=None, add_completion=False)

BenchmarkName = Annotated[
    str, typer.Argument(metavar="BENCHMARK", help="ID or benchmarks/ID.", show_default=False)
]
OfApp = Annotated[str, typer.Option("--app", metavar="APP", help="Only those of this app.")]


@app.callback()
def benchmarks() -> None:
    """Look at what the modes of an app came to."""


@app.command("list")
def list_(
    context: typer.Context, of: OfApp = "", limit: Limit = 20, output: Output = Format.TABLE
) -> None:
    """List the benchmarks, newest first."""
    session = session_of(context)
    with session.client() as client:
        listing = fetched(Benchmark, partial(client.list_benchmarks, app=app_name(of)), limit=limit)
    session.show(output, listing, lambda: benchmark_table(listing, filtered=bool(of)))


@app.command()
def show(context: typer.Context, name: BenchmarkName, output: Output = Format.TABLE) -> None:
    """Show one benchmark: its table, drawn, and the mode it recommends."""
    session = session_of(context)
    with session.client() as client:
        benchmark = client.get_benchmark(name)
    session.show(output, benchmark, lambda: benchmark_view(benchmark))


@app.command()
def cancel(
    context: typer.Context,
    name: BenchmarkName,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Stop a benchmark and its present run; what was measured is kept."""
    session = session_of(context)
    with session.client() as client:
        benchmark = client.cancel_benchmark(name, validate_only=dry_run)
    session.show(output, benchmark, lambda: benchmark_view(benchmark))
