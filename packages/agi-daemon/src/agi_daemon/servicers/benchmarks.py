"""``agi.v1.BenchmarkService``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agi_cluster.api.v1 import benchmarks_pb2 as pb
from agi_cluster.api.v1 import benchmarks_pb2_grpc
from agi_cluster.model.services import BenchmarkService
from agi_cluster.wire.benchmark import (
    benchmark_to_wire,
    benchmark_update_to_wire,
    create_benchmark_from_wire,
)
from agi_cluster.wire.name import resource_name
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields
from agi_daemon.servicers.stream import packed

_COLLECTION = "benchmarks"


class BenchmarkServicer(benchmarks_pb2_grpc.BenchmarkServiceServicer):
    """Offers the benchmarks of a core."""

    def __init__(self, benchmarks: BenchmarkService) -> None:
        self._benchmarks = benchmarks

    async def CreateBenchmark(
        self, request: pb.CreateBenchmarkRequest, context: Context
    ) -> pb.Benchmark:
        wanted = create_benchmark_from_wire(request)
        return benchmark_to_wire(
            await self._benchmarks.create_benchmark(wanted, **fields.mutation(request))
        )

    async def GetBenchmark(self, request: pb.GetBenchmarkRequest, context: Context) -> pb.Benchmark:
        name = resource_name(_COLLECTION, request.name)
        return benchmark_to_wire(await self._benchmarks.get_benchmark(name))

    async def ListBenchmarks(
        self, request: pb.ListBenchmarksRequest, context: Context
    ) -> pb.ListBenchmarksResponse:
        page = await self._benchmarks.list_benchmarks(app=request.app, **fields.page(request))
        return pb.ListBenchmarksResponse(
            benchmarks=[benchmark_to_wire(item) for item in page.items],
            next_page_token=page.next_page_token,
        )

    def WatchBenchmark(
        self, request: pb.WatchBenchmarkRequest, context: Context
    ) -> AsyncIterator[pb.WatchBenchmarkResponse]:
        updates = self._benchmarks.watch_benchmark(
            resource_name(_COLLECTION, request.name),
            after_sequence=fields.not_negative(request.after_sequence, "after_sequence"),
        )
        return packed(updates, lambda update: benchmark_update_to_wire(*update))

    async def CancelBenchmark(
        self, request: pb.CancelBenchmarkRequest, context: Context
    ) -> pb.Benchmark:
        name = resource_name(_COLLECTION, request.name)
        return benchmark_to_wire(
            await self._benchmarks.cancel_benchmark(name, **fields.mutation(request))
        )
