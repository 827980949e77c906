"""What a run was asked to be: ``spec.json`` and ``plan.json`` of its directory.

Both are written once, before the runner starts, and are never changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from agi_env.errors import PlanInvalidError, StateUnreadableError
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.partitions import Partition

SPEC_FILE = "spec.json"
PLAN_FILE = "plan.json"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """A place where partitions run one after another, or side by side in a pool.

    Attributes:
        index: Its number in the selection, from 0.
        host: The host it is on.
        cores: How many cores it holds.
        executors: How many executors it has.
        threads: How many threads each executor may use.
    """

    index: int
    host: str
    cores: int = 1
    executors: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One run, complete: a runner needs nothing else but the plan.

    Attributes:
        run_id: The run's name, and that of the directory it publishes.
        app: The project's name.
        target: The name of the app's packages.
        mode: The mode, 0 to 15.
        verbose: How much is logged, 0 to 3.
        args: The app's own arguments.
        data_in: Absolute path of the inputs.
        data_out: Absolute path of the directory in which the run publishes its own.
        build: Absolute path of the build on the runner's host.
        release: Digest of the release that the build realises.
        plan_digest: Digest of the plan revision that is executed.
        slots: The slots, by index.
        partition_timeout_s: Seconds that one partition may take; none for no limit.
        run_timeout_s: Seconds that the whole run may take.
        start_timeout_s: Seconds that an executor has to import the app and start.
        cancel_grace_s: Seconds between asking the executors to stop and killing them.
        max_attempts: How often a partition whose executor dies is tried; then it is quarantined.
        retry_pause_s: Seconds before the second attempt; twice as long before each later one.
        log_limit_bytes: The size that each log file is held to.
        cluster: How runner and workers meet; none when the executors are the runner's own.
        order: What the daemon was asked for, in its own words, so that the run can be restored from
            its directory; only with the runner, and nothing that a runner reads. None in a
            directory of an earlier version.
    """

    SCHEMA: ClassVar[str] = "agi.run_spec.v1"

    run_id: str
    app: str
    target: str
    mode: int
    data_in: str
    data_out: str
    build: str
    release: str
    plan_digest: str
    slots: tuple[SlotSpec, ...]
    verbose: int = 0
    args: Mapping[str, Any] = field(default_factory=dict)
    partition_timeout_s: float | None = None
    run_timeout_s: float = 86400.0
    start_timeout_s: float = 60.0
    cancel_grace_s: float = 10.0
    max_attempts: int = 3
    retry_pause_s: float = 0.0
    log_limit_bytes: int = 10 * 1024 * 1024
    cluster: ClusterSpec | None = None
    order: Mapping[str, Any] | None = None

    def to_json(self) -> str:
        """The spec as one JSON document; equal specs give equal text."""
        return _dumps({"schema": self.SCHEMA, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> RunSpec:
        """Read what ``to_json`` wrote; unknown keys are left aside.

        Raises:
            StateUnreadableError: It is no spec, or one of a newer version.
        """
        facts = _document(text, cls.SCHEMA)
        try:
            slots = tuple(_known(SlotSpec, slot) for slot in facts["slots"])
            given = facts.get("cluster")
            cluster = None if given is None else _known(ClusterSpec, given)
            return _known(cls, {**facts, "slots": slots, "cluster": cluster})
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(cls.SCHEMA, error) from error


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The plan revision that a run executes.

    Attributes:
        plan_id: The plan's name.
        revision: Which of its revisions this is.
        partitions: All partitions; their place here is their number in the run.
        assignment: The index of the slot of each partition, in the same order.
    """

    SCHEMA: ClassVar[str] = "agi.plan.v1"

    plan_id: str
    revision: int
    partitions: tuple[Partition, ...]
    assignment: tuple[int, ...]

    def check(self, slots: tuple[SlotSpec, ...]) -> None:
        """See that every partition is there once and has a slot.

        Raises:
            PlanInvalidError: Some partition is named twice, or is on no slot of the run.
        """
        if len({partition.id for partition in self.partitions}) != len(self.partitions):
            raise PlanInvalidError("two partitions have the same id", where=f"plan {self.plan_id}")
        known = {slot.index for slot in slots}
        if len(self.assignment) != len(self.partitions) or not known.issuperset(self.assignment):
            raise PlanInvalidError("a partition is on no slot", where=f"plan {self.plan_id}")

    def to_json(self) -> str:
        """The plan as one JSON document; equal plans give equal text."""
        partitions = [partition.to_dict() for partition in self.partitions]
        return _dumps(
            {
                "schema": self.SCHEMA,
                "plan_id": self.plan_id,
                "revision": self.revision,
                "partitions": partitions,
                "assignment": list(self.assignment),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> RunPlan:
        """Read what ``to_json`` wrote; unknown keys are left aside.

        Raises:
            StateUnreadableError: It is no plan, or one of a newer version.
        """
        facts = _document(text, cls.SCHEMA)
        try:
            partitions = tuple(_known(Partition, each) for each in facts["partitions"])
            assignment = tuple(facts["assignment"])
            return _known(cls, {**facts, "partitions": partitions, "assignment": assignment})
        except (KeyError, TypeError, AttributeError) as error:
            raise _unreadable(cls.SCHEMA, error) from error


def _dumps(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _document(text: str | bytes, schema: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _unreadable(schema, error) from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise _unreadable(schema, "it has another schema")
    return document


def _known(cls: type[_T], facts: Mapping[str, Any]) -> _T:
    names = {each.name for each in fields(cls)}  # type: ignore[arg-type]
    return cls(**{key: value for key, value in facts.items() if key in names})


def _unreadable(schema: str, reason: object) -> StateUnreadableError:
    return StateUnreadableError(f"a document is no {schema}: {reason}")
