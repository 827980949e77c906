"""The contract as a caller meets it who has nothing of ours: served descriptors, bare messages."""

from __future__ import annotations

import itertools
import sqlite3
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status
from toy_ssh import PASSWORD, ToySsh, toy_ssh

from agi_cluster.testing import RunningDaemon, running_daemon

DEADLINE_S = 60.0
KINDS = ("get", "list", "watch", "stream", "probe", "change")
STOP = "DaemonService.StopDaemon"
"""Ends what the other tests ask."""

GATED_WORKER = """\
import time
from pathlib import Path


class {manager}Worker:
    def __init__(self, env, **args):
        self.gate = Path(args["gate"])

    def work(self, partition, out):
        while not self.gate.exists():
            time.sleep(0.02)
        return partition.payload
"""


LABS = {
    "lab": "[[toy]]\nid = 'one'\nC = 'print(1)'\n[[toy]]\nid = 'two'\ndeps = ['one']\nC = 'pass'\n",
    "failing_lab": (
        "[[toy]]\nid = 'good'\nC = 'pass'\n[[toy]]\nid = 'bad'\nC = 'raise SystemExit(3)'\n"
    ),
    "stale_lab": "[[toy]]\nC = 'pass'\nagi = { app = 'toy_project', kind = 'run', settings = '0',"
    " api = 'agi.snippet.v1' }\n",
    "untidy_lab": "[[toy\n",
    "mistaken_lab": "[[toy]]\nQ = 'q'\nC = 7\n",
}


@dataclass(frozen=True)
class Method:
    """A row of the table."""

    name: str
    kind: str
    etag: bool = False
    request: dict[str, Any] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)
    makes: str = ""
    refused: tuple[dict[str, Any], ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Refused:
    """A request of a method, and the code with which it is refused."""

    method: Method
    code: str
    request: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method}-{self.code}"


@dataclass(frozen=True)
class Refusal:
    """How a call was refused."""

    status: str
    message: str
    infos: tuple[ErrorInfo, ...]
    retries: tuple[RetryInfo, ...]

    @classmethod
    def of(cls, error: Any) -> Refusal:
        """What a failed call carried."""
        found: dict[type[Message], list[Any]] = {ErrorInfo: [], RetryInfo: []}
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            for kind, messages in found.items():
                if detail.Is(kind.DESCRIPTOR):
                    messages.append(kind.FromString(detail.value))
        infos, retries = found.values()
        return cls(error.code().name, error.details(), tuple(infos), tuple(retries))

    @property
    def code(self) -> str:
        """Its one code."""
        (info,) = self.infos
        return info.reason


