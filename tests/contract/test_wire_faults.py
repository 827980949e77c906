"""Every method over a wire that loses, repeats, delays and cuts: on the real stack, by our client.

A change is made once, whatever was lost; a read is answered; a watch tells each event once. Where
the client cannot make a fault invisible it says what is true: that there was no answer in time.
"""

from __future__ import annotations

import re
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from wire_proxy import Fault, Proxy, proxied

from agi_cluster.client.address import Address
from agi_cluster.client.call import Call, Stream
from agi_cluster.client.deadlines import Deadlines, Pace
from agi_cluster.client.sync import Client
from agi_cluster.model.event import Event
from agi_cluster.model.run import Run
from agi_env.errors import DaemonError, OutOfTimeError

HASTE_S = 0.3
LOST = (Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.ANSWER_CUT)


@pytest.fixture(scope="module")
def proxy(daemon: Any) -> Iterator[Proxy]:
    with (
        tempfile.TemporaryDirectory(prefix="agi-") as directory,
        proxied(Path(directory) / "p.sock", Path(daemon.address.socket)) as proxy,
    ):
        yield proxy


@pytest.fixture(autouse=True)
def no_fault_left(proxy: Proxy) -> None:
    """Each test begins with a wire that is sound."""
    proxy.arm(Fault.NONE)


@pytest.fixture(scope="module")
def caller(proxy: Proxy) -> Iterator[Client]:
    """Our client, on the other side of the proxy."""
    with Client(Address(socket=proxy.path)) as client:
        yield client


@pytest.fixture(scope="module")
def hasty(proxy: Proxy) -> Iterator[Client]:
    """A client that gives up soon."""
    soon = dict.fromkeys(("read", "change", "host", "plan", "log"), HASTE_S)
    with Client(Address(socket=proxy.path), deadlines=Deadlines(**soon)) as client:
        yield client


def parts(name: str) -> tuple[Any, Any]:
    """The messages and the stub of a method's service."""
    service = name.partition(".")[0]
    noun = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", service.removesuffix("Service")).lower()
    module = noun if noun in ("daemon", "doctor") else f"{noun}s"
    stubs = import_module(f"agi_cluster.api.v1.{module}_pb2_grpc")
    return import_module(f"agi_cluster.api.v1.{module}_pb2"), getattr(stubs, f"{service}Stub")


def message(world: Any, name: str, fields: dict[str, Any], **more: Any) -> Message:
    """The request of a row, filled in."""
    messages, _ = parts(name)
    rpc = name.partition(".")[2]
    kind = getattr(messages, f"{rpc}Request")
    return ParseDict(world.filled({**fields, **more}), kind())


def call_of(name: str, request: Message, pace: Pace = Pace.PLAN) -> Call[Any]:
    rpc = name.partition(".")[2]
    return Call(
        stub=parts(name)[1], rpc=rpc, request=request, parse=lambda answer: answer, pace=pace
    )


def stream_of(name: str, request: Message) -> Stream[Any]:
    rpc = name.partition(".")[2]
    return Stream(stub=parts(name)[1], rpc=rpc, request=request, parse=lambda answer: answer)


def test_a_change_is_made_once_whatever_is_lost(
    world: Any, proxy: Proxy, caller: Client, a_lasting_change: Any
) -> None:
    """Also by a daemon that had done it and whose answer never came."""
    for fault in LOST:
        name, mark = a_lasting_change.name, str(uuid.uuid4())
        request = message(world, name, a_lasting_change.request, request_id=mark)
        before = counted(world, a_lasting_change)
        proxy.arm(fault)
        answer = caller.send(call_of(name, request))
        assert proxy.struck == 1, fault
        world.settle(answer)
        assert counted(world, a_lasting_change) == {table: n + 1 for table, n in before.items()}
        assert caller.send(call_of(name, request)).name == answer.name


def test_a_change_that_comes_twice_is_made_once(
    world: Any, caller: Client, a_lasting_change: Any
) -> None:
    name, mark = a_lasting_change.name, str(uuid.uuid4())
    request = message(world, name, a_lasting_change.request, request_id=mark)
    before, together = counted(world, a_lasting_change), threading.Barrier(2)

    def ask(_: int) -> Any:
        together.wait(timeout=10)
        return caller.send(call_of(name, request))

    with ThreadPoolExecutor(2) as callers:
        first, second = callers.map(ask, range(2))
    assert first.name == second.name
    world.settle(first)
    assert counted(world, a_lasting_change) == {table: n + 1 for table, n in before.items()}


def test_a_change_that_comes_too_late_is_told_and_can_be_repeated(
    world: Any, proxy: Proxy, caller: Client, hasty: Client, a_lasting_change: Any
) -> None:
    """Nobody knows whether it will be done: the repeat with its id finds out, or does it."""
    name, mark = a_lasting_change.name, str(uuid.uuid4())
    request = message(world, name, a_lasting_change.request, request_id=mark)
    before = counted(world, a_lasting_change)
    proxy.arm(Fault.HELD)
    with pytest.raises(OutOfTimeError, match="did not answer in time"):
        hasty.send(call_of(name, request))
    proxy.release()
    answer = caller.send(call_of(name, request))
    world.settle(answer)
    assert counted(world, a_lasting_change) == {table: n + 1 for table, n in before.items()}


