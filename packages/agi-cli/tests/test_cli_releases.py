"""``agi releases``, ``--release``, and what is shown while an install goes on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from agi_cli.install_tracker import InstallTracker
from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.release import PruneReleases
from agi_cluster.model.requests import CreateInstallation, StartRun
from agi_env.mode import Mode

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def test_releases_are_listed_with_what_each_changed(terminal):
    assert terminal.type("releases", "list", "weather") == 0
    current, earlier = terminal.shown.splitlines()[1:3]
    assert current.startswith("cdcdcdcdcdcd  installed") and "(edited)" in current
    assert earlier.startswith("abababababab ")


def test_an_app_that_lies_here_is_asked_for_by_its_name(terminal, tmp_path, monkeypatch):
    assert terminal.type("apps", "new", "weather_project", "--in", str(tmp_path)) == 0
    monkeypatch.chdir(tmp_path)
    for name in (
        "weather",
        "weather_project",
        "./weather_project",
        str(tmp_path / "weather_project"),
    ):
        assert terminal.type("releases", "list", name) == 0
        assert terminal.client.asked[-1] == ("list_releases", "weather_project")


def test_releases_are_the_messages_of_the_api(terminal):
    assert terminal.type("releases", "list", "weather", "-o", "json") == 0
    first, _ = json.loads(terminal.shown)["releases"]
    assert first["name"] == f"apps/weather_project/releases/{'cd' * 32}"


def test_prune_only_shows_and_ends_with_the_first_error(terminal):
    assert terminal.type("releases", "prune", "node1", "--keep", "2") == 13
    request, validate_only = terminal.client.asked[-1]
    assert request == PruneReleases(hosts=("node1",), keep=2) and validate_only
    assert "would go  build abababababab" in terminal.shown
    assert "would remove 1 thing, 1.0 MiB" in terminal.shown
    assert "next: the same with --remove removes it" in terminal.said
    assert "node2: it is off" in terminal.said


def test_prune_removes_when_it_is_told_to(terminal):
    terminal.type("releases", "prune", "--remove", "--unused-days", "1")
    request, validate_only = terminal.client.asked[-1]
    assert request == PruneReleases(unused_days=1.0) and not validate_only
    assert "removed 1 thing" in terminal.shown and "next:" not in terminal.said


def test_a_release_is_chosen_for_an_install_and_a_run(terminal):
    terminal.type("install", "weather", "--release", "abab12")
    assert isinstance(terminal.client.asked[-1][0], CreateInstallation)
    assert terminal.client.asked[-1][0].release == "abab12"
    terminal.type("run", "weather", "--release", "abab12", "--detach")
    assert isinstance(terminal.client.asked[-1][0], StartRun)
    assert terminal.client.asked[-1][0].release == "abab12"


def test_each_host_of_an_install_has_its_own_progress():
    hosts = tuple(
        HostInstallation(host=name, state=InstallationState.PENDING) for name in ("node1", "node2")
    )
    accepted = Installation(
        id="i",
        app="weather_project",
        state=InstallationState.PENDING,
        modes_enabled=Mode.PLAIN,
        create_time=NOON,
        hosts=hosts,
    )
    times = iter([0.0, 2.0, 3.0, 4.0])
    tracker = InstallTracker(accepted, clock=lambda: next(times))
    for kind, data in (
        ("shipping", {"host": "node1", "wheels": ["a", "b"], "bytes": 2048}),
        ("failed", {"host": "node2", "detail": "it is off"}),
    ):
        tracker.take(Event(sequence=1, time=NOON, kind=kind, data=data, verbosity=1))
    assert tracker.hosts["node1"].words == "shipping 2 wheels, 2.0 KiB"
    assert (tracker.hosts["node2"].words, tracker.seconds("node2")) == ("failed", 3.0)
    assert tracker.seconds("node1") == 4.0
    assert tracker.summary == "installing weather_project: 1 of 2 hosts over"