class Wire:
    """Calls the methods that a daemon says it serves."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        database = ProtoReflectionDescriptorDatabase(channel)
        self.services: list[str] = sorted(database.get_services())
        self._pool = DescriptorPool(database)

    def methods(self, package: str = "agi.v1.") -> dict[str, MethodDescriptor]:
        """The methods of our services, as ``RunService.GetRun``."""
        services = [self._pool.FindServiceByName(name) for name in self.services]
        ours = [service for service in services if service.full_name.startswith(package)]
        return {f"{service.name}.{rpc.name}": rpc for service in ours for rpc in service.methods}

    def call(self, name: str, request: Mapping[str, Any], **more: Any) -> Any:
        """The answer of a method with one answer."""
        return self._stub("unary_unary", name)(self._message(name, {**request, **more}), **_CALL)

    def stream(self, name: str, request: Mapping[str, Any], **more: Any) -> Any:
        """The call of a method with many answers."""
        return self._stub("unary_stream", name)(self._message(name, {**request, **more}), **_CALL)

    def ask(self, name: str, request: Mapping[str, Any], **more: Any) -> list[Any]:
        """All answers of any method."""
        if self.methods()[name].server_streaming:
            return list(self.stream(name, request, **more))
        return [self.call(name, request, **more)]

    def refusal(self, name: str, request: Mapping[str, Any], **more: Any) -> Refusal:
        """How a call is refused; it has to be."""
        with pytest.raises(grpc.RpcError) as failed:
            self.ask(name, request, **more)
        return Refusal.of(failed.value)

    @staticmethod
    def refused(error: grpc.RpcError) -> Refusal:
        """What a failed call carried."""
        return Refusal.of(error)

    def _message(self, name: str, fields: Mapping[str, Any]) -> Any:
        return ParseDict(fields, GetMessageClass(self.methods()[name].input_type)())

    def _stub(self, form: str, name: str) -> Any:
        rpc = self.methods()[name]
        return getattr(self.channel, form)(
            f"/{rpc.containing_service.full_name}/{rpc.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(rpc.output_type).FromString,
        )


_CALL = {"timeout": DEADLINE_S, "wait_for_ready": True}


class World:
    """A daemon with one of everything, and what the words in a request stand for."""

    def __init__(self, daemon: RunningDaemon, wire: Wire, words: dict[str, str]) -> None:
        self.daemon = daemon
        self.wire = wire
        self.words = words
        self._numbers = itertools.count(1)

    def filled(self, value: Any) -> Any:
        """The value with its ``{words}`` filled in.

        ``{fresh}`` is a name that was never used, ``{nearby}`` the address of a host that was
        never enrolled, ``{doomed}`` one that was enrolled just now, ``{spare_step}`` a step of the
        lab made for this.
        """
        number = next(self._numbers)
        nearby = f"127.5.{number // 250}.{number % 250 + 1}"
        words = {**self.words, "fresh": f"fresh{number}", "nearby": nearby}
        if "{doomed}" in str(value):
            words["doomed"] = self.enrol(f"127.6.{number // 250}.{number % 250 + 1}")
        if "{spare_step}" in str(value):
            words["spare_step"] = self._spare_step(words["fresh"])
        return self._filled(value, words)

    def enrol(self, address: str, **fields: str) -> str:
        """Make a host of an address of the loopback; returns the address."""
        asked = {"address": address, "port": self.words["ssh_port"], **fields}
        self.wire.call("HostService.CreateHost", asked)
        return address

    def settle(self, answer: Any) -> None:
        """Wait until what a call started has ended."""
        name = getattr(answer, "name", "")
        for collection, method in _WATCHES.items():
            if name.startswith(collection):
                self.wire.ask(method, {"name": name})
        # The cores of a run are free a moment after it is settled.
        deadline = time.monotonic() + DEADLINE_S
        while self.wire.call("HostService.GetHost", {"name": "hosts/127.0.0.1"}).leased_cores:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def state(self) -> dict[str, object]:
        """Everything that calls may change: the store, the settings, the apps."""
        kept = [self.daemon.state / "settings", Path(self.words["scratch"])]
        files = {
            str(path): path.read_bytes()
            for folder in kept
            for path in folder.rglob("*")
            if path.is_file() and path.suffix != ".lock"
        }
        return {"store": self.rows("", dump=True), "files": files}

    def rows(self, table: str, *, dump: bool = False) -> Any:
        """How many rows a table of the store has; or all that is in it."""
        store = sqlite3.connect(f"file:{self.daemon.state / 'store.sqlite3'}?mode=ro", uri=True)
        try:
            if dump:
                return list(store.iterdump())
            return store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        finally:
            store.close()

    def _spare_step(self, name: str) -> str:
        request = {"name": self.words["lab"], "step": {"id": f"spare-{name}", "code": "pass"}}
        self.wire.call("PipelineService.AddPipelineStep", request)
        return f"spare-{name}"

    def _filled(self, value: Any, words: Mapping[str, str]) -> Any:
        match value:
            case str():
                return value.format_map(words)
            case list():
                return [self._filled(item, words) for item in value]
            case dict():
                return {key: self._filled(item, words) for key, item in value.items()}
        return value


class GatedRun:
    """A run whose partitions wait until `open` is called."""

    def __init__(self, world: World, gate: Path) -> None:
        self._gate = gate
        self._world = world
        asked = {"app": "gated_project", "mode": 0, "args": {"parts": 2, "gate": str(gate)}}
        self.run: str = world.wire.call("RunService.StartRun", asked).name

    def open(self) -> None:
        """Let the partitions go on, and wait for the end of the run."""
        self._gate.touch()
        self._world.wire.ask("RunService.WatchRun", {"name": self.run})


_WATCHES = {
    "runs/": "RunService.WatchRun",
    "installations/": "InstallationService.WatchInstallation",
    "pipelineRuns/": "PipelineRunService.WatchPipelineRun",
}


def _table() -> list[Method]:
    rows = tomllib.loads(Path(__file__).with_name("methods.toml").read_text(encoding="utf-8"))
    return [
        Method(name=f"{service}.{rpc}", **row)
        for service, rpcs in rows.items()
        for rpc, row in rpcs.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each row of the kind that the test takes, or for each request refused."""
    table = _table()
    cases = [Refused(row, **case) for row in table for case in row.refused]
    given: dict[str, list[Any]] = {
        **{f"a_{kind}": [row for row in table if row.kind == kind] for kind in KINDS},
        "a_lasting_change": [row for row in table if row.kind == "change" and row.name != STOP],
        "a_refused": cases,
        "a_refused_change": [case for case in cases if case.method.kind == "change"],
    }
    for name in given.keys() & {*metafunc.fixturenames}:
        metafunc.parametrize(name, given[name], ids=str)


