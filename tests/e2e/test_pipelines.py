"""Pipelines end to end: the path from settings to history, failures, resumes, stops, crashes."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agi_cli.main import run as run_command
from agi_cli.session import Session
from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.event import Event
from agi_cluster.model.pipeline import Freshness, PipelineStep, StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState
from agi_cluster.model.requests import CreatePlan, StartRun
from agi_cluster.model.snippet import SnippetKind
from agi_cluster.pipeline_comparison import differences
from agi_cluster.testing import RunningDaemon
from agi_env.errors import (
    PipelineRunNotFoundError,
    RefusedError,
    SnippetApiError,
    StepFailedError,
    StepInterruptedError,
    StepNotFoundError,
    StepStaleError,
    StepTimeoutError,
)

DEADLINE_S = 90.0
GATED_WORKER = """
import time
from pathlib import Path


class {manager}Worker:
    def __init__(self, env, **args): self.args = args

    def work(self, partition, out):
        begun = Path(self.args["begun"])
        with begun.open("a") as file:
            file.write(f"{partition.id}\\n")
        while not Path(self.args["gate"]).exists():
            time.sleep(0.02)
        return partition.payload

    def reduce(self, results): return sum(result.value for result in results)
"""


EXISTING = """\
# Ann's lab
[[toy]]
D = "Prepare"
Q = "Collect the data"
M = "by hand"
C = "print('prepared')\\n"
NB_CELL_ID = "c1"
profiles = {}

[[toy]]
D = ""
Q = ""
C = ""

[[toy]]
D = "Run"
Q = "from the run page"
C = '''
# snippet_api: agi.snippet.v1
import asyncio
from agi_cluster.agi_distributor import AGI, RunRequest
from agi_env import AgiEnv

async def main():
    app_env = AgiEnv(app="toy_project", verbose=1)
    request = RunRequest(mode=0, params={"parts": 3})
    print(await AGI.run(app_env, request=request))

asyncio.run(main())
'''
E = "."
depends_on = ["step-1"]

