"""``agi pipeline`` and ``agi snippet verify`` against a client that remembers what it was asked."""

from __future__ import annotations

import json

import attrs
import pytest

from agi_cluster.model.pipeline import StepState
from agi_cluster.model.pipeline_run import PipelineRunState
from agi_cluster.model.snippet import SnippetKind, Staleness
from agi_env.errors import StepFailedError


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with a file of steps, in which commands are typed."""
    (tmp_path / "lab_stages.toml").touch()
    (tmp_path / "train.py").write_text("print(1)\n")
    monkeypatch.chdir(tmp_path)
    return str(tmp_path / "lab_stages.toml")


@pytest.fixture
def failed(terminal):
    """The execution of the fake, failed."""
    error = StepFailedError("exited with 3", where="step train", metadata={"log_tail": "no luck"})
    good = terminal.client.execution
    step = attrs.evolve(good.steps[0], state=StepState.FAILED, exit_code=3, error=error)
    terminal.client.execution = attrs.evolve(
        good, id="x2", state=PipelineRunState.FAILED, error=error, steps=(step,), origin="x1"
    )


def test_the_steps_are_a_tree(terminal, lab):
    assert terminal.type("pipeline", "show") == 0
    assert terminal.client.asked == [("get_pipeline", lab, "")]
    assert "1. train  Train  agi.run  STALE" in terminal.shown
    assert "arguments: args.nfile was 1 and is 2 now" in terminal.shown
    assert "not in the sequence" in terminal.shown
    assert terminal.type("pipeline", "show", "-o", "json") == 0
    assert json.loads(terminal.shown)["steps"][0]["freshness"] == "FRESHNESS_STALE"


def test_a_folder_without_steps_is_said(terminal, tmp_path):
    assert terminal.type("pipeline", "show", "--file", str(tmp_path)) == 3
    assert "PIPELINE_NOT_FOUND" in terminal.said


def test_a_script_is_added_as_it_is(terminal, lab):
    words = ("--dep", "a", "--output-path", "model", "--timeout", "5", "--dry-run")
    assert terminal.type("pipeline", "add", "train.py", *words) == 0
    name, file, step, more = terminal.client.asked[0]
    assert (name, file, more["validate_only"]) == ("add_pipeline_step", lab, True)
    assert (step.id, step.deps, step.code, step.engine) == ("train", ("a",), "print(1)\n", "runpy")
    assert (step.outputs, step.timeout) == (("model",), 5.0)


def test_a_snippet_is_imported_from_a_file_or_rendered(terminal, lab):
    assert terminal.type("pipeline", "import", "train.py", "--id", "x") == 0
    _, _, step, more = terminal.client.asked[0]
    assert (step.id, step.code, more["generated"]) == ("x", "print(1)\n", True)
    assert terminal.type("pipeline", "import", "--app", "weather", "--kind", "install") == 0
    assert terminal.client.asked[1][:3] == (
        "render_snippet",
        "weather_project",
        SnippetKind.INSTALL,
    )
    assert terminal.client.asked[2][2].code == "# install é\n"
    assert terminal.type("pipeline", "import") == 4


def test_edits_say_what_the_options_say(terminal, lab):
    terminal.type("pipeline", "refresh", "train", "--force", "--etag", "e")
    terminal.type("pipeline", "remove", "train", "--module", "m")
    terminal.type("pipeline", "move", "train", "2")
    refresh, remove, move = terminal.client.asked
    assert refresh[2] == {
        "module": "",
        "steps": ("train",),
        "force": True,
        "etag": "e",
        "validate_only": False,
    }
    assert remove[2:] == ("train", {"module": "m", "etag": "", "validate_only": False})
    assert move[2:4] == ("train", 2)


def test_run_says_how_it_goes_and_shows_the_report(terminal, lab):
    assert terminal.type("pipeline", "run", "train", "--allow-stale") == 0
    assert terminal.client.asked[0][2]["steps"] == ("train",)
    assert terminal.said.splitlines() == [
        "pipelineRuns/x1",
        "train: begun",
        "train: done after 1.50 s",
    ]
    assert "weather  SUCCEEDED  in 2.00 s" in terminal.shown
    assert "runs/weather-r1" in terminal.shown
    assert "efefefefefef" in terminal.shown


def test_what_failed_ends_with_its_code_and_shows_what_was_printed(terminal, lab, failed):
    for words in (("run",), ("rerun", "x1"), ("resume", "x1"), ("retry", "x1", "train")):
        assert terminal.type("pipeline", *words) == 11
        assert "no luck" in terminal.shown
        assert "STEP_FAILED" in terminal.said
    assert terminal.type("pipeline", "watch", "x2") == 11
    assert terminal.type("pipeline", "run", "--detach") == 0
    assert "agi pipeline watch x2" in terminal.said


def test_the_history_and_what_differs(terminal, lab, failed):
    assert terminal.type("pipeline", "history", "-n", "5") == 0
    assert terminal.client.asked[-1] == ("list_pipeline_runs", 5, lab)
    assert "x2" in terminal.shown
    assert "0/1" in terminal.shown
    assert terminal.type("pipeline", "history", "x1") == 0
    assert terminal.type("pipeline", "compare", "x1", "x2", "-o", "json") == 0
    found = {each["field"]: each for each in json.loads(terminal.shown)["differences"]}
    assert found["exit code"]["second"] == "3"
    assert terminal.type("pipeline", "compare", "x1", "x1") == 0
    assert terminal.shown == "they do not differ\n"


def test_logs_and_cancel(terminal, lab):
    assert terminal.type("pipeline", "logs", "x1", "--follow") == 0
    assert terminal.client.asked == [("read_pipeline_run_log", "x1", "", True)]
    assert (terminal.shown, terminal.said) == ("hello\ndone\n", "--- train\n--- report\n")
    assert terminal.type("pipeline", "cancel", "x1", "train", "--grace", "1") == 0
    assert terminal.client.asked[-1][2]["step"] == "train"


def test_a_snippet_that_is_not_current_ends_with_five(terminal, lab):
    assert terminal.type("snippet", "verify", "train.py") == 0
    assert "CURRENT" in terminal.shown
    terminal.client.stale = (Staleness(field="hosts", detail="one is gone"),)
    assert terminal.type("snippet", "verify", "train.py") == 5
    assert "one is gone" in terminal.shown
    assert "`agi snippet run weather` renders it again" in terminal.said
