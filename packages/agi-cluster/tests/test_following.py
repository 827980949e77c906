"""Where a watch goes on, whenever its stream breaks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty

from agi_cluster.client.call import Watch
from agi_cluster.client.following import Following
from agi_cluster.client.patience import Patience
from agi_cluster.model.event import Event
from agi_cluster.model.run import Run, RunState
from agi_env.errors import DaemonError
from agi_env.mode import Mode

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTLED = Run(id="r", app="a", mode=Mode(0), state=RunState.SUCCEEDED, create_time=NOW)


def event(number: int) -> Event:
    return Event(sequence=number, time=NOW, kind="partition_finished")


def following(asked: list[int]) -> Following[Any]:
    def request(after: int) -> Empty:
        asked.append(after)
        return Empty()

    watch: Watch[Any] = Watch(
        stub=object, rpc="", request=request, after_sequence=0, parse=lambda told: told
    )
    return Following(watch, Patience(10.0))


def test_a_stream_that_breaks_after_a_settled_snapshot_is_not_at_its_end() -> None:
    asked: list[int] = []
    watch = following(asked)
    watch.request()
    watch.take((event(1), 1))
    watch.pause(DaemonError("gone"))
    watch.request()
    watch.take((SETTLED, 3))  # the snapshot that opens the stream: two events are still to come
    watch.pause(DaemonError("gone again"))
    assert not watch.ended()
    watch.request()
    for told in ((SETTLED, 3), (event(2), 2), (event(3), 3), (SETTLED, 3)):
        watch.take(told)
    assert watch.ended()
    assert asked == [0, 1, 1]
