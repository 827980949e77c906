"""Every command against a client that remembers what it was asked."""

from __future__ import annotations

import json

import attrs
import pytest

from agi_cli import exit_codes
from agi_cluster.model.app import SettingChange
from agi_cluster.model.installation import InstallationState
from agi_cluster.model.plan_edit import Move, Pin, Rebalance, Swap, Undo, Unpin
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StalePlan, StartRun
from agi_cluster.model.run import RunState
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import SnippetKind
from agi_env.errors import BuildFailedError
from agi_env.mode import Mode


def test_run_asks_what_the_options_say(terminal):
    code = terminal.type(
        *("run", "weather", "--mode", "1", "-w", "127.0.0.1=2", "--cores-per-slot", "1"),
        *(
            "--arg",
            "nfile=3",
            "--arg",
            "name=Ann",
            "--arg",
            "days=[1, 2]",
            "--arg",
            "at=2026-01-02",
        ),
        *("--plan", "plans/weather-1@1", "--no-install", "-v", "1"),
    )
    assert code == 0
    request, validate_only = terminal.client.asked[0]
    assert not validate_only
    assert request == StartRun(
        app="weather_project",
        mode=Mode.POOL,
        selection=Selection(workers={"127.0.0.1": 2}, cores_per_slot=1),
        args={"nfile": 3, "name": "Ann", "days": [1, 2], "at": "2026-01-02"},
        plan="plans/weather-1@1",
        no_install=True,
        verbose=1,
    )


def test_run_says_how_it_goes_and_shows_the_report(terminal):
    assert terminal.type("run", "weather") == 0
    assert terminal.said.splitlines() == [
        "runs/weather-r1: weather_project, mode 1 = pool",
        "checking what is installed",
        "installed already",
        "planned: 3 partitions, plans/weather-1@1",
        "started",
        "reducing",
    ]
    assert "weather_project  SUCCEEDED  mode 1 = pool  in 1.50 s" in terminal.shown
    assert "/share/weather/results/weather-r1" in terminal.shown


def test_verbosity_2_names_each_partition_and_0_is_silent(terminal):
    terminal.type("run", "weather", "-v", "2")
    assert "part 2: done on slot 1 in 200 ms" in terminal.said
    terminal.type("run", "weather", "-v", "0")
    assert terminal.said == ""


def test_verbosity_3_shows_what_the_app_prints(terminal):
    terminal.type("run", "weather", "-v", "3")
    assert "\nexecutor-0-0.log: hello\n" in terminal.said
    assert ("read_run_log", "weather-r1", "", True) in terminal.client.asked


def test_a_failed_run_is_reported_and_ends_with_the_code_of_its_error(terminal, failed_run):
    terminal.client.final = failed_run

    assert terminal.type("run", "weather") == 11
    assert "FAILED" in terminal.shown
    assert terminal.said.endswith(" [PARTITION_FAILED]\n")
    assert terminal.type("run", "weather", "-o", "json") == 11
    assert json.loads(terminal.shown)["error"]["code"] == "PARTITION_FAILED"
    assert json.loads(terminal.said.splitlines()[-1])["error"]["code"] == "PARTITION_FAILED"


def test_a_cancelled_run_ends_with_12(terminal):
    final = terminal.client.final
    terminal.client.final = attrs.evolve(final, state=RunState.CANCELLED, result=None)

    assert terminal.type("run", "weather") == 12
    assert terminal.said.endswith(" [RUN_CANCELLED]\n")


def test_ctrl_c_detaches_and_says_how_to_come_back(terminal, interrupted_life):
    terminal.client.updates = interrupted_life

    assert terminal.type("run", "weather") == exit_codes.DETACHED
    assert terminal.said.splitlines()[-3:] == [
        "detached: runs/weather-r1 goes on",
        "`agi runs watch weather-r1` comes back to it",
        "`agi runs cancel weather-r1` ends it",
    ]
    assert not any(asked[0] == "cancel_run" for asked in terminal.client.asked)


def test_detach_returns_at_once(terminal):
    assert terminal.type("run", "weather", "--detach") == 0
    assert "QUEUED" in terminal.shown
    assert "`agi runs watch weather-r1` follows it" in terminal.said
    assert len(terminal.client.asked) == 1


