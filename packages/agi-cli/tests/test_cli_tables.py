"""Tables on terminals of any width: what is broken there can be neither read nor copied."""

from __future__ import annotations

import fcntl
import io
import os
import re
import struct
import subprocess
import sys
import termios
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from rich.text import Text

from agi_cli.listing import Listing
from agi_cli.session import Session
from agi_cli.views.app import app_facts, app_table
from agi_cli.views.benchmark import benchmark_table, benchmark_view
from agi_cli.views.columns import Column, fitted
from agi_cli.views.data import data_view
from agi_cli.views.diagnosis import ladders
from agi_cli.views.grid import facts, grid, path
from agi_cli.views.host import host_table
from agi_cli.views.installation import installation_report
from agi_cli.views.load_chart import load_chart
from agi_cli.views.modes import modes_view
from agi_cli.views.pipeline import (
    comparison_table,
    history_table,
    pipeline_run_report,
    pipeline_tree,
)
from agi_cli.views.plan import plan_table, planned_table
from agi_cli.views.plan_and_run import plan_and_run
from agi_cli.views.plan_changes import revision_table
from agi_cli.views.pruning import pruning_report
from agi_cli.views.release import pruning_view, release_table
from agi_cli.views.run import partition_table, run_report, run_table
from agi_cluster.model.app import App
from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.diagnosis import Rung, Step, StepState
from agi_cluster.model.host import Host, HostState
from agi_cluster.model.modes import AppModes, HostVerdict, ModeVerdict, VerdictState
from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.model.plan import Plan, PlannedPartition
from agi_cluster.model.pruning import PrunedRun, Pruning
from agi_cluster.model.release import PruneReleases, Release
from agi_cluster.model.run import Run, RunPartition, RunPaths, RunState
from agi_cluster.pipeline_comparison import Difference
from agi_env.mode import Mode

ID = "flights-20261123-062829-957a4cfb"
NOON = datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC)
WORDS = "2 cores of worker-12.example.org, 0 are free; held by " + ID
PATH = "/home/ann/a share/flights/results/" + ID + "/partitions/000000-the-first-of-them"
WIDTHS = (40, 80, 120, 200)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def in_pipe(view) -> str:
    out = io.StringIO()
    Session(out=out, err=io.StringIO()).print(view)
    return out.getvalue()


@pytest.fixture
def on_terminal(monkeypatch):
    """Draws a view as wide as it is told."""

    def draw(view, width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("LINES", "50")
        screen = Screen()
        Session(out=screen, err=io.StringIO()).print(view)
        return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())

    return draw


def texts_of(drawn: str) -> list[str]:
    """Cells, and heads: two blanks are between them, and never inside of one."""
    return [text.strip() for text in re.split(r"\s{2,}|\n", drawn) if text.strip()]