[__meta__]
schema = "agilab.lab_stages.v1"
version = 1
toy__sequence = [0, 2]
"""


class Lab:
    """A file of steps, and what is asked of it."""

    def __init__(self, client: Client, folder: Path, name: str = "lab_steps.toml") -> None:
        self.client = client
        self.folder = folder
        self.file = str(folder / name)

    def add(self, step_id: str, code: str, **more: Any) -> None:
        """Add a step of plain Python."""
        self.client.add_pipeline_step(self.file, PipelineStep(id=step_id, code=code, **more))

    def write(self, step_id: str, code: str) -> None:
        """Give a step other code, as an editor would."""
        path = Path(self.file)
        (old,) = [s.code for s in self.client.get_pipeline(self.file).steps if s.id == step_id]
        path.write_text(path.read_text().replace(old, code))

    def run(self, *steps: str, **more: Any) -> PipelineRun:
        """Execute it to its end."""
        return self.settled(self.client.start_pipeline_run(self.file, steps=steps, **more).id)

    def resume(self, name: str) -> PipelineRun:
        """Go on with an execution to its end."""
        return self.settled(self.client.resume_pipeline_run(name).id)

    def settled(self, name: str) -> PipelineRun:
        """An execution as it ended."""
        *_, (last, _) = self.client.watch_pipeline_run(name)
        assert isinstance(last, PipelineRun)
        return last

    def log(self, name: str, step: str = "") -> str:
        """What was printed."""
        return "".join(text for _, text in self.client.read_pipeline_run_log(name, step=step))

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def states(run: PipelineRun) -> dict[str, str]:
    return {step.step: step.state.value for step in run.steps}


def mark(path: Path, word: str = "x") -> str:
    """Code that leaves a line in a file each time that it is executed."""
    return f"with open({str(path)!r}, 'a') as f:\n    f.write({word!r} + '\\n')\n"


@pytest.fixture
def lab(client: Client, tmp_path: Path) -> Lab:
    return Lab(client, tmp_path)


@pytest.fixture(scope="module")
def toy(client: Client, make_app: Any) -> str:
    """A registered, installed app."""
    client.register_app(str(make_app("toy")))
    run = client.start_run(StartRun(app="toy"))
    *_, (last, _) = client.watch_run(run.id)
    assert last.result == 1
    return "toy_project"


@pytest.fixture(scope="module")
def gated(client: Client, make_app: Any) -> str:
    """An app whose partitions say that they began, and wait for a file."""
    client.register_app(str(make_app("gated", worker=GATED_WORKER)))
    return "gated_project"


def test_the_path_from_settings_to_history(
    daemon: RunningDaemon, lab: Lab, toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, install, distribute, run snippet, import, change, stale, refresh, run, history."""

    monkeypatch.chdir(tmp_path)

    def agi(*words: str, code: int = 0) -> str:
        heard = io.StringIO()
        session = Session(out=heard, err=heard, connect=lambda **_: daemon.client())
        assert run_command(words, session) == code, heard.getvalue()
        return heard.getvalue()

    agi("settings", "set", toy, "cluster.pool=true", "cluster.workers.127.0.0.1=1")
    for kind in ("install", "distribute", "run"):
        agi("snippet", kind, toy, "--file", f"{kind}.py")
        agi("snippet", "verify", f"{kind}.py")
        agi("pipeline", "import", f"{kind}.py")
    assert "SUCCEEDED" in agi("pipeline", "run")

    agi("settings", "set", toy, "cluster.workers.127.0.0.1=2")
    shown = agi("pipeline", "show")
    assert 'cluster.workers."127.0.0.1" was 1 and is 2 now' in shown
    assert "STEP_STALE" in agi("pipeline", "run", code=5)
    assert "SNIPPET_STALE" in agi("snippet", "verify", "run.py", code=5)
    agi("pipeline", "refresh")
    assert "STALE" not in agi("pipeline", "show")
    assert "SUCCEEDED" in agi("pipeline", "run")

    listed = json.loads(agi("pipeline", "history", "-o", "json"))["pipelineRuns"]
    second, first = (lab.client.get_pipeline_run(each["name"]) for each in listed)
    assert (first.state, second.state) == (PipelineRunState.SUCCEEDED,) * 2
    assert '"127.0.0.1": 1' in first.steps[-1].code
    assert '"127.0.0.1": 2' in second.steps[-1].code
    fields = {each.field for each in differences(first, second) if each.step == "run-toy"}
    assert {"code", "settings", "selection", "runs", "plans"} <= fields
    for run in (first, second):
        names = [each.name.partition("/")[0] for step in run.steps for each in step.linked]
        assert names == ["installations", "plans", "runs"]
        assert run.steps[-1].linked[0].plan.startswith("plans/toy-")
        assert run.steps[-1].linked[0].state == "SUCCEEDED"
    agi("pipeline", "compare", first.id, second.id)
    agi("settings", "reset", toy)


@pytest.mark.parametrize("name", ["lab_steps.toml", "lab_stages.toml"])
def test_what_existing_users_have_runs_and_stays_as_it_is(
    client: Client, toy: str, tmp_path: Path, name: str
) -> None:
    lab = Lab(client, tmp_path, name)
    Path(lab.file).write_text(EXISTING)
    shown = client.get_pipeline(lab.file, module=toy)
    assert [(step.id, step.engine) for step in shown.steps] == [
        ("step-1", "runpy"),
        ("step-3", "agi.run"),
    ]
    ended = lab.run()
    assert ended.state is PipelineRunState.SUCCEEDED, lab.log(ended.id)
    (linked,) = ended.steps[1].linked
    assert client.get_run(linked.name).result == 3
    assert Path(lab.file).read_text() == EXISTING


