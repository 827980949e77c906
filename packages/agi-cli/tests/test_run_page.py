"""The page of a run: what its pictures say, and that foreign text cannot break it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from agi_cli.page.document import run_page
from agi_cli.page.lanes import lanes_of
from agi_cluster.model.plan import Plan, PlanSlot
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunProgress, RunSlot, RunState
from agi_env.errors import PartitionFailedError
from agi_env.mode import Mode

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = '<script>alert("x")</script>'


def partition(name: str, slot: int, at: float, seconds: float, **fields: object) -> RunPartition:
    facts = {"state": PartitionState.SUCCEEDED, "weight": 1.0, **fields}
    return RunPartition(
        id=name,
        label=name,
        slot=slot,
        seconds=seconds,
        start_time=BEGIN + timedelta(seconds=at),
        **facts,
    )


def run(**fields: object) -> Run:
    facts = {
        "id": "toy-1",
        "app": "toy_project",
        "mode": Mode.POOL,
        "state": RunState.SUCCEEDED,
        "create_time": BEGIN,
        "start_time": BEGIN,
        "end_time": BEGIN + timedelta(seconds=4),
        "progress": RunProgress(total=3, succeeded=3),
        "slots": (RunSlot(index=0, host="127.0.0.1", cores=1, partitions=3, busy_seconds=3.0),),
        "result": {"rows": [{"n": 1, "name": EVIL}]},
    }
    return Run(**{**facts, **fields})


def plan() -> Plan:
    return Plan(
        id="p",
        revision=1,
        etag="e",
        app="toy_project",
        mode=Mode.POOL,
        scheduler="127.0.0.1",
        slots=(PlanSlot(index=0, host="127.0.0.1", cores=1, load=3.0, predicted_finish=3.0),),
        partition_count=3,
        total_weight=3.0,
        predicted_finish=3.0,
        lower_bound=3.0,
        selection_digest="",
        settings_digest="",
        digest="",
        create_time=BEGIN,
    )


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Tags:
    tags = Tags()
    tags.feed(page)
    return tags


def test_one_after_another_is_one_lane_and_at_once_are_two() -> None:
    serial = [partition("a", 0, 0.0, 1.0), partition("b", 0, 0.99, 1.0)]
    assert len(lanes_of(run(), serial, shortest=0.0)) == 1
    both = [partition("a", 0, 0.0, 1.0), partition("b", 0, 0.2, 1.0)]
    assert len(lanes_of(run(), both, shortest=0.0)) == 2


def test_very_many_short_partitions_are_drawn_as_few_bars() -> None:
    many = [partition(f"p{n}", 0, n * 0.001, 0.001) for n in range(4000)]
    (lane,) = lanes_of(run(), many, shortest=0.01)
    assert len(lane.spans) < 100
    assert sum(span.count for span in lane.spans) == 4000


def test_a_page_has_both_pictures_and_no_foreign_markup() -> None:
    partitions = [partition(EVIL, 0, 0.0, 1.0), partition("b", 0, 1.0, 1.0)]
    page = run_page(run(warnings=(EVIL,)), partitions, plan())
    tags = read(page)
    assert tags.seen.count("svg") == 2
    assert "script" not in tags.seen
    assert EVIL in tags.text
    assert "http" not in page.replace("http-equiv", "")


def test_a_failure_is_shown_with_its_traceback() -> None:
    broken = partition(
        "c",
        0,
        2.0,
        0.0,
        state=PartitionState.FAILED,
        error=PartitionFailedError("it raised", where="partition c"),
        traceback="ValueError: no",
    )
    text = read(run_page(run(state=RunState.FAILED), [broken], plan())).text
    assert "it raised" in text
    assert "ValueError: no" in text


def test_a_run_that_never_began_has_a_page_too() -> None:
    bare = run(start_time=None, end_time=None, slots=(), result=None, state=RunState.QUEUED)
    assert "QUEUED" in read(run_page(bare, [], None)).text