def test_dry_runs_only_check(terminal):
    for args in (
        ["run", "weather", "--dry-run"],
        ["install", "weather", "--dry-run"],
        ["distribute", "weather", "--dry-run"],
        ["settings", "set", "weather", "cluster.pool=true", "--dry-run"],
        ["apps", "register", "/apps/weather_project", "--dry-run"],
        ["runs", "cancel", "weather-r1", "--dry-run"],
    ):
        terminal.client.asked.clear()
        assert terminal.type(*args) == 0
        assert [asked[-1] for asked in terminal.client.asked] == [True]
        assert terminal.said.endswith("only checked: nothing was done\n")
    assert terminal.type("runs", "cancel", "weather-r1") == 0
    assert "only checked" not in terminal.said


def test_install_asks_and_reports(terminal):
    assert terminal.type("install", "weather", "--modes", "13", "--upgrade") == 0
    assert terminal.client.asked[0] == (
        CreateInstallation(app="weather_project", modes_enabled=Mode(13), upgrade=True),
        False,
    )
    assert "weather_project: nothing to do, looked in 250 ms" in terminal.shown
    assert terminal.said == "127.0.0.1: nothing to do\n"


def test_a_failed_installation_ends_with_the_code_of_its_error(terminal):
    error = BuildFailedError("it does not import", where="127.0.0.1")
    terminal.client.installed = attrs.evolve(
        terminal.client.installed, state=InstallationState.FAILED, error=error
    )
    assert terminal.type("install", "weather") == 11
    assert terminal.said.endswith(" [BUILD_FAILED]\n")


def test_distribute_shows_every_partition(terminal):
    assert terminal.type("distribute", "weather", "--mode", "1") == 0
    assert terminal.client.asked[0] == (CreatePlan(app="weather_project", mode=Mode.POOL), False)
    assert all(f"part {i}" in terminal.shown for i in range(3))
    assert terminal.said == "partitions(): looking\npartitions(): for rain\n"
    assert "looking" not in terminal.shown


def test_settings_are_changed_by_assignments_or_by_a_key_and_its_value(terminal):
    for given, changes in (
        (["cluster.pool=true", "args.x=a=b"], [("cluster.pool", "true"), ("args.x", "a=b")]),
        (["args.months", "[1, 2]"], [("args.months", "[1, 2]")]),
    ):
        terminal.client.asked.clear()
        assert terminal.type("settings", "set", "weather", *given, "--etag", "e1") == 0
        expected = [SettingChange(key=key, value=value) for key, value in changes]
        asked = ("update_settings", "weather_project", expected, "e1", False)
        assert terminal.client.asked == [asked]


def test_settings_are_unset_reset_and_shown(terminal):
    assert terminal.type("settings", "unset", "weather", "args.x") == 0
    assert terminal.client.asked[0][2] == [SettingChange(key="args.x", unset=True)]
    assert terminal.type("settings", "reset", "weather") == 0
    assert terminal.type("settings", "show", "weather") == 0
    assert "mode      1 = pool" in terminal.shown
    assert "# mine\n[cluster]\npool = true\n" in terminal.shown


def test_runs_are_listed_as_the_options_say(terminal):
    args = ("--app", "weather", "--state", "failed", "--state", "RUNNING", "-n", "1")
    assert terminal.type("runs", "list", *args) == 0
    states = (RunState.FAILED, RunState.RUNNING)
    assert terminal.client.asked == [("list_runs", 1, "weather_project", states)]
    assert "... and more" in terminal.shown


def test_an_empty_list_says_whether_it_was_asked_for_some(terminal):
    terminal.client.listed = 0
    for words, empty in (
        (["runs", "list"], "no runs: `agi run APP` starts one\n"),
        (["runs", "list", "--app", "nope"], "no run matches\n"),
        (["runs", "list", "--state", "cancelled"], "no run matches\n"),
        (["plans", "list"], "no plans: `agi distribute APP` makes one\n"),
        (["plans", "list", "--app", "nope"], "no plan matches\n"),
    ):
        assert terminal.type(*words) == 0
        assert terminal.shown == empty


@pytest.mark.parametrize(
    ("state", "empty"),
    [
        (RunState.QUEUED, "no partitions yet\n"),
        (RunState.CANCELLED, "it ended without any partitions\n"),
    ],
)
def test_a_run_without_partitions_may_get_some_until_it_ended(terminal, state, empty):
    terminal.client.run_partitions = ()
    terminal.client.final = attrs.evolve(terminal.client.final, state=state)
    assert terminal.type("runs", "partitions", "weather-r1") == 0
    assert terminal.shown == empty