class Tables:
    """Each view that draws a table, of resources with names as they really are."""

    def __init__(self, client) -> None:
        self.client = client
        times = {"create_time": NOON, "end_time": NOON + timedelta(seconds=8.08)}
        run = attrs.evolve(client.final, id=ID, app="flights_project", **times)
        waiting = attrs.evolve(run, state=RunState.CANCELLING, end_time=None, waiting_for=WORDS)
        self.run = attrs.evolve(run, paths=RunPaths(published=PATH))
        self.runs = Listing(Run, (run, waiting))
        self.plan = attrs.evolve(client.get_plan("p"), id=ID, create_time=NOON, change=WORDS)
        self.execution = attrs.evolve(client.execution, id=ID, origin=ID, **times)

    def runs_that_all_ended(self):
        return run_table(Listing(Run, self.runs.items[:1]))

    def runs_of_which_one_waits(self):
        return run_table(self.runs)

    def report(self):
        return run_report(self.run, self.client.run_partitions)

    def partitions(self):
        each = [attrs.evolve(p, id=f"{ID}-{p.id}") for p in self.client.run_partitions]
        return partition_table(Listing(RunPartition, tuple(each)))

    def beside_the_plan(self):
        moved = attrs.evolve(self.client.run_partitions[0], moved_because=WORDS)
        return plan_and_run(self.run, self.plan, (moved,))

    def plans(self):
        return plan_table(Listing(Plan, (self.plan,)))

    def planned(self):
        found = self.client.list_plan_partitions("p").items
        return planned_table(Listing(PlannedPartition, found))

    def loads(self):
        return load_chart(self.plan)

    def revisions(self):
        return revision_table(Listing(Plan, (self.plan,)))

    def hosts(self):
        bad = Host(
            address="worker-12.example.org", cores=0, state=HostState.KEY_CHANGED, reason=WORDS
        )
        return host_table(Listing(Host, (self.client.host, bad)))

    def releases(self):
        return release_table(Listing(Release, self.client.list_releases("a").items))

    def releases_that_go(self):
        return pruning_view(self.client.prune_releases(PruneReleases()), removed=False)

    def installation(self):
        return installation_report(self.client.installed)

    def history(self):
        return history_table(Listing(PipelineRun, (self.execution,)))

    def execution_of_a_pipeline(self):
        return pipeline_run_report(self.execution)

    def comparison(self):
        return comparison_table([Difference(step="train", field="args", first=WORDS, second="")])

    def pruned_runs(self):
        run = PrunedRun(id=ID, app="flights_project", end_time=NOON, bytes=1024, problem=WORDS)
        return pruning_report(Pruning(runs=(run,)), dry_run=True)

    def benchmarks(self):
        return benchmark_table(Listing(Benchmark, (self.measured,)))

    def benchmark(self):
        return benchmark_view(self.measured)

    @property
    def measured(self) -> Benchmark:
        seconds = {"seconds": (1.0,), "cpu_seconds": (1.0,), "median": 1.0, "low": 1.0}
        rows = [BenchmarkRow(mode=Mode(n), high=1.0, noise=True, **seconds) for n in range(16)]
        return Benchmark(
            id=ID,
            app="flights_project",
            state=BenchmarkState.SUCCEEDED,
            repeats=3,
            warmups=1,
            rows=tuple(rows),
            create_time=NOON,
        )

    def modes(self):
        refused = HostVerdict(
            host="127.0.0.1",
            state=VerdictState.REFUSED,
            reason="the cluster share is not set",
            command="export AGI_CLUSTER_SHARE=PATH; agi daemon stop",
        )
        each = ModeVerdict(mode=Mode(7), hosts=(refused,))
        return modes_view(
            AppModes(
                app="flights_project",
                settings_mode=Mode.POOL,
                modes_enabled=Mode.POOL,
                hosts=(),
                modes=(each,),
            )
        )

    def ladder(self):
        return ladders([Step(host="h", rung=rung, state=StepState.FAILED) for rung in Rung])

    def apps(self):
        return app_table(Listing(App, (attrs.evolve(self.client.get_app("a"), path=PATH),)))

    def data(self):
        row = {"carrier": "9E", "name": "Endeavor Air Inc.", "kilometres": 14_870_422}
        return data_view([{**row, **dict.fromkeys(("cancelled", "flights", "delayed"), 1.25)}])


VIEWS = [name for name in vars(Tables) if name[0] != "_" and name != "measured"]
ALWAYS = {
    "runs_that_all_ended": [ID, "SUCCEEDED"],
    "runs_of_which_one_waits": [ID, "SUCCEEDED", "CANCELLING"],
    "report": [ID, PATH],
    "partitions": [f"{ID}-p0", "SUCCEEDED"],
    "plans": [f"plans/{ID}@1"],
    "planned": ["p0", "10"],
    "hosts": ["worker-12.example.org", "KEY_CHANGED", "node1"],
    "releases": ["cdcdcdcdcdcd", "installed"],
    "history": [ID, "SUCCEEDED"],
    "execution_of_a_pipeline": ["train", "SUCCEEDED", "runs/weather-r1"],
    "pruned_runs": [ID],
    "benchmarks": [ID, "SUCCEEDED"],
    "modes": ["127.0.0.1", "refused"],
    "apps": ["weather_project", PATH],
    "data": ["9E", "14,870,422", "1.250"],
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", VIEWS)
def test_nothing_but_prose_is_broken_and_prose_at_words_only(terminal, on_terminal, name, width):
    view = getattr(Tables(terminal.client), name)()
    drawn, whole = on_terminal(view, width), in_pipe(view)
    known = set(texts_of(whole))
    known |= {text[:-3] for text in known if re.fullmatch(r"2026-.*:\d\d:\d\d", text)}
    for text in texts_of(drawn):
        words = f" {text} "
        assert text in known or any(words in f" {other} " for other in known if " " in other), text
    for text in re.findall("2026-.*?(?:  |$)", drawn, re.MULTILINE):
        assert text.startswith(ID[8:]) or re.match(r"2026-\d\d-\d\d \d\d:\d\d", text)
    assert set(ALWAYS.get(name, ())) <= set(texts_of(drawn))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [name for name in VIEWS if name not in {"report", "apps"}])
def test_lines_are_no_longer_than_the_terminal_is_wide(terminal, on_terminal, name, width):
    drawn = on_terminal(getattr(Tables(terminal.client), name)(), width)
    assert all(len(line) <= width for line in drawn.splitlines())


@pytest.mark.parametrize("name", VIEWS)
def test_where_there_is_room_all_is_there(terminal, on_terminal, name):
    view = getattr(Tables(terminal.client), name)()
    drawn = [line.rstrip() for line in on_terminal(view, 400).splitlines()]
    assert drawn == in_pipe(view).splitlines()


