"""Plans that were edited: the run obeys them, in every mode and for every id, label and payload."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.event import Event
from agi_cluster.model.plan import Plan
from agi_cluster.model.plan_edit import Move, Pin, Rebalance
from agi_cluster.model.requests import CreatePlan, StalePlan, StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.errors import AgiError, EtagMismatchError, PlanStaleError
from agi_env.mode import Mode
from agi_env.runtime import journal

TWO = Selection(workers={"127.0.0.1": 2})
MODES = [Mode.PLAIN, Mode.POOL, Mode.CLUSTER, Mode.CLUSTER | Mode.POOL]

MANAGER = """\
import json
from pathlib import Path
from agi_env import BaseApp, Partition

class {manager}(BaseApp):
    def partitions(self):
        for each in json.loads(Path(self.args["named"]).read_text()):
            yield Partition.of(**each)
"""
ECHO = """\
from agi_env import BaseWorker

class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        return [partition.id, partition.label, partition.payload]

    def reduce(self, results):
        return [result.value for result in results]
"""
ODD = [
    {"id": "plain", "payload": None},
    {"id": "a b\n\tc", "label": "two\nlines", "payload": "text \U0001f600 \x00"},
    {"id": "'\"#[]*\\", "label": "", "payload": [1, [2.5, None], {"k": [True, False]}]},
    {"id": "plans/x@1", "label": "a/b", "weight": 0, "payload": {}},
    {"id": "-1", "label": "0", "weight": 1e300, "payload": 2**53 - 1},
    {"id": "é" * 512, "label": "x" * 5000, "payload": {"": {"\u2028": -0.5}}},
    {"id": "..", "label": "../../etc", "payload": ""},
    {"id": " ", "label": " ", "payload": False},
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDaemon]:
    share = str(tmp_path_factory.mktemp("cluster-share"))
    with running_daemon(env={"AGI_CLUSTER_SHARE": share}) as daemon:
        yield daemon


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """The file that says what the app names."""
    file = tmp_path / "named.json"
    file.write_text(json.dumps(ODD))
    return file


@pytest.fixture(scope="module")
def echo(make_app: Callable[..., Path]) -> str:
    return str(make_app("echo", manager=MANAGER, worker=ECHO))


def settle(client: Client, run: Run) -> tuple[Run, list[Event]]:
    *updates, (last, _) = client.watch_run(run.id, verbose=3)
    assert isinstance(last, Run)
    return last, [update for update, _ in updates if isinstance(update, Event)]


def slots(client: Client, plan: Plan) -> dict[str, int]:
    return {each.id: each.slot for each in client.list_plan_partitions(plan.name).items}


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"mode{int(mode)}")
def test_the_run_has_every_partition_where_the_edited_plan_has_it(
    client: Client, echo: str, named: Path, mode: Mode
) -> None:
    selection = Selection() if mode is Mode.PLAIN else TWO
    args = {"named": str(named)}
    plan = client.create_plan(CreatePlan(app=echo, mode=mode, selection=selection, args=args))
    before = slots(client, plan)
    # Everything to where it was not; in mode 0 there is one slot.
    edits = [
        Move(partitions=(name,), slot=(slot + 1) % len(plan.slots)) for name, slot in before.items()
    ]
    edited = client.edit_plan(plan.name, [*edits, Pin(partitions=("plain",))], etag=plan.etag)
    after = slots(client, edited)
    assert after.keys() == before.keys()
    assert mode is Mode.PLAIN or all(after[name] != before[name] for name in after)

    run, _ = settle(client, client.start_run(StartRun(app=echo, plan=edited.name)))
    assert (run.state, run.error) == (RunState.SUCCEEDED, None)
    assert (run.plan, run.plan_digest) == (edited.name, edited.digest)
    records = journal.read(Path(run.paths.run_directory) / "journal").records
    done = [each.data for each in records if each.kind == "partition_finished"]
    finished = {each["id"]: each["slot"] for each in done}
    assert finished == after
    assert run.result == [
        [each["id"], each.get("label", each["id"]), each["payload"]] for each in ODD
    ]
    manifest = json.loads((Path(run.paths.published) / "manifest.json").read_text())
    assert (manifest["plan_revision"], manifest["plan_digest"]) == (2, edited.digest)


def test_two_edit_at_once_one_wins_and_the_other_is_told(
    client: Client, echo: str, named: Path
) -> None:
    args = {"named": str(named)}
    plan = client.create_plan(CreatePlan(app=echo, mode=Mode.POOL, selection=TWO, args=args))

    def edit(name: str) -> Plan | AgiError:
        try:
            return client.edit_plan(
                plan.name,
                [Move(partitions=(name,), slot=1), Pin(partitions=(name,))],
                etag=plan.etag,
            )
        except AgiError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(edit, [each["id"] for each in ODD]))
    (winner,) = [each for each in answers if isinstance(each, Plan)]
    losers = [each for each in answers if isinstance(each, EtagMismatchError)]
    assert (winner.revision, len(losers)) == (2, len(ODD) - 1)
    for error in losers:
        assert error.metadata["changed"].startswith("1 moved or pinned: ")
        assert (error.metadata["base_revision"], error.metadata["revision"]) == ("1", "2")
        assert error.metadata["etag"] == winner.etag
    assert client.get_plan(f"plans/{plan.id}") == winner
    assert client.get_plan(plan.name) == plan


def planned(client: Client, echo: str, named: Path) -> Plan:
    """A plan with all settings left open, one partition moved by hand and one pinned."""
    for key in ("cluster.pool", "cluster.workers"):
        value = {"cluster.pool": "true", "cluster.workers": '{"127.0.0.1" = 2}'}[key]
        client.update_settings("echo", [SettingChange(key=key, value=value)])
    client.update_settings("echo", [SettingChange(key="args.named", value=json.dumps(str(named)))])
    plan = client.create_plan(CreatePlan(app="echo"))
    moves = [Move(partitions=("plain", ".."), slot=0), Pin(partitions=("..",))]
    return client.edit_plan(plan.name, moves)


def test_changed_settings_refuse_a_plan_field_by_field(
    client: Client, echo: str, named: Path, tmp_path: Path
) -> None:
    client.register_app(echo, replace=True)
    plan = planned(client, echo, named)
    workers = SettingChange(key="cluster.workers", value='{"127.0.0.1" = 1}')
    extra = SettingChange(key="args.extra", value="7")
    client.update_settings("echo", [workers, extra])
    asked = StartRun(app="echo", plan=plan.name)
    with pytest.raises(PlanStaleError) as refused:
        client.start_run(asked)
    facts = refused.value.metadata
    assert facts["changed.workers.127.0.0.1"] == "2 → 1"
    assert facts["changed.args.extra"].endswith("→ 7")
    (finding,) = [each for each in client.lint_plan(plan.name) if each.code == "SETTINGS_NEWER"]
    assert "workers.127.0.0.1 was 2 and is 1" in finding.message

    proceeding = StartRun(app="echo", plan=plan.name, stale_plan=StalePlan.PROCEED)
    run, _ = settle(client, client.start_run(proceeding))
    assert (run.state, run.plan, len(run.slots)) == (RunState.SUCCEEDED, plan.name, 2)
    assert run.warnings and "workers.127.0.0.1 was 2 and is 1" in run.warnings[0]

    rebasing = StartRun(app="echo", plan=plan.name, stale_plan=StalePlan.REBASE)
    run, events = settle(client, client.start_run(rebasing))
    assert (run.state, len(run.slots)) == (RunState.SUCCEEDED, 1)
    fresh = client.get_plan(run.plan)
    assert (fresh.id != plan.id, fresh.pinned_count) == (True, 1)
    assert fresh.change.startswith(f"made from {plan.name}: ")
    assert any(fresh.change == event.data.get("change") for event in events)


def test_partitions_that_the_app_names_otherwise_refuse_a_plan(
    client: Client, echo: str, named: Path
) -> None:
    client.register_app(echo, replace=True)
    client.update_settings("echo", [SettingChange(key="args.extra", unset=True)])
    plan = planned(client, echo, named)
    heavier = [{**each, "weight": 9} if each["id"] == "plain" else each for each in ODD]
    named.write_text(json.dumps([*heavier[:-1], {"id": "new"}]))
    run, _ = settle(client, client.start_run(StartRun(app="echo", plan=plan.name)))
    assert run.state is RunState.FAILED
    assert isinstance(run.error, PlanStaleError)
    said = run.error.metadata["changed.partitions"]
    assert said == "1 added (new), 1 removed ( ), 1 of other weight (plain)"

    rebasing = StartRun(app="echo", plan=plan.name, stale_plan=StalePlan.REBASE)
    run, _ = settle(client, client.start_run(rebasing))
    assert run.state is RunState.SUCCEEDED
    fresh = slots(client, client.get_plan(run.plan))
    assert "new" in fresh and " " not in fresh
    assert (fresh["plain"], fresh[".."]) == (0, 0)

    proceeding = StartRun(app="echo", plan=plan.name, stale_plan=StalePlan.PROCEED)
    run, _ = settle(client, client.start_run(proceeding))
    assert (run.state, run.progress.total) == (RunState.SUCCEEDED, len(ODD))


def test_speeds_are_learned_from_the_runs_of_the_app(
    client: Client, make_app: Callable[..., Path]
) -> None:
    slow = ECHO.replace(
        "        return [partition.id", "        sum(range(900_000))\n        return [partition.id"
    ).replace("from agi_env", "from agi_env")
    app = str(make_app("timed", worker=slow))
    first = client.create_plan(CreatePlan(app=app, args={"parts": 8}))
    assert (first.weight_per_second, first.slots[0].timings) == (0.0, 0)
    run, _ = settle(client, client.start_run(StartRun(app=app, plan=first.name)))
    (slot,) = run.slots
    assert slot.weight == first.total_weight == 8
    second = client.create_plan(CreatePlan(app=app, args={"parts": 8}))
    assert second.slots[0].timings == 8
    assert second.slots[0].speed == 1.0
    assert second.weight_per_second == pytest.approx(slot.weight / slot.busy_seconds)
    assert second.predicted_seconds == pytest.approx(slot.busy_seconds)


def test_a_what_if_touches_nothing(
    daemon: RunningDaemon, client: Client, make_app: Callable[..., Path]
) -> None:
    app = str(make_app("whatif"))
    client.create_plan(CreatePlan(app=app, mode=Mode.POOL, selection=TWO, args={"parts": 8}))
    store = daemon.state / "store.sqlite3"

    def rows() -> Any:
        import sqlite3

        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as found:
            return list(found.iterdump())

    before = rows()
    asked = CreatePlan(
        app=app,
        mode=Mode.POOL,
        selection=TWO,
        args={"parts": 8},
        slots={"127.0.0.1": 4},
        no_install=True,
    )
    plan = client.create_plan(asked, validate_only=True)
    assert (len(plan.slots), plan.predicted_finish) == (4, 2.0)
    assert rows() == before


def test_a_rebalance_leaves_what_is_pinned(client: Client, echo: str, named: Path) -> None:
    args = {"named": str(named)}
    plan = client.create_plan(CreatePlan(app=echo, mode=Mode.POOL, selection=TWO, args=args))
    edits = [Move(partitions=("plain", ".."), slot=1), Pin(partitions=("plain", ".."))]
    plan = client.edit_plan(plan.name, [*edits, Rebalance()])
    after = slots(client, plan)
    assert (after["plain"], after[".."]) == (1, 1)
    pinned = [each for each in client.list_plan_partitions(plan.name).items if each.pinned]
    assert {each.id for each in pinned} == {"plain", ".."}


def test_a_plan_is_edited_as_text(
    daemon: RunningDaemon,
    client: Client,
    programs: Any,
    tmp_path: Path,
    make_app: Callable[..., Path],
) -> None:
    app = str(make_app("text"))
    plan = client.create_plan(CreatePlan(app=app, mode=Mode.POOL, selection=TWO, args={"parts": 4}))
    script = tmp_path / "editor.py"
    agi = programs(daemon.state)

    def edit(body: str, *words: str) -> Any:
        script.write_text(
            "import sys\npath = sys.argv[-1]\ntext = open(path, encoding='utf-8').read()\n"
            f"{body}\nopen(path, 'w', encoding='utf-8').write(text)\n"
        )
        editor = f"{sys.executable} {script}"
        return agi.agi("plans", "edit", f"plans/{plan.id}", *words, EDITOR=editor)

    assert "nothing was changed" in edit("pass").stderr
    before = slots(client, plan)
    moving = next(name for name, slot in before.items() if slot == 0)
    done = edit(
        f"line = next(l for l in text.split('\\n') if ' {moving}  # ' in l)\n"
        "text = text.replace(line + '\\n', '') + '*' + line[1:] + '\\n'"
    )
    assert done.returncode == 0, done.stderr
    edited = client.get_plan(f"plans/{plan.id}")
    assert (edited.revision, edited.pinned_count) == (2, 1)
    assert slots(client, edited) == {**before, moving: 1}

    bad = edit("text += '\\n[nowhere/9]\\n'")
    assert bad.returncode == 4
    kept = Path(bad.stderr.split("the text is kept: ")[1].splitlines()[0])
    assert "[nowhere/9]" in kept.read_text()
    assert "[nowhere/9] is no slot of the plan" in bad.stderr

    client.edit_plan(f"plans/{plan.id}", [Pin(partitions=("p3",))])
    mended = edit(
        "text = text.replace('[nowhere/9]', '').replace('* ' + 'p', '  p')", "--from", str(kept)
    )
    assert mended.returncode == 0, mended.stderr
    assert not kept.exists()
    last = client.get_plan(f"plans/{plan.id}")
    pinned = [each.id for each in client.list_plan_partitions(last.name).items if each.pinned]
    assert (last.revision, pinned) == (4, ["p3"])