def test_a_failing_step_of_a_serial_pipeline(lab: Lab, tmp_path: Path) -> None:
    done = tmp_path / "done"
    lab.add("first", mark(done, "first"))
    lab.add("second", "import sys\nprint('no luck')\nsys.exit(3)\n")
    lab.add("third", mark(done, "third"))
    failed = lab.run()
    assert failed.state is PipelineRunState.FAILED
    assert states(failed) == {"first": "SUCCEEDED", "second": "FAILED", "third": "BLOCKED"}
    assert failed.steps[1].exit_code == 3
    assert isinstance(failed.error, StepFailedError)
    assert "no luck" in failed.error.metadata["log_tail"]
    assert done.read_text() == "first\n"

    lab.write("second", mark(done, "second"))
    resumed = lab.resume(failed.id)
    assert resumed.state is PipelineRunState.SUCCEEDED
    assert resumed.origin == failed.id
    assert done.read_text() == "first\nsecond\nthird\n"
    assert resumed.steps[0].reason == f"carried over from {failed.id}"
    with pytest.raises(RefusedError):
        lab.client.resume_pipeline_run(resumed.id)

    again = lab.settled(lab.client.rerun_pipeline(failed.id).id)
    assert states(again) == states(failed)
    assert [s.code for s in again.steps] == [s.code for s in failed.steps]


def test_a_failing_step_of_a_parallel_pipeline(lab: Lab, tmp_path: Path) -> None:
    done = tmp_path / "done"
    lab.add("root", mark(done, "root"))
    lab.add("bad", "raise SystemExit(1)\n", deps=("root",))
    lab.add("good", mark(done, "good"), deps=("root",))
    lab.add("after-bad", mark(done, "after-bad"), deps=("bad", "good"))
    lab.add("after-good", mark(done, "after-good"), deps=("good",))
    failed = lab.run()
    assert failed.state is PipelineRunState.FAILED
    assert states(failed) == {
        "root": "SUCCEEDED",
        "bad": "FAILED",
        "good": "SUCCEEDED",
        "after-bad": "BLOCKED",
        "after-good": "SUCCEEDED",
    }
    assert done.read_text().split() == ["root", "good", "after-good"]

    retried = lab.settled(lab.client.retry_pipeline_step(failed.id, "bad").id)
    assert states(retried)["bad"] == "FAILED"
    assert states(retried)["after-bad"] == "LEFT_OUT"
    lab.write("bad", mark(done, "bad"))
    resumed = lab.resume(failed.id)
    assert resumed.state is PipelineRunState.SUCCEEDED
    assert done.read_text().split() == ["root", "good", "after-good", "bad", "after-bad"]


def test_independent_steps_run_at_the_same_time(lab: Lab, tmp_path: Path) -> None:
    meet = (
        "import pathlib, sys, time\n"
        "own, other = map(pathlib.Path, {pair!r})\n"
        "own.touch()\n"
        "end = time.monotonic() + 60\n"
        "while not other.exists() and time.monotonic() < end: time.sleep(0.01)\n"
        "sys.exit(not other.exists())\n"
    )
    pair = [str(tmp_path / "a"), str(tmp_path / "b")]
    lab.add("zero", "pass\n")
    lab.add("one", meet.format(pair=pair), deps=("zero",))
    lab.add("two", meet.format(pair=pair[::-1]), deps=("zero",))
    assert lab.run().state is PipelineRunState.SUCCEEDED


def test_two_runs_in_parallel_need_no_more_cores_than_one(lab: Lab, toy: str) -> None:
    """Each run asks for every core of the machine: one waits for the other, and both end."""
    cores = lab.client.get_host("127.0.0.1").cores
    code = (
        "import asyncio\nfrom agi_cluster.agi_distributor import AGI\nfrom agi_env import AgiEnv\n"
        f"env = AgiEnv({toy!r})\n"
        f"print(asyncio.run(AGI.run(env, workers={{'127.0.0.1': {cores}}}, mode=1)))\n"
    )
    lab.add("start", "pass\n")
    for name in ("left", "right"):
        lab.add(name, code, deps=("start",), engine="agi.run")
    run = lab.run()
    assert run.state is PipelineRunState.SUCCEEDED
    assert [each.state for step in run.steps for each in step.linked] == ["SUCCEEDED"] * 2