@pytest.fixture(scope="session")
def table() -> dict[str, Method]:
    """The table of all methods."""
    return {row.name: row for row in _table()}


@pytest.fixture(scope="session")
def daemon() -> Iterator[RunningDaemon]:
    """The daemon of all tests of the contract; a test that ends it starts it again."""
    with running_daemon() as daemon:
        yield daemon


@pytest.fixture(scope="session")
def wire(daemon: RunningDaemon) -> Iterator[Wire]:
    """A caller of that daemon."""
    options = [("grpc.max_reconnect_backoff_ms", 200), ("grpc.initial_reconnect_backoff_ms", 50)]
    with grpc.insecure_channel(f"unix:{daemon.address.socket}", options=options) as channel:
        yield Wire(channel)


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ToySsh]:
    """What serves as every host but this machine."""
    with toy_ssh(tmp_path_factory.mktemp("login")) as server:
        yield server


@pytest.fixture(scope="session")
def world(
    daemon: RunningDaemon,
    wire: Wire,
    make_app: Any,
    ssh_server: ToySsh,
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    """That daemon with apps, and with three installations, plans and runs of one of them."""
    scratch = tmp_path_factory.mktemp("scratch")
    (scratch / "hollow_project").mkdir()
    paths = {
        "app_path": make_app("toy"),
        "twin": make_app("toy"),
        "other_app": make_app("other"),
        "gated": make_app("gated", worker=GATED_WORKER),
        "untidy": make_app("untidy", settings="[args\n"),
        "mistaken": make_app("mistaken", settings="[cluster]\npool = 7\n"),
        "scratch": scratch,
    }
    world = World(daemon, wire, {word: str(path) for word, path in paths.items()})
    for word in ("app_path", "other_app", "gated", "untidy", "mistaken"):
        found = wire.call("AppService.RegisterApp", {"path": str(paths[word])})
        with suppress(grpc.RpcError):
            # The user's copy is made at first use, also where it cannot be used.
            wire.call("AppService.GetSettings", {"name": found.name})
    app, args = "apps/toy_project", {"parts": 5}
    for _ in range(3):
        installation = wire.call("InstallationService.CreateInstallation", {"app": app})
        world.settle(installation)
        plan = wire.call("PlanService.CreatePlan", {"app": app, "args": args})
        run = wire.call("RunService.StartRun", {"app": app, "mode": 0, "args": args})
        world.settle(run)
    for word in ("failed_run", "other_failed_run"):
        asked = {"app": app, "mode": 0, "args": {"parts": "many"}}
        failed = wire.call("RunService.StartRun", asked)
        world.settle(failed)
        world.words[word] = failed.name
    ssh = {"ssh_port": str(ssh_server.port), "fingerprint": ssh_server.fingerprint}
    world.words |= {**ssh, "password": PASSWORD}
    pinned = {"trust_fingerprint": ssh_server.fingerprint}
    world.words["host"] = world.enrol("127.4.0.1", **pinned)
    world.words["other_host"] = world.enrol("127.4.0.2", **pinned)
    world.words["untrusted"] = world.enrol("127.4.0.3")
    authorize = {"name": "hosts/127.4.0.1", "password": PASSWORD}
    wire.call("HostService.AuthorizeHost", authorize)
    world.words |= {"app": app, "installation": installation.name, "run": run.name}
    edited = plan.name.partition("@")[0]
    for edit in ({"pin": {"partitions": ["p0"]}}, {"undo": {"revision": 1}}):
        wire.call("PlanService.EditPlan", {"name": edited, "edits": [edit]})
    world.words |= {"plan": plan.name, "plan_id": edited, "edited": edited}
    rendered = {"app": app, "kind": "KIND_RUN"}
    world.words["snippet"] = wire.call("SnippetService.RenderSnippet", rendered).text
    _add_labs(world, scratch)
    return world


def _add_labs(world: World, scratch: Path) -> None:
    """Files of steps, and executions of two of them; one failed."""
    for name, text in LABS.items():
        path = scratch / f"{name}.toml"
        path.write_text(text)
        world.words[name] = str(path)
    for _ in range(3):
        for word, lab, steps in (
            ("pipeline_run", "lab", ["one"]),
            ("failed_pipeline_run", "failing_lab", []),
        ):
            asked = {"file": world.words[lab], "steps": steps}
            run = world.wire.call("PipelineRunService.StartPipelineRun", asked)
            world.settle(run)
            world.words[word] = run.name


@pytest.fixture
def gated(world: World, tmp_path: Path) -> Iterator[GatedRun]:
    """A run that is being executed for as long as the test wants."""
    run = GatedRun(world, tmp_path / "gate")
    yield run
    run.open()
