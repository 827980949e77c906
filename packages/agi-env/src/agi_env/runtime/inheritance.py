"""What a run takes over from the run that it retries: results that count, checked and linked.

``inheritance.json`` in the run's directory says whose they are and where. Each is looked at again
before it counts: a result that does not hold is done anew, and the journal says why.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from agi_env.atomic_file import disk_errors, sync_directory
from agi_env.errors import StateUnreadableError
from agi_env.runtime import attempt
from agi_env.runtime.history import INHERITED_EPOCH, Accepted, History
from agi_env.runtime.publish import link_tree
from agi_env.runtime.work_area import WorkArea

INHERITANCE_FILE = "inheritance.json"


@dataclass(frozen=True, slots=True)
class Legacy:
    """One result of the earlier run.

    Attributes:
        place: The place of its partition in the plan, which both runs execute.
        epoch: The epoch of the runner that accepted it.
        attempt: The attempt in that epoch.
        seconds: Wall time that it took.
        cpu_seconds: Processor time that it took.
        sha256: Digest of the value's JSON text.
        bytes: Size of the value's text and of the files.
    """

    place: int
    epoch: int
    attempt: int
    seconds: float
    cpu_seconds: float
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Inheritance:
    """All that a run takes over.

    Attributes:
        run_id: The run that it retries.
        data_out: Absolute path of the directory that run's work area is in.
        results: Its results, by the partition's id.
    """

    SCHEMA: ClassVar[str] = "agi.inheritance.v1"

    run_id: str
    data_out: str
    results: Mapping[str, Legacy] = field(default_factory=dict)

    def to_json(self) -> str:
        """The inheritance as one JSON document; equal ones give equal text."""
        return json.dumps({"schema": self.SCHEMA, **asdict(self)}, sort_keys=True) + "\n"

    @classmethod
    def read(cls, run_dir: Path) -> Inheritance | None:
        """The inheritance of the run with this directory; none when it retries no other.

        Raises:
            StateUnreadableError: The file is damaged, or of a newer version.
        """
        path = run_dir / INHERITANCE_FILE
        try:
            facts = json.loads(path.read_bytes())
            if facts["schema"] != cls.SCHEMA:
                raise ValueError("it has another schema")
            results = {name: Legacy(**each) for name, each in facts["results"].items()}
            return cls(facts["run_id"], facts["data_out"], results)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateUnreadableError(f"it is damaged: {error}", where=str(path)) from error

    def take(self, name: str, area: WorkArea) -> dict[str, Any]:
        """Have a result in another work area too; the facts to record. May be repeated.

        Raises:
            StateUnreadableError: It is gone, or is not what was accepted.
            DiskFullError, StateUnwritableError: The area cannot be written.
        """
        legacy = self.results[name]
        earlier = WorkArea(Path(self.data_out), self.run_id)
        source = earlier.attempt(legacy.place, legacy.epoch, legacy.attempt)
        value = attempt.load(source, legacy.sha256)
        target = area.attempt(legacy.place, INHERITED_EPOCH, legacy.attempt)
        with disk_errors(target):
            files = _linked(source, target)
        size = len(value) + sum(
            each["size"] for each in files if each["path"] != attempt.RESULT_FILE
        )
        if size != legacy.bytes:
            raise StateUnreadableError(
                f"a result has {size} bytes, and {legacy.bytes} were stored", where=str(source)
            )
        facts = asdict(legacy)
        del facts["epoch"], facts["place"]
        return {"id": name, "run": self.run_id, **facts}

    def missing(self, history: History) -> list[str]:
        """The partitions whose results are to be taken over still."""
        decided = history.finished.keys() | history.failed.keys() | history.attempts.keys()
        return [name for name in self.results if name not in decided]

    def accepted(self, name: str) -> Accepted:
        """A result as it counts in the run that took it over."""
        legacy = self.results[name]
        return Accepted(INHERITED_EPOCH, legacy.attempt, legacy.seconds, legacy.sha256)


def _linked(source: Path, target: Path) -> list[dict[str, Any]]:
    if target.exists():
        # Whoever made it died before the journal said so.
        shutil.rmtree(target)
    files = list(link_tree(source, target))
    for each in (target.parent, target.parent.parent):
        sync_directory(each)
    return files