def counted(world: Any, row: Any) -> dict[str, int]:
    """How many there are of what the change makes; a benchmark makes requests of its own."""
    requests = () if row.makes == "benchmarks" else ("requests",)
    return {table: world.rows(table) for table in (*requests, row.makes) if table}


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.name.lower())
def test_what_is_read_is_read_all_the_same(
    world: Any, proxy: Proxy, caller: Client, table: Any, fault: Fault
) -> None:
    for row in (each for each in table.values() if each.kind in ("get", "list")):
        request = message(world, row.name, row.request)
        plain = caller.send(call_of(row.name, request))
        proxy.arm(fault)
        again = caller.send(call_of(row.name, request))
        assert proxy.struck == 1, row.name
        assert steady(again) == steady(plain), row.name


def test_a_read_that_is_delayed_is_told(
    world: Any, proxy: Proxy, caller: Client, hasty: Client, table: Any
) -> None:
    for row in (each for each in table.values() if each.kind in ("get", "list")):
        request = message(world, row.name, row.request)
        proxy.arm(Fault.HELD)
        with pytest.raises(OutOfTimeError, match="did not answer in time"):
            hasty.send(call_of(row.name, request))
        proxy.release()
        caller.send(call_of(row.name, request))


def steady(answer: Message) -> Any:
    """An answer without what changes from one look to the next."""
    return {
        key: value
        for key, value in MessageToDict(answer).items()
        if key not in ("seenTime", "checkTime", "leasedCores")
    }


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault.name.lower())
def test_a_watch_tells_each_event_once(
    world: Any, proxy: Proxy, caller: Client, fault: Fault
) -> None:
    for watch in (
        partial(caller.watch_run, world.words["run"], verbose=3),
        partial(caller.watch_installation, world.words["installation"]),
        partial(caller.watch_pipeline_run, world.words["pipeline_run"]),
    ):
        plain = list(watch())
        proxy.arm(fault)
        again = list(watch())
        assert proxy.struck == 1
        numbers = [value.sequence for value, _ in again if isinstance(value, Event)]
        assert numbers == [value.sequence for value, _ in plain if isinstance(value, Event)]
        assert again[-1] == plain[-1]


def test_a_watch_that_is_cut_again_and_again_tells_each_event_once(
    world: Any, proxy: Proxy, caller: Client, gated: Any
) -> None:
    told: list[int] = []
    watch = caller.watch_run(gated.run, verbose=3)
    for value, _ in watch:
        if isinstance(value, Event):
            told.append(value.sequence)
            proxy.arm(Fault.ANSWER_CUT if value.sequence % 2 else Fault.ANSWER_LOST)
        if isinstance(value, Event) and value.kind == "partition_started":
            threading.Thread(target=gated.open, daemon=True).start()
        ended = value
    assert isinstance(ended, Run) and ended.state.settled
    assert told == list(range(1, len(told) + 1))


def test_a_stream_of_which_nothing_came_is_asked_for_again(
    world: Any, proxy: Proxy, caller: Client, table: Any
) -> None:
    for row in (each for each in table.values() if each.kind in ("stream", "probe")):
        request = message(world, row.name, row.request)
        whole = list(caller.read(stream_of(row.name, request)))
        for fault in LOST:
            proxy.arm(fault)
            told = list(caller.read(stream_of(row.name, request)))
            # A log without a word has no data that could be cut.
            assert proxy.struck == 1 or not whole, (row.name, fault)
            assert len(told) == len(whole), (row.name, fault)


def test_a_stream_that_breaks_in_the_middle_says_so(
    world: Any, proxy: Proxy, caller: Client
) -> None:
    """To ask again would tell twice what was told: that is for the caller to decide."""
    request = message(world, "DoctorService.Diagnose", {"app": "{app}"})
    answers = caller.read(stream_of("DoctorService.Diagnose", request))
    next(answers)
    proxy.cut()
    with pytest.raises(DaemonError):
        list(answers)


def test_every_kind_of_method_is_put_to_it(table: Any) -> None:
    kinds = {row.kind for row in table.values()}
    assert kinds == {"get", "list", "watch", "stream", "probe", "change"}
    watches = {row.name.partition(".")[2] for row in table.values() if row.kind == "watch"}
    assert watches == {"WatchRun", "WatchInstallation", "WatchPipelineRun", "WatchBenchmark"}


def test_a_stop_whose_answer_is_lost_stops_one_daemon(
    daemon: Any, proxy: Proxy, caller: Client
) -> None:
    """Its repeat may find nobody, or the next daemon, which it leaves alone."""
    pid, mark = daemon.pid, str(uuid.uuid4())
    patient = Deadlines(answer=60, change=60)
    restarted = threading.Timer(0.5, daemon.restart)
    with Client(Address(socket=proxy.path), deadlines=patient) as client:
        proxy.arm(Fault.ANSWER_LOST)
        restarted.start()
        client.stop_daemon(request_id=mark)
    restarted.join()
    assert daemon.pid != pid
    assert caller.get_daemon().pid == daemon.pid
