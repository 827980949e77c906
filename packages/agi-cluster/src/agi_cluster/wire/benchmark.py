"""Benchmarks, the request for one, and their updates."""

from __future__ import annotations

from agi_cluster.api.v1 import benchmarks_pb2 as pb
from agi_cluster.model.benchmark import Benchmark, BenchmarkRow, BenchmarkState
from agi_cluster.model.event import Event
from agi_cluster.model.requests import CreateBenchmark
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.event import event_from_wire, event_to_wire
from agi_cluster.wire.json_value import exact_to_wire, struct_from_wire, struct_to_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import app_reference, resource_id
from agi_cluster.wire.selection import selection_from_wire, selection_to_wire
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_from_wire, time_to_wire
from agi_env.mode import Mode

_REPEATS = 5
_WARMUPS = 1


def benchmark_to_wire(benchmark: Benchmark) -> pb.Benchmark:
    """The benchmark as a message."""
    return pb.Benchmark(
        name=f"benchmarks/{benchmark.id}",
        app=f"apps/{benchmark.app}",
        state=enum_to_wire(pb.Benchmark.State, benchmark.state),
        target=enum_to_wire(pb.Benchmark.State, benchmark.target),
        repeats=benchmark.repeats,
        warmups=benchmark.warmups,
        rows=[_row_to_wire(row) for row in benchmark.rows],
        recommended_mode=benchmark.recommended,
        advice=benchmark.advice,
        args=struct_to_wire(benchmark.args, where="args"),
        create_time=time_to_wire(benchmark.create_time),
        end_time=time_to_wire(benchmark.end_time),
        error=error_to_wire(benchmark.error),
    )


def benchmark_from_wire(benchmark: pb.Benchmark) -> Benchmark:
    """The benchmark in a message."""
    named = benchmark.HasField("recommended_mode")
    return Benchmark(
        id=resource_id("benchmarks", benchmark.name),
        app=app_reference(benchmark.app),
        state=enum_from_wire(BenchmarkState, pb.Benchmark.State, benchmark.state),
        target=enum_from_wire(BenchmarkState, pb.Benchmark.State, benchmark.target),
        repeats=benchmark.repeats,
        warmups=benchmark.warmups,
        rows=tuple(_row_from_wire(row) for row in benchmark.rows),
        recommended=Mode.parse(benchmark.recommended_mode) if named else None,
        advice=benchmark.advice,
        args=struct_from_wire(benchmark.args),
        create_time=time_from_wire(benchmark.create_time),
        end_time=optional_time(benchmark, "end_time"),
        error=error_from_wire(benchmark.error),
    )


def create_benchmark_to_wire(
    request: CreateBenchmark, *, request_id: str, validate_only: bool = False
) -> pb.CreateBenchmarkRequest:
    """The request as a message.

    Raises:
        RequestInvalidError: A value cannot be carried.
    """
    return checked(pb.CreateBenchmarkRequest)(
        request_id=request_id,
        app=request.app,
        modes=[int(mode) for mode in request.modes],
        selection=selection_to_wire(request.selection),
        args=exact_to_wire(request.args, where="args"),
        repeats=request.repeats,
        warmups=request.warmups,
        validate_only=validate_only,
    )


def create_benchmark_from_wire(request: pb.CreateBenchmarkRequest) -> CreateBenchmark:
    """The request in a message.

    Raises:
        InvalidInputError: No app, a slot count below 1, or an impossible mode.
    """
    return CreateBenchmark(
        app=app_reference(request.app),
        modes=tuple(Mode.parse(mode) for mode in request.modes),
        selection=selection_from_wire(request.selection),
        args=struct_from_wire(request.args),
        repeats=request.repeats or _REPEATS,
        warmups=request.warmups if request.HasField("warmups") else _WARMUPS,
    )


def benchmark_update_to_wire(update: Benchmark | Event, sequence: int) -> pb.WatchBenchmarkResponse:
    """One message of a watch."""
    if isinstance(update, Event):
        return pb.WatchBenchmarkResponse(event=event_to_wire(update), sequence=sequence)
    return pb.WatchBenchmarkResponse(snapshot=benchmark_to_wire(update), sequence=sequence)


def benchmark_update_from_wire(
    response: pb.WatchBenchmarkResponse,
) -> tuple[Benchmark | Event, int]:
    """The snapshot or event in a message of a watch, and the number it includes."""
    if response.WhichOneof("update") == "event":
        return event_from_wire(response.event), response.sequence
    return benchmark_from_wire(response.snapshot), response.sequence


def _row_to_wire(row: BenchmarkRow) -> pb.BenchmarkRow:
    return pb.BenchmarkRow(
        mode=int(row.mode),
        seconds=row.seconds,
        cpu_seconds=row.cpu_seconds,
        median=row.median,
        low=row.low,
        high=row.high,
        ratio=row.ratio,
        noise=row.noise,
        differs=row.differs,
        runs=[f"runs/{run}" for run in row.runs],
        error=error_to_wire(row.error),
    )


def _row_from_wire(row: pb.BenchmarkRow) -> BenchmarkRow:
    return BenchmarkRow(
        mode=Mode.parse(row.mode),
        seconds=tuple(row.seconds),
        cpu_seconds=tuple(row.cpu_seconds),
        median=row.median,
        low=row.low,
        high=row.high,
        ratio=row.ratio,
        noise=row.noise,
        differs=row.differs,
        runs=tuple(resource_id("runs", run) for run in row.runs),
        error=error_from_wire(row.error),
    )
