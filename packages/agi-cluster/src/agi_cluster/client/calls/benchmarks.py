"""The calls of ``BenchmarkService``."""

from __future__ import annotations

from agi_cluster.api.v1 import benchmarks_pb2 as pb
from agi_cluster.api.v1.benchmarks_pb2_grpc import BenchmarkServiceStub
from agi_cluster.client.call import Call, Watch, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.event import Event
from agi_cluster.model.page import Page
from agi_cluster.model.requests import CreateBenchmark
from agi_cluster.wire.benchmark import (
    benchmark_from_wire,
    benchmark_update_from_wire,
    create_benchmark_to_wire,
)
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire


def create_benchmark(
    request: CreateBenchmark, *, request_id: str = "", validate_only: bool = False
) -> Call[Benchmark]:
    """Begin to run an app in several modes, in turns."""
    message = create_benchmark_to_wire(
        request, request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=BenchmarkServiceStub,
        rpc="CreateBenchmark",
        request=message,
        parse=benchmark_from_wire,
        pace=Pace.CHANGE,
    )


def get_benchmark(name: str) -> Call[Benchmark]:
    """One benchmark with its table."""
    request = checked(pb.GetBenchmarkRequest)(name=resource_name("benchmarks", name))
    return Call(
        stub=BenchmarkServiceStub, rpc="GetBenchmark", request=request, parse=benchmark_from_wire
    )


def list_benchmarks(
    *, page_size: int = 0, page_token: str = "", app: str = ""
) -> Call[Page[Benchmark]]:
    """A page of the benchmarks, newest first."""
    request = checked(pb.ListBenchmarksRequest)(page_size=page_size, page_token=page_token, app=app)
    return Call(stub=BenchmarkServiceStub, rpc="ListBenchmarks", request=request, parse=_page)


def watch_benchmark(name: str, *, after_sequence: int = 0) -> Watch[Benchmark | Event]:
    """Follow a benchmark: snapshot, events, last snapshot, each with its number."""
    full = resource_name("benchmarks", name)

    def request(after: int) -> pb.WatchBenchmarkRequest:
        return checked(pb.WatchBenchmarkRequest)(name=full, after_sequence=after)

    return Watch(
        stub=BenchmarkServiceStub,
        rpc="WatchBenchmark",
        request=request,
        after_sequence=after_sequence,
        parse=benchmark_update_from_wire,
    )


def cancel_benchmark(
    name: str, *, request_id: str = "", validate_only: bool = False
) -> Call[Benchmark]:
    """Ask a benchmark to stop, and its present run with it."""
    request = checked(pb.CancelBenchmarkRequest)(
        request_id=new_request_id(request_id),
        name=resource_name("benchmarks", name),
        validate_only=validate_only,
    )
    return Call(
        stub=BenchmarkServiceStub,
        rpc="CancelBenchmark",
        request=request,
        parse=benchmark_from_wire,
        pace=Pace.CHANGE,
    )


def _page(response: pb.ListBenchmarksResponse) -> Page[Benchmark]:
    return page_from_wire(response.benchmarks, response.next_page_token, benchmark_from_wire)