def test_a_pipeline_of_one_client_is_watched_from_another(
    daemon: RunningDaemon, lab: Lab, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    wait = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    lab.add("wait", f"import os, time\nprint('here', flush=True)\n{wait}")
    started = lab.client.start_pipeline_run(lab.file)
    with daemon.client() as other:
        updates = other.watch_pipeline_run(started.id)
        kinds = []
        while "step_started" not in kinds:
            update, _ = next(updates)
            kinds.append(update.kind if isinstance(update, Event) else "snapshot")
        pieces = other.read_pipeline_run_log(started.id, follow=True)
        assert next(pieces) == ("wait", "here\n")
        gate.touch()
        assert list(pieces) == []
        *_, (last, _) = updates
    assert isinstance(last, PipelineRun)
    assert last.state is PipelineRunState.SUCCEEDED


def test_cancelling_a_pipeline_cancels_its_runs(lab: Lab, gated: str, tmp_path: Path) -> None:
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    lab.add("run", gated_run(gated, begun, gate), engine="agi.run")
    lab.add("never", "pass\n")
    started = lab.client.start_pipeline_run(lab.file)
    lab.until(begun.exists)
    lab.client.cancel_pipeline_run(started.id, grace_seconds=1)
    ended = lab.settled(started.id)
    assert ended.state is PipelineRunState.CANCELLED
    assert states(ended) == {"run": "CANCELLED", "never": "CANCELLED"}
    (linked,) = ended.steps[0].linked
    lab.until(lambda: lab.client.get_run(linked.name).state.settled)
    assert lab.client.get_run(linked.name).state.value == "CANCELLED"


def test_a_step_that_is_stopped_alone(lab: Lab, tmp_path: Path) -> None:
    stubborn = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n"
    )
    lab.add("root", "pass\n")
    lab.add("stubborn", stubborn, deps=("root",))
    lab.add("other", "pass\n", deps=("root",))
    started = lab.client.start_pipeline_run(lab.file)
    lab.until(lambda: states(lab.client.get_pipeline_run(started.id))["stubborn"] == "RUNNING")
    lab.client.cancel_pipeline_run(started.id, step="stubborn", grace_seconds=0.2)
    ended = lab.settled(started.id)
    assert ended.state is PipelineRunState.FAILED
    assert states(ended) == {"root": "SUCCEEDED", "stubborn": "CANCELLED", "other": "SUCCEEDED"}


def test_a_step_is_tried_again_while_others_go_on(lab: Lab, tmp_path: Path) -> None:
    gate, flag = tmp_path / "gate", tmp_path / "flag"
    look = "import os, sys, time\n"
    lab.add("root", "pass\n")
    lab.add(
        "long",
        f"{look}while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n",
        deps=("root",),
    )
    lab.add("fickle", f"{look}sys.exit(not os.path.exists({str(flag)!r}))\n", deps=("root",))
    lab.add("last", "pass\n", deps=("fickle",))
    started = lab.client.start_pipeline_run(lab.file)
    lab.until(lambda: states(lab.client.get_pipeline_run(started.id))["last"] == "BLOCKED")
    with pytest.raises(RefusedError, match="Only a step that did not succeed"):
        lab.client.retry_pipeline_step(started.id, "long")
    flag.touch()
    assert lab.client.retry_pipeline_step(started.id, "fickle").id == started.id
    lab.until(lambda: states(lab.client.get_pipeline_run(started.id))["last"] == "SUCCEEDED")
    gate.touch()
    ended = lab.settled(started.id)
    assert ended.state is PipelineRunState.SUCCEEDED
    assert ended.steps[2].attempt == 2


def test_a_step_has_a_time_limit(lab: Lab) -> None:
    lab.add("slow", "import time\ntime.sleep(600)\n", timeout=0.3)
    ended = lab.run()
    assert isinstance(ended.error, StepTimeoutError)


def test_outputs_are_recorded_and_may_save_a_step(lab: Lab, tmp_path: Path) -> None:
    code = "import pathlib\npathlib.Path('out').mkdir()\npathlib.Path('out/a').write_text('a')\n"
    lab.add("make", code, outputs=("out", "none"))
    lab.add("spare", "raise SystemExit(1)\n", outputs=("out",), skip_if_outputs_exist=True)
    ended = lab.run()
    assert states(ended) == {"make": "SUCCEEDED", "spare": "SKIPPED"}
    made, none = ended.steps[0].outputs
    assert (made.files, made.bytes, none.place) == (1, 1, "")
    assert made.sha256 == ended.steps[1].outputs[0].sha256