def test_a_run_that_printed_nothing_is_said_to(terminal):
    terminal.client.log = []
    for words in ([], ["--file", "runner.log"], ["--follow"]):
        assert terminal.type("runs", "logs", "weather-r1", *words) == 0
        assert (terminal.shown, terminal.said) == ("", "runs/weather-r1 has printed nothing\n")
    running = attrs.evolve(terminal.client.final, state=RunState.RUNNING)
    terminal.client.final = running
    assert terminal.type("runs", "logs", "weather-r1", "-o", "json") == 0
    assert json.loads(terminal.shown) == []
    assert terminal.said == "runs/weather-r1 has printed nothing yet\n"


def test_a_log_that_is_none_is_an_error_that_names_those_there_are(terminal):
    assert terminal.type("runs", "logs", "weather-r1", "--file", "nope.log") == 3
    assert terminal.shown == ""
    assert "runs/weather-r1: there is nothing in a file nope.log" in terminal.said
    assert "What it printed is in executor-0-0.log, runner.log" in terminal.said


def test_logs_are_written_as_they_are(terminal):
    assert terminal.type("runs", "logs", "weather-r1", "--file", "executor-0-0.log") == 0
    assert terminal.shown == "hello\n"
    assert terminal.type("runs", "logs", "weather-r1", "-o", "json") == 0
    assert json.loads(terminal.shown) == [
        {"file": "executor-0-0.log", "text": "hello\n"},
        {"file": "runner.log", "text": ""},
    ]


def test_cancel_passes_the_grace_on(terminal):
    assert terminal.type("runs", "cancel", "weather-r1", "--grace", "0") == 0
    assert terminal.client.asked == [("cancel_run", "weather-r1", 0.0, False)]
    assert "CANCELLING" in terminal.shown


def test_watching_a_settled_run_shows_its_report(terminal):
    assert terminal.type("runs", "watch", "weather-r1") == 0
    assert "SUCCEEDED" in terminal.shown
    assert terminal.said == ""


@pytest.mark.parametrize("kind", list(SnippetKind))
def test_a_snippet_is_exactly_its_bytes(terminal, kind, tmp_path):
    assert terminal.type("snippet", kind.value, "weather") == 0
    assert terminal.shown == f"# {kind.value} é\n"
    file = tmp_path / "snippet.py"
    assert terminal.type("snippet", kind.value, "weather", "--file", str(file)) == 0
    assert terminal.shown == ""
    assert file.read_bytes() == f"# {kind.value} é\n".encode()


@pytest.mark.parametrize("words", [("snippet", "run", "weather"), ("runs", "page", "weather-r1")])
def test_a_file_of_somebody_else_is_not_replaced(terminal, tmp_path, words):
    file = tmp_path / "keep.py"
    file.write_text("print('my own work')\n")
    assert terminal.type(*words, "--file", str(file)) == 6
    assert f"{file}: this file was not written by agi" in terminal.said
    assert file.read_text() == "print('my own work')\n"
    assert terminal.type(*words, "--file", str(file), "--force") == 0
    assert "my own work" not in file.read_text()


def test_a_page_is_written_again_over_itself(terminal, tmp_path):
    file = str(tmp_path / "run.html")
    assert [terminal.type("runs", "page", "weather-r1", "--file", file) for _ in range(2)] == [0, 0]


def test_a_snippet_that_cannot_be_saved_is_an_error(terminal, tmp_path):
    file = tmp_path / "nowhere" / "snippet.py"
    assert terminal.type("snippet", "run", "weather", "--file", str(file)) == 4
    assert f"{file}: the file cannot be written: No such file or directory" in terminal.said


def test_apps_are_sent_as_absolute_paths_where_they_are_here(terminal, tmp_path):
    assert terminal.type("apps", "new", "weather_project", "--in", str(tmp_path)) == 0
    assert terminal.client.asked == [("create_app", "weather_project", str(tmp_path), False)]
    assert terminal.type("apps", "show", "apps/weather_project") == 0
    assert terminal.client.asked[-1] == ("get_app", "apps/weather_project")
    assert terminal.type("apps", "show", str(tmp_path / "none_project")) == 3


def test_the_status_of_no_daemon_is_7_and_starts_none(terminal):
    terminal.client.running = False

    assert terminal.type("daemon", "status") == 7
    assert terminal.starting == [False]
    assert "no daemon answers" in terminal.said
    assert terminal.type("daemon", "stop") == 7