def test_what_can_be_done_without_goes_in_its_order(terminal, on_terminal):
    tables = Tables(terminal.client)
    heads = {
        width: on_terminal(tables.runs_that_all_ended(), width).splitlines()[0].split()
        for width in (120, 100, 80, 60)
    }
    assert heads == {
        120: ["run", "app", "mode", "state", "done", "accepted", "took", "waits", "for"],
        100: ["run", "app", "mode", "state", "done", "accepted", "took"],
        80: ["run", "state", "done", "accepted", "took"],
        60: ["run", "state", "done"],
    }
    assert "waits for" in on_terminal(tables.runs_of_which_one_waits(), 80)


def test_a_very_narrow_terminal_gets_tiers(terminal, on_terminal):
    view = Tables(terminal.client).runs_of_which_one_waits()
    assert (
        on_terminal(view, 40)
        == f"""\
run
  state       done  accepted
  waits for
{ID}
  SUCCEEDED    3/3  2026-11-23 12:00
{ID}
  CANCELLING   3/3  2026-11-23 12:00
  2 cores of worker-12.example.org, 0
  are free; held by
  {ID}
"""
    )


def test_an_empty_list_of_benchmarks():
    none = Listing(Benchmark, ())
    assert in_pipe(benchmark_table(none)) == "no benchmarks\n"
    assert in_pipe(benchmark_table(none, filtered=True)) == "no benchmark matches\n"


def test_paths_are_in_one_piece(terminal, on_terminal):
    app = attrs.evolve(terminal.client.get_app("a"), path=PATH)
    assert PATH in on_terminal(app_facts(app), 40)
    pipeline = attrs.evolve(terminal.client.get_pipeline("f"), file=PATH)
    assert on_terminal(pipeline_tree(pipeline), 40).splitlines()[:2] == [
        f"weather  {PATH}  by their dependencies",
        "├── 1. train  Train  agi.run  STALE",
    ]
    drawn = on_terminal(facts([("why", WORDS), ("kept", path(PATH)), ("none", "")]), 40)
    assert drawn == (
        "why   2 cores of worker-12.example.org,\n"
        "      0 are free; held by\n"
        f"      {ID}\n"
        f"kept  {PATH}\n"
    )


def test_wide_letters_count_as_wide(on_terminal):
    drawn = on_terminal(grid(("a", "b"), [("漢字", "x"), ("b", "y")], prose=("b",)), 40)
    assert drawn == "a     b\n漢字  x\nb     y\n"


def test_long_heads_above_short_numbers_take_several_lines(on_terminal):
    rows = [{"carrier": "9E", "mean_arr_delay": 7.38, "on_time_share": 0.697}]
    assert (
        on_terminal(data_view(rows), 30)
        == """\
         mean_    on_
          arr_  time_
carrier  delay  share
9E       7.380  0.697
"""
    )
    assert on_terminal(data_view(rows), 40).startswith("carrier  mean_arr_delay  on_time_share")


def test_columns_share_what_the_others_leave():
    def column(head: str, text: str, **how: bool) -> Column:
        return Column(head, (Text(text),), **how)

    words = "a b c d e f " * 20
    columns = [column("id", "x" * 10), column("one", words, prose=True)]
    columns += [column("two", "short", prose=True), column("three", words, prose=True)]
    (tier,) = fitted(columns, 100)
    assert [each.width for each in tier] == [10, 39, 5, 40]
    assert [each.width for (each,) in fitted(columns[:1] * 2, 12)] == [10, 10]
    assert len(fitted(columns, None)[0]) == 4


def test_a_real_terminal():
    """Its width is asked of the terminal itself, by a program of its own."""
    program = f"""
import sys
from agi_cli.session import Session
from agi_cli.views.grid import grid, state
row = ("{ID}", state("SUCCEEDED"), "2026-11-23 12:00:07", "", "{WORDS}")
heads = ("run", "state", "accepted", "took", "waits for")
view = grid(heads, [row], prose=("waits for",), moments=("accepted",), may_go=("accepted",))
Session(out=sys.stdout, err=sys.stderr).print(view)
"""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 96, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with os.fdopen(master, "rb", buffering=0) as screen:
        subprocess.run(
            [sys.executable, "-c", program],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            env={**env, "TERM": "xterm", "NO_COLOR": "1"},
            timeout=60,
            check=True,
        )
        os.close(slave)
        drawn = screen.read(65536).decode()
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert drawn.splitlines()[:2] == [
        f"{'run':32}  state      accepted          waits for",
        f"{ID}  SUCCEEDED  2026-11-23 12:00  2 cores of worker-12.example.org,",
    ]