def test_a_step_runs_in_the_environment_that_it_names(lab: Lab, tmp_path: Path) -> None:
    project = tmp_path / "project"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", project / ".venv"], check=True, timeout=60
    )
    (project / "own_module.py").write_text("WORD = 'mine'\n")
    lab.add(
        "where",
        "import sys, own_module\nprint(sys.prefix, own_module.WORD)\n",
        environment=str(project),
    )
    lab.add("lost", "pass\n", environment=str(tmp_path / "nowhere"))
    text = Path(lab.file).read_text().replace('R = "agi.run"', 'R = "runpy"')
    Path(lab.file).write_text(text)
    ended = lab.run()
    assert lab.log(ended.id, "where") == f"{project / '.venv'} mine\n"
    assert states(ended) == {"where": "SUCCEEDED", "lost": "FAILED"}


def test_a_stale_step_says_field_by_field_what_changed(
    lab: Lab, make_app: Any, client: Client
) -> None:
    root = make_app("fickle", settings="[args]\nparts = 2\n")
    client.register_app(str(root))
    snippet = client.render_snippet("fickle", SnippetKind.RUN)
    client.add_pipeline_step(lab.file, PipelineStep(code=snippet.text), generated=True)
    assert client.get_pipeline(lab.file).steps[0].freshness is Freshness.CURRENT

    client.update_settings(
        "fickle",
        [
            SettingChange(key="args.parts", value="3"),
            SettingChange(key="cluster.pool", value="true"),
            SettingChange(key="cluster.workers.127.0.0.1", value="2"),
        ],
    )
    manager = root / "src" / "fickle" / "fickle.py"
    manager.write_text(manager.read_text() + "# edited\n")
    (step,) = client.get_pipeline(lab.file).steps
    assert step.freshness is Freshness.STALE
    assert {(each.field, each.detail) for each in step.stale} == {
        ("arguments", "args.parts was 2 and is 3 now"),
        ("settings", "cluster.pool was False and is True now"),
        ("hosts", 'cluster.workers."127.0.0.1" was 1 and is 2 now'),
        ("sources", "src/fickle/fickle.py (edited)"),
    }
    with pytest.raises(StepStaleError, match=r"args\.parts was 2"):
        client.start_pipeline_run(lab.file)
    allowed = client.start_pipeline_run(lab.file, allow_stale=True, validate_only=True)
    assert len(allowed.warnings) == 4
    refreshed = client.refresh_pipeline_steps(lab.file)
    assert refreshed.steps[0].freshness is Freshness.CURRENT
    assert '"parts": 3' in refreshed.steps[0].code


def test_a_step_bound_to_a_plan(lab: Lab, toy: str) -> None:
    plan = lab.client.create_plan(CreatePlan(app=toy))
    snippet = lab.client.render_snippet(toy, SnippetKind.RUN, plan=plan.name)
    assert f'plan="{plan.name}"' in snippet.text
    lab.client.add_pipeline_step(lab.file, PipelineStep(code=snippet.text), generated=True)
    shown = lab.client.render_snippet(toy, SnippetKind.DISTRIBUTE, plan=plan.name)
    lab.client.add_pipeline_step(lab.file, PipelineStep(code=shown.text), generated=True)
    ended = lab.run()
    assert ended.state is PipelineRunState.SUCCEEDED, lab.log(ended.id)
    assert ended.steps[0].linked[0].plan == plan.name
    assert plan.name in lab.log(ended.id, "distribute-toy")


def test_a_snippet_of_another_api_is_refused(lab: Lab, toy: str) -> None:
    text = lab.client.render_snippet(toy, SnippetKind.RUN).text.replace(".v1", ".v7")
    with pytest.raises(SnippetApiError, match=r"agi\.snippet\.v7"):
        lab.client.verify_snippet(text)
    with pytest.raises(SnippetApiError, match="Render it again"):
        lab.client.add_pipeline_step(lab.file, PipelineStep(code=text), generated=True)
    assert not Path(lab.file).exists()


