"""Both clients against a real server: deadlines, retries, watches that go on."""

from __future__ import annotations

import inspect
import threading
import time
import uuid

import pytest

from agi_cluster.api.v1 import (
    apps_pb2,
    benchmarks_pb2,
    daemon_pb2,
    doctor_pb2,
    hosts_pb2,
    installations_pb2,
    modes_pb2,
    pipeline_runs_pb2,
    pipelines_pb2,
    plans_pb2,
    releases_pb2,
    runs_pb2,
    snippets_pb2,
)
from agi_cluster.client import AsyncClient, Client, Deadlines
from agi_cluster.model import services
from agi_cluster.model.event import Event
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import RunState
from agi_cluster.model.selection import Selection
from agi_env.errors import (
    AppNotFoundError,
    DaemonError,
    OutOfTimeError,
    RequestInvalidError,
    RunNotFoundError,
)

PROTOCOLS = [
    protocol
    for name, protocol in inspect.getmembers(services, inspect.isclass)
    if name.endswith("Service")
]
METHODS = [
    (protocol, name)
    for protocol in PROTOCOLS
    for name in vars(protocol)
    if not name.startswith("_")
]
FILES = (
    apps_pb2,
    benchmarks_pb2,
    daemon_pb2,
    doctor_pb2,
    hosts_pb2,
    installations_pb2,
    modes_pb2,
    pipeline_runs_pb2,
    pipelines_pb2,
    plans_pb2,
    releases_pb2,
    runs_pb2,
    snippets_pb2,
)


@pytest.mark.parametrize(
    ("protocol", "name"), METHODS, ids=lambda part: getattr(part, "__name__", part)
)
@pytest.mark.parametrize("client", [AsyncClient, Client])
def test_a_client_has_every_method_with_its_parameters(client, protocol, name):
    promised = inspect.signature(getattr(protocol, name)).parameters
    given = inspect.signature(getattr(client, name)).parameters
    assert list(given.values()) == list(promised.values())
    assert getattr(client, name).__doc__


def test_every_rpc_has_a_method_and_every_method_an_rpc():
    rpcs = {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in method.name).lstrip("_")
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {name for _, name in METHODS} == rpcs


def test_a_call_returns_a_value(daemon):
    with Client(daemon.address) as client:
        run = client.get_run("runs/r1")
    assert (run.id, run.state, run.result) == ("r1", RunState.SUCCEEDED, {"flights": 336776})


def test_an_address_may_be_given_as_text(daemon):
    with Client(str(daemon.address)) as client:
        assert client.get_daemon().api == "agi.v1"


async def test_the_sync_client_works_inside_a_running_loop(daemon):
    with Client(daemon.address) as client:
        assert client.get_run("r1").id == "r1"
        assert [text for _, text in client.read_run_log("r1")] == ["one\n", "two\n"]


async def test_the_async_client_reads_a_log(daemon):
    async with AsyncClient(daemon.address) as client:
        pieces = [piece async for piece in client.read_run_log("r1")]
    assert pieces == [("runner.log", "one\n"), ("runner.log", "two\n")]


def test_a_closed_client_opens_anew(daemon):
    client = Client(daemon.address)
    for _ in range(2):
        assert client.get_run("r1").id == "r1"
        client.close()


def test_a_mutation_keeps_its_request_id_when_it_is_tried_again(daemon):
    daemon.runs.failures = [DaemonError("busy"), DaemonError("busy")]
    with Client(daemon.address) as client:
        client.start_run(StartRun(app="x"))
        client.start_run(StartRun(app="x"), request_id="mine")
    ids = [request.request_id for request in daemon.runs.requests]
    assert ids[0] == ids[1] == ids[2]
    assert uuid.UUID(ids[0])
    assert ids[3] == "mine"


async def test_what_is_not_unavailable_is_not_tried_again(daemon):
    daemon.runs.failures = [AppNotFoundError("no such app"), AppNotFoundError("no such app")]
    async with AsyncClient(daemon.address) as client:
        with pytest.raises(AppNotFoundError):
            await client.start_run(StartRun(app="x"))
    assert len(daemon.runs.requests) == 1


async def test_a_daemon_that_restarts_is_waited_for(daemon):
    daemon.stop()
    timer = threading.Timer(0.3, daemon.start)
    timer.start()
    async with AsyncClient(daemon.address) as client:
        assert (await client.get_run("r1")).id == "r1"
    timer.join()
    daemon.stop()
    timer = threading.Timer(0.3, daemon.start)
    timer.start()
    with Client(daemon.address) as client:
        assert client.get_run("r1").id == "r1"
    timer.join()


async def test_nobody_is_waited_for_only_so_long(daemon):
    daemon.stop()
    deadlines = Deadlines(answer=0.2)
    began = time.monotonic()
    with Client(daemon.address, deadlines=deadlines) as client, pytest.raises(DaemonError):
        client.get_run("r1")
    async with AsyncClient(daemon.address, deadlines=deadlines) as client:
        with pytest.raises(DaemonError):
            await client.get_run("r1")
    assert time.monotonic() - began < 10


def test_no_socket_where_none_may_be_made_is_waited_for_only_shortly(tmp_path):
    nowhere = f"unix:{tmp_path}/s.sock"
    deadlines = Deadlines(answer=3600, absent=0.2)
    with Client(nowhere, deadlines=deadlines) as client, pytest.raises(DaemonError) as caught:
        client.get_run("r1")
    assert caught.value.where == nowhere
    assert "agi daemon start" not in caught.value.remedy
    assert "AGI_ADDRESS" in caught.value.remedy


