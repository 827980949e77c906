"""Wrong input, through the client and at a terminal: one line, a code, no harm done."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.requests import CreateBenchmark, CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import RunState
from agi_cluster.model.selection import Selection
from agi_cluster.testing import RunningDaemon
from agi_env.errors import NoRoomError, catalogue
from agi_env.mode import Mode
from agi_env.runtime.supervisor import is_alive

Asking = Programs = Any  # the classes of conftest.py

REQUEST_ID = "6d1b2c3e-1111-4222-8333-444455556666"


@pytest.fixture
def unharmed(ask: Asking, client: Client, toy: Path) -> Iterator[None]:
    """After the test the daemon serves as before and knows what it knew."""
    known = [each.id for each in client.list_runs(app="toy").items]
    settings = client.get_settings("toy").text
    yield
    assert [each.id for each in client.list_runs(app="toy").items][-len(known) :] == known
    assert client.get_settings("toy").text == settings
    assert ask.run(toy).result == 1


@pytest.mark.parametrize(
    ("app", "code"),
    [
        ("nosuch", "APP_NOT_FOUND"),
        ("nosuch_project", "APP_NOT_FOUND"),
        ("No Such", "APP_NOT_FOUND"),
        ("/nosuch_project", "APP_NOT_FOUND"),
        ("/tmp", "APP_INVALID"),
        ("", "REQUEST_INVALID"),
    ],
)
def test_an_app_that_nobody_knows(ask: Asking, client: Client, app: str, code: str) -> None:
    ask.refused(code, lambda: client.start_run(StartRun(app=app)))
    ask.refused(code, lambda: client.create_installation(CreateInstallation(app=app)))
    ask.refused(code, lambda: client.create_plan(CreatePlan(app=app)))
    ask.refused(code, lambda: client.get_settings(app))


@pytest.mark.parametrize("missing", ["pyproject.toml", "src/half/half.py"])
def test_a_folder_that_is_half_an_app(ask: Asking, client: Client, make_app, missing: str) -> None:
    root = make_app("half")
    (root / missing).unlink()
    error = ask.refused("APP_INVALID", lambda: client.register_app(str(root)))
    assert error.where == str(root)
    assert missing in error.what


def test_declarations_that_cannot_be_used(ask: Asking, client: Client, make_app) -> None:
    root = make_app("torn")
    (root / "pyproject.toml").write_text("[project]\nname = \n")
    error = ask.failure(root, "APP_INVALID")
    assert error.where == f"{root}/pyproject.toml:2"
    absent = ask.failure(make_app("absent", dependencies=["no dependency!"]), "LOCK_FAILED")
    assert "'no dependency!' is no dependency" in absent.what
    newer = make_app("newer", requires_python=">=3.30")
    assert ask.failure(newer, "PYTHON_MISMATCH").where == "127.0.0.1"


@pytest.mark.parametrize("mode", [16, -1, 99])
def test_a_mode_with_unknown_bits(ask: Asking, client: Client, toy: Path, mode: int) -> None:
    error = ask.refused("MODE_INVALID", lambda: client.start_run(StartRun(app="toy", mode=mode)))
    assert error.metadata["mode"] == str(mode)


@pytest.mark.parametrize("mode", [Mode.RAPIDS, Mode.RAPIDS | Mode.CYTHON])
def test_a_mode_that_cannot_be_run_here(ask: Asking, client: Client, toy: Path, mode: Mode) -> None:
    asked = StartRun(app="toy", mode=mode)
    error = ask.refused("MODE_NOT_RUNNABLE", lambda: client.start_run(asked))
    assert error.where == "127.0.0.1" and f"mode {int(mode)}" in error.what


@pytest.mark.parametrize("slots", [0, -1, "two", 1.5, True, None])
def test_a_slot_count_that_is_none(ask: Asking, client: Client, toy: Path, slots: Any) -> None:
    error = ask.refused("SLOTS_INVALID", lambda: Selection(workers={"127.0.0.1": slots}))
    assert error.where == "workers['127.0.0.1']"
    key = "cluster.workers.127.0.0.1"
    error = ask.refused("SLOTS_INVALID", lambda: ask.set_key("toy", key, str(slots)))
    assert error.metadata["key"] == 'cluster.workers."127.0.0.1"'


def test_slots_in_the_settings_file(ask: Asking, client: Client, make_app) -> None:
    root = make_app("slots", settings='[args]\n\n[cluster.workers]\n"127.0.0.1" = "two"\n')
    error = ask.refused("SLOTS_INVALID", lambda: client.start_run(StartRun(app=str(root))))
    assert error.where.endswith("app_settings.toml:4")


def test_hosts_that_do_not_fit_or_are_unknown(ask: Asking, client: Client, toy: Path) -> None:
    away = Selection(workers={"192.0.2.1": 1})
    asked = StartRun(app="toy", selection=away)
    ask.refused("SELECTION_INVALID", lambda: client.start_run(asked))
    error = ask.refused("HOST_NOT_FOUND", lambda: client.get_host("192.0.2.1"))
    assert "192.0.2.1" in error.what


def test_settings_that_are_not_toml(ask: Asking, client: Client, make_app) -> None:
    root = make_app("broken", settings="[args]\n\n[cluster]\npool = tru\n")
    error = ask.refused("SETTINGS_SYNTAX", lambda: client.start_run(StartRun(app=str(root))))
    assert error.where == f"{root}/src/app_settings.toml:4"
    assert error.metadata["line"] == "4"


def test_settings_that_the_user_broke_and_mends(ask: Asking, client: Client, toy: Path) -> None:
    before = client.get_settings("toy")
    path = Path(before.path)
    path.write_text(before.text + "\n[cluster\n")
    line = before.text.count("\n") + 2
    error = ask.refused("SETTINGS_SYNTAX", lambda: client.start_run(StartRun(app="toy")))
    assert error.where == f"{path}:{line}"
    ask.refused("SETTINGS_SYNTAX", lambda: ask.set_key("toy", "args.x", "1"))
    assert path.read_text() == before.text + "\n[cluster\n"
    assert client.reset_settings("toy").text == before.text


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("cluster.pool", "3", "SETTINGS_INVALID"),
        ("cluster.poool", "true", "SETTINGS_INVALID"),
        ("clustr.pool", "true", "SETTINGS_INVALID"),
        ("args.dta_in", "/x", "SETTINGS_INVALID"),
        ("nothing", "1", "SETTINGS_INVALID"),
        ("args.self", "1", "SETTINGS_INVALID"),
        ("args.data_out", "3", "SETTINGS_INVALID"),
    ],
)
def test_a_setting_that_cannot_be(
    ask: Asking, client: Client, unharmed: None, key: str, value: str, code: str
) -> None:
    ask.refused(code, lambda: ask.set_key("toy", key, value))


def test_settings_that_cannot_be_edited_without_harm(
    ask: Asking, client: Client, toy: Path
) -> None:
    before = client.get_settings("toy")
    gone = [SettingChange(key="args.nothing", unset=True)]
    ask.refused("NOT_FOUND", lambda: client.update_settings("toy", gone))
    ask.refused("ETAG_MISMATCH", lambda: ask.set_key("toy", "args.x", "1", etag="0" * 64))
    assert client.get_settings("toy") == before


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"x": float("nan")}, "REQUEST_INVALID"),
        ({"x": {1, 2}}, "REQUEST_INVALID"),
        ({"self": 1}, "SETTINGS_INVALID"),
        ({"data_out": 3}, "SETTINGS_INVALID"),
        ({"data_in": ""}, "SETTINGS_INVALID"),
    ],
)
def test_arguments_that_cannot_be_given(
    ask: Asking, client: Client, toy: Path, args: dict[str, Any], code: str
) -> None:
    ask.refused(code, lambda: client.start_run(StartRun(app="toy", args=args)))


def test_an_argument_that_must_be_a_slip(ask: Asking, client: Client, make_app) -> None:
    app = str(make_app("slipping", settings="[args]\nlimit = 3\nx1 = 1\n"))
    slip = {"limt": 5}
    for call in (
        lambda: client.start_run(StartRun(app=app, args=slip)),
        lambda: client.create_plan(CreatePlan(app=app, args=slip)),
        lambda: client.create_benchmark(CreateBenchmark(app=app, args=slip)),
    ):
        error = ask.refused("SETTINGS_INVALID", call)
        assert error.metadata["key"] == "args.limt"
        assert "Say args.limit, if that is what is meant" in error.remedy
    assert ask.run(app, args={"x2": 1, "top": 2}).state is RunState.SUCCEEDED
    path = Path(client.get_settings("slipping").path)
    path.write_text(path.read_text().replace("x1 = 1", "limt = 1"))
    assert ask.run(app, args=slip).state is RunState.SUCCEEDED


def test_results_that_have_no_place(ask: Asking, client: Client, toy: Path, unharmed: None) -> None:
    error = ask.failure("toy", "RUN_FAILED", args={"data_out": "/etc/hostname/results"})
    assert error.where == "/etc/hostname/results"


def test_names_of_what_does_not_exist(ask: Asking, client: Client, toy: Path) -> None:
    ask.refused("RUN_NOT_FOUND", lambda: client.get_run("nosuch"))
    ask.refused("RUN_NOT_FOUND", lambda: ask.settled("nosuch"))
    ask.refused("RUN_NOT_FOUND", lambda: client.cancel_run("nosuch"))
    ask.refused("PLAN_NOT_FOUND", lambda: client.get_plan("nosuch@2"))
    ask.refused("PLAN_NOT_FOUND", lambda: client.start_run(StartRun(app="toy", plan="nosuch")))
    ask.refused("INSTALLATION_NOT_FOUND", lambda: client.get_installation("nosuch"))
    ask.refused("BENCHMARK_NOT_FOUND", lambda: client.get_benchmark("nosuch"))
    ask.refused("REQUEST_INVALID", lambda: client.list_runs(page_token="nosuch"))


def test_names_that_are_taken_or_cannot_be(
    ask: Asking, client: Client, toy: Path, make_app
) -> None:
    error = ask.refused("ALREADY_EXISTS", lambda: client.register_app(str(make_app("toy"))))
    assert error.metadata["path"] == str(toy)
    ask.refused("ALREADY_EXISTS", lambda: client.create_app("toy", str(toy.parent)))
    ask.refused("REQUEST_INVALID", lambda: client.create_app("My App", str(toy.parent)))
    ask.refused("REQUEST_INVALID", lambda: client.register_app("relative/path"))


def test_a_request_id_with_other_content(ask: Asking, client: Client, toy: Path, make_app) -> None:
    first = client.register_app(str(toy), request_id=REQUEST_ID)
    assert client.register_app(str(toy), request_id=REQUEST_ID) == first
    other = str(make_app("other"))
    ask.refused("REQUEST_ID_REUSED", lambda: client.register_app(other, request_id=REQUEST_ID))
    ask.refused("APP_NOT_FOUND", lambda: client.get_app("other"))


def test_a_plan_that_was_made_for_something_else(ask: Asking, client: Client, toy: Path) -> None:
    plan = client.create_plan(CreatePlan(app="toy")).name
    for changed in ({"mode": Mode.POOL}, {"args": {"parts": 3}}):
        asked = StartRun(app="toy", plan=plan, **changed)
        ask.refused("PLAN_STALE", lambda asked=asked: client.start_run(asked))
    assert ask.run("toy", plan=plan).plan == plan


def test_a_number_that_no_watch_was_told(ask: Asking, client: Client, toy: Path) -> None:
    ended = ask.run(toy)
    *_, (_, last) = client.watch_run(ended.id)
    assert [update for update, _ in client.watch_run(ended.id, after_sequence=last)]
    watch = client.watch_run(ended.id, after_sequence=last + 1)
    error = ask.refused("CURSOR_EXPIRED", lambda: next(watch))
    assert error.where == f"runs/{ended.id}"
    assert error.metadata["last"] == str(last)


def test_sources_that_are_not_installed(ask: Asking, client: Client, make_app) -> None:
    root = make_app("fresh")
    error = ask.failure(root, "NOT_INSTALLED", no_install=True)
    assert (error.where, error.metadata["app"]) == ("127.0.0.1", "fresh_project")
    assert "`agi install fresh_project`" in error.remedy


def test_a_run_that_is_cancelled_says_so(
    ask: Asking, client: Client, toy: Path, tmp_path: Path
) -> None:
    started = ask.begun(toy, gate=str(tmp_path / "gate"))
    client.cancel_run(started.id, grace_seconds=0)
    ended = ask.settled(started.id)
    assert ended.state is RunState.CANCELLED
    ask.told(ended.error, "RUN_CANCELLED")


def test_a_run_past_its_deadline(ask: Asking, client: Client, toy: Path, tmp_path: Path) -> None:
    ask.set_key("toy", "cluster.run_timeout", "1.5")
    try:
        error = ask.failure("toy", "RUN_TIMEOUT", args={"gate": str(tmp_path / "gate")})
        assert "1.5 s" in error.what
    finally:
        client.reset_settings("toy")


def test_a_run_whose_runner_cannot_be_kept(
    ask: Asking, client: Client, toy: Path, tmp_path: Path
) -> None:
    """Its directory loses what it was told to do, so that no later runner can take it up."""
    started = ask.begun(toy, gate=str(tmp_path / "gate"))
    directory = Path(client.get_run(started.id).paths.run_directory)
    (directory / "spec.json").unlink()
    os.kill(json.loads((directory / "runner.json").read_bytes())["pid"], signal.SIGKILL)
    ended = ask.settled(started.id)
    ask.told(ended.error, "RUNNER_LOST")
    assert ask.run(toy).result == 1


def test_a_run_whose_supervisor_never_ends_gives_its_cores_back(
    ask: Asking, client: Client, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    started = client.start_run(StartRun(app=str(toy), mode=Mode.POOL, args={"gate": str(gate)}))
    ask.until(lambda: client.get_run(started.id).progress.running > 0)
    directory = Path(client.get_run(started.id).paths.run_directory)
    os.kill(json.loads((directory / "runner.json").read_bytes())["pid"], signal.SIGSTOP)
    gate.touch()
    assert ask.settled(started.id).result == 1
    assert ask.run(toy, mode=Mode.POOL).result == 1  # on the same cores: all that there are
    ask.until(lambda: not client.get_run(started.id).uncleared_hosts and not is_alive(directory))


def test_a_request_that_is_too_large(ask: Asking, client: Client, toy: Path) -> None:
    asked = StartRun(app="toy", args={"x": "y" * (65 << 20)})
    error = ask.refused("NO_ROOM", lambda: client.start_run(asked))
    assert type(error) is NoRoomError
    assert ask.run(toy).result == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "nosuch"), "APP_NOT_FOUND"),
        (("run", "toy", "--mode", "16"), "MODE_INVALID"),
        (("run", "toy", "--mode", "x"), "MODE_INVALID"),
        (("run", "toy", "-w", "127.0.0.1=0"), "SLOTS_INVALID"),
        (("run", "toy", "-w", "127.0.0.1=-1"), "SLOTS_INVALID"),
        (("run", "toy", "-w", "127.0.0.1=two"), "SLOTS_INVALID"),
        (("settings", "set", "toy", "cluster.workers.127.0.0.1=two"), "SLOTS_INVALID"),
        (("settings", "set", "toy", "cluster.pool=3"), "SETTINGS_INVALID"),
        (("runs", "show", "nosuch"), "RUN_NOT_FOUND"),
        (("plans", "show", "nosuch"), "PLAN_NOT_FOUND"),
        (("fly",), "REQUEST_INVALID"),
    ],
)
def test_what_the_program_is_asked_wrongly(
    daemon: RunningDaemon, toy: Path, programs: Programs, words: tuple[str, ...], code: str
) -> None:
    programs(daemon.state).complaint(code, *words)


def test_a_run_that_fails_at_a_terminal(
    daemon: RunningDaemon, make_app, programs: Programs, waiting_worker: str
) -> None:
    begin = "        gate ="
    worker = waiting_worker.replace(begin, f"        raise LookupError('no')\n{begin}")
    root, here = make_app("fails", worker=worker), programs(daemon.state)
    ended = here.agi("run", str(root))
    assert ended.returncode == catalogue()["PARTITION_FAILED"].exit_code
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("error: partition p0: work() raised LookupError: no")
    assert line.endswith("[PARTITION_FAILED]")
    trace = ended.stdout[ended.stdout.index("Traceback") :]
    assert "fails_worker.py" in trace.splitlines()[1]
    assert "agi_env" not in trace
    ended = here.agi("run", str(root), "-o", "json")
    assert ended.returncode == catalogue()["PARTITION_FAILED"].exit_code
    assert json.loads(ended.stdout)["state"] == "STATE_FAILED"
    assert json.loads(ended.stderr.splitlines()[-1])["error"]["code"] == "PARTITION_FAILED"