def test_the_daemon_is_started_stopped_and_shown(terminal):
    assert terminal.type("daemon", "start") == 0
    assert terminal.said == "it runs already\n"
    assert terminal.starting == [False, True]
    assert terminal.type("daemon", "status") == 0
    assert "version 0.1.0, API agi.v1, pid 1" in terminal.shown
    assert terminal.type("daemon", "stop") == 0
    assert terminal.said == "stopped\n"


def test_a_plan_is_shown_whole_or_as_json(terminal):
    assert terminal.type("plans", "show", "plans/weather-1@1", "--all") == 0
    assert "part 1  20" in terminal.shown
    assert terminal.type("plans", "partitions", "plans/weather-1@1", "-o", "json") == 0
    assert [p["slot"] for p in json.loads(terminal.shown)["partitions"]] == [0, 0, 1]


@pytest.mark.parametrize(
    ("words", "edit"),
    [
        (["move", "PLAN", "p 0", "p1", "--to", "1"], Move(partitions=("p 0", "p1"), slot=1)),
        (["move", "PLAN", "p0", "--to", "127.0.0.1/1"], Move(partitions=("p0",), slot=1)),
        (["swap", "PLAN", "p0", "p2"], Swap(first="p0", second="p2")),
        (["pin", "PLAN", "p0", "p1"], Pin(partitions=("p0", "p1"))),
        (["unpin", "PLAN", "p0"], Unpin(partitions=("p0",))),
        (["unpin", "PLAN", "--all"], Unpin()),
        (["rebalance", "PLAN", "--without", "h"], Rebalance(without=("h",))),
        (["undo", "PLAN", "--to", "1"], Undo(revision=1)),
    ],
)
def test_plans_are_edited_on_the_revision_that_is_there(terminal, words, edit):
    words = [word.replace("PLAN", "plans/weather-1") for word in words]
    assert terminal.type("plans", *words) == 0
    asked = ("edit_plan", "plans/weather-1", [edit], "p1", False)
    assert asked in terminal.client.asked
    assert "plans/weather-1@2  moved p0 to 127.0.0.1/1" in terminal.shown
    assert "127.0.0.1/0" in terminal.shown
    assert terminal.type("plans", *words, "--dry-run", "--etag", "e", "-o", "json") == 0
    assert terminal.client.asked[-1] == ("edit_plan", "plans/weather-1", [edit], "e", True)
    assert json.loads(terminal.shown)["revision"] == 2


def test_a_slot_that_is_none_and_nothing_to_unpin_are_refused(terminal):
    assert terminal.type("plans", "move", "plans/weather-1", "p0", "--to", "h/7") == 4
    assert "Give a number, or a name such as 127.0.0.1/0" in terminal.said
    assert terminal.type("plans", "unpin", "plans/weather-1") == 4


def test_revisions_differences_and_findings_are_shown(terminal):
    assert terminal.type("plans", "revisions", "plans/weather-1") == 0
    assert terminal.type("plans", "diff", "plans/weather-1@1") == 0
    assert terminal.client.asked[-1] == ("diff_plans", "plans/weather-1@1", "plans/weather-1", 20)
    assert "p0" in terminal.shown
    assert terminal.type("plans", "lint", "plans/weather-1") == 0
    assert "ONE_HOST: all on one" in terminal.shown
    assert terminal.type("plans", "lint", "plans/weather-1", "-o", "json") == 0
    assert json.loads(terminal.shown)["findings"][0]["numbers"] == {"hosts": 2.0}


def test_a_what_if_only_asks(terminal):
    words = ("distribute", "weather", "--without", "h", "--slots", "g=4")
    assert terminal.type(*words) == 0
    asked = CreatePlan(app="weather_project", no_install=True)
    changed = attrs.evolve(asked, without=("h",), slots={"g": 4})
    assert terminal.client.asked == [(asked, True), (changed, True)]
    assert "predicted finish 30, as before" in terminal.shown
    assert "nothing was kept" in terminal.shown


def test_a_stale_plan_is_accepted_or_rebased(terminal):
    for word, choice in (("--proceed", StalePlan.PROCEED), ("--rebase", StalePlan.REBASE)):
        terminal.client.asked.clear()
        assert terminal.type("run", "weather", "--plan", "plans/weather-1", word) == 0
        assert terminal.client.asked[0][0].stale_plan is choice
        assert terminal.type("run", "weather", word) == 4