def test_names_of_what_is_not_there(lab: Lab) -> None:
    lab.add("only", "pass\n")
    with pytest.raises(StepNotFoundError, match="It has only"):
        lab.run("other")
    with pytest.raises(PipelineRunNotFoundError):
        lab.client.get_pipeline_run("none")


def gated_run(app: str, begun: Path, gate: Path) -> str:
    """A snippet that runs an app whose partitions wait for a file."""
    return (
        "import asyncio\nfrom agi_cluster.agi_distributor import AGI\nfrom agi_env import AgiEnv\n"
        f"env = AgiEnv({app!r})\n"
        f"args = dict(begun={str(begun)!r}, gate={str(gate)!r}, parts=2)\n"
        "print(asyncio.run(AGI.run(env, mode=0, **args)))\n"
    )


class Crashes:
    """A daemon of its own that is killed, and the pipeline that survives it."""

    def __init__(self, daemon: RunningDaemon, client: Client, folder: Path, app: str) -> None:
        self.daemon = daemon
        self.folder = folder
        self.begun, self.gate, self.done = (folder / name for name in ("begun", "gate", "done"))
        self.lab = Lab(client, folder)
        self.lab.add("before", mark(self.done, "before"))
        self.lab.add("run", gated_run(app, self.begun, self.gate), engine="agi.run")
        self.lab.add("after", mark(self.done, "after"))

    def started(self) -> PipelineRun:
        """An execution whose run is under way."""
        started = self.lab.client.start_pipeline_run(self.lab.file)
        self.lab.until(self.begun.exists)
        return started

    def step_processes(self) -> list[int]:
        """The processes of steps and their supervisors."""
        marks = ("pipelines/", "step_attach")
        lines = self.daemon.processes().items()
        return [pid for pid, line in lines if any(word in line for word in marks)]

    def check(self, started: PipelineRun) -> None:
        """Let it go on, and see that everything happened once."""
        self.gate.touch()
        ended = self.lab.settled(started.id)
        assert ended.state is PipelineRunState.SUCCEEDED, self.lab.log(started.id)
        assert self.done.read_text().split() == ["before", "after"]
        runs = self.lab.client.list_runs().items
        mine = [each.name for step in ended.steps for each in step.linked]
        assert mine == [f"runs/{run.id}" for run in runs if run.args.get("gate") == str(self.gate)]
        assert len(mine) == 1
        assert sorted(self.begun.read_text().split()) == ["p0", "p1"]


@pytest.fixture
def crash(daemon: RunningDaemon, client: Client, gated: str, tmp_path: Path) -> Crashes:
    return Crashes(daemon, client, tmp_path, gated)


def test_a_killed_daemon_loses_nothing(crash: Crashes) -> None:
    started = crash.started()
    crash.daemon.kill()
    crash.daemon.start()
    crash.check(started)


def test_a_step_that_dies_with_its_daemon_joins_its_run(crash: Crashes) -> None:
    started = crash.started()
    crash.daemon.kill()
    for pid in crash.step_processes():
        os.kill(pid, signal.SIGKILL)
    crash.daemon.start()
    crash.check(started)
    step = crash.lab.client.get_pipeline_run(started.id).steps[1]
    assert (step.attempt, step.starts) == (1, 2)


def test_other_code_that_is_lost_is_never_repeated(
    daemon: RunningDaemon, lab: Lab, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    lab.add("work", f"{mark(done)}import time\ntime.sleep(600)\n")
    started = lab.client.start_pipeline_run(lab.file)
    lab.until(done.exists)
    daemon.kill()
    for pid, line in daemon.processes().items():
        if str(daemon.state / "pipelines") in line:
            os.kill(pid, signal.SIGKILL)
    daemon.start()
    ended = lab.settled(started.id)
    assert ended.steps[0].state is StepState.INTERRUPTED
    assert isinstance(ended.error, StepInterruptedError)
    assert done.read_text() == "x\n"