async def test_one_is_told_of_a_daemon_that_stays_away(daemon):
    heard = []

    def away(error):
        heard.append(error and (error.what, error.where))
        if error:
            daemon.start()

    told_once = [("the daemon cannot be reached", str(daemon.address)), None]
    daemon.stop()
    with Client(daemon.address) as client:
        client.away = away
        assert client.get_run("r1").id == "r1"
    assert heard == told_once
    daemon.stop()
    async with AsyncClient(daemon.address) as client:
        client.away = away
        assert (await client.get_run("r1")).id == "r1"
    assert heard == 2 * told_once


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_watch_tells_that_its_daemon_stays_away(daemon, asynchronous):
    heard, updates = [], []
    daemon.runs.cuts = [2]

    def away(error):
        heard.append(error and error.where)
        if error:
            daemon.start()

    def take(update):
        updates.append(update)
        if len(updates) == 2:
            daemon.stop()

    if asynchronous:
        async with AsyncClient(daemon.address) as client:
            client.away = away
            async for update in client.watch_run("r1"):
                take(update)
    else:
        with Client(daemon.address) as client:
            client.away = away
            for update in client.watch_run("r1"):
                take(update)
    assert heard == [str(daemon.address), None]
    assert told(updates)[0] == [1, 2, 3, 4, 5]


async def test_a_call_has_a_deadline(daemon):
    daemon.runs.held.clear()
    deadlines = Deadlines(read=0.2)
    with Client(daemon.address, deadlines=deadlines) as client, pytest.raises(OutOfTimeError):
        client.get_run("r1")
    async with AsyncClient(daemon.address, deadlines=deadlines) as client:
        with pytest.raises(OutOfTimeError):
            await client.get_run("r1")


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.get_run(""),
        lambda client: client.get_run("plans/7"),
        lambda client: client.get_run("\udcff"),
        lambda client: client.list_runs(page_size=2**40),
        lambda client: client.start_run(StartRun(app="x", args={"x": object()})),
        lambda client: client.start_run(
            StartRun(app="x", selection=Selection(workers={"h": 2**40}))
        ),
    ],
)
def test_what_the_wire_cannot_carry_is_refused_before_the_call(daemon, call):
    with Client(daemon.address) as client, pytest.raises(RequestInvalidError):
        call(client)
    assert daemon.runs.requests == []


def told(updates):
    """The numbers of the events, and the states of the snapshots."""
    events = [update.sequence for update, _ in updates if isinstance(update, Event)]
    return events, [update.state for update, _ in updates if not isinstance(update, Event)]


ONCE = ([1, 2, 3, 4, 5], [RunState.RUNNING, RunState.SUCCEEDED])


async def test_a_watch_tells_snapshot_events_snapshot(daemon):
    with Client(daemon.address) as client:
        assert told(list(client.watch_run("r1"))) == ONCE
        assert told(list(client.watch_run("r1", after_sequence=3)))[0] == [4, 5]
    async with AsyncClient(daemon.address) as client:
        assert told([update async for update in client.watch_run("r1")]) == ONCE


@pytest.mark.parametrize("kind", ["cuts", "quiet_cuts"])
async def test_a_watch_that_breaks_goes_on_with_every_event_once(daemon, kind):
    setattr(daemon.runs, kind, [1, 3, 5])
    with Client(daemon.address) as client:
        events, states = told(list(client.watch_run("r1")))
    assert events == [1, 2, 3, 4, 5]
    assert states == [RunState.RUNNING] * 4 + [RunState.SUCCEEDED]
    setattr(daemon.runs, kind, [4])
    async with AsyncClient(daemon.address) as client:
        events, _ = told([update async for update in client.watch_run("r1")])
    assert events == [1, 2, 3, 4, 5]
    assert [request.after_sequence for request in daemon.runs.requests] == [0, 0, 2, 4, 0, 3]


async def test_a_watch_survives_a_restart_of_the_daemon(daemon):
    async with AsyncClient(daemon.address) as client:
        updates, timer = [], None
        daemon.runs.settling.clear()
        async for update in client.watch_run("r1"):
            updates.append(update)
            if len(updates) == 6:
                timer = threading.Timer(0.2, daemon.start)
                timer.start()
                daemon.stop()
    timer.join()
    assert told(updates)[0] == [1, 2, 3, 4, 5]
    assert updates[-1][0].state is RunState.SUCCEEDED


def test_a_sync_watch_survives_a_restart_of_the_daemon(daemon):
    daemon.runs.settling.clear()
    updates, timer = [], threading.Timer(0.2, daemon.start)
    with Client(daemon.address) as client:
        for update in client.watch_run("r1"):
            updates.append(update)
            if len(updates) == 6:
                timer.start()
                daemon.stop()
    timer.join()
    assert told(updates)[0] == [1, 2, 3, 4, 5]


async def test_a_watch_gives_up_when_the_daemon_stays_away(daemon):
    daemon.runs.cuts = [2]
    async with AsyncClient(daemon.address, deadlines=Deadlines(watch=0.3)) as client:
        with pytest.raises(DaemonError):
            async for update, _ in client.watch_run("r1"):
                if isinstance(update, Event):
                    daemon.stop()


async def test_a_refused_watch_is_not_tried_again(daemon):
    daemon.runs.watch_failures = [RunNotFoundError("no such run")]
    with Client(daemon.address) as client, pytest.raises(RunNotFoundError):
        list(client.watch_run("r9"))
    assert len(daemon.runs.requests) == 1


async def test_leaving_a_watch_ends_its_stream(daemon):
    daemon.runs.settling.clear()
    async with AsyncClient(daemon.address) as client:
        updates = client.watch_run("r1")
        assert (await anext(updates))[0].state is RunState.RUNNING
        await updates.aclose()
        daemon.runs.settling.set()
        assert (await client.get_run("r1")).id == "r1"
