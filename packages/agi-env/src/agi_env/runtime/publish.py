"""Publication: a run's results, put together in private and put in place by one rename.

Every step may be repeated. Of two runners that publish the same run, the first wins and the other
adopts what is there.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from agi_env.atomic_file import disk_errors, sync_directory
from agi_env.errors import AlreadyExistsError
from agi_env.runtime import attempt
from agi_env.runtime.exclusive_rename import rename_directory
from agi_env.runtime.history import Accepted
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import RunPlan, RunSpec
from agi_env.runtime.work_area import WorkArea

MANIFEST_FILE = "manifest.json"
MANIFEST_SCHEMA = "agi.run_manifest.v1"
RESULT_FILE = "result.json"
RESULTS_FILE = "results.jsonl"
PARTITIONS_DIRECTORY = "partitions"

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})
_MAX_LABEL_CHARS = 80


@dataclass(frozen=True, slots=True)
class Publication:
    """What a runner has to publish.

    Attributes:
        spec: The run.
        plan: Its plan; the order of everything published is that of its partitions.
        epoch: Which start of the runner publishes.
        finished: The result that counts, for every partition.
        reduced: What ``reduce`` stored; none when the app has no ``reduce``.
    """

    spec: RunSpec
    plan: RunPlan
    epoch: int
    finished: dict[str, Accepted]
    reduced: Accepted | None

    def publish(self, area: WorkArea) -> Path:
        """Put the run's directory in place; returns it.

        The work area is left: it is needed until the journal says that the run is published.

        Raises:
            AlreadyExistsError: Something else has the run's name.
            ConflictError: A later runner has taken the run over.
            StateUnreadableError: A result does not match its digest.
            DiskFullError, StateUnwritableError: The directory cannot be written.
        """
        if area.destination.exists():
            return _adopted(area, self.spec.run_id)
        area.check(self.epoch)
        staging = area.staging(self.epoch)
        with disk_errors(staging):
            self._assemble(staging, area)
            try:
                rename_directory(staging, area.destination)
            except FileExistsError:
                return _adopted(area, self.spec.run_id)
            sync_directory(area.destination.parent)
        return area.destination

    def _assemble(self, staging: Path, area: WorkArea) -> None:
        if staging.exists():
            shutil.rmtree(staging)
        (staging / PARTITIONS_DIRECTORY).mkdir(parents=True)
        entries = []
        with (staging / RESULTS_FILE).open("wb") as lines:
            for place, partition in enumerate(self.plan.partitions):
                entries.append(self._stage(place, partition, staging, area, lines))
        (staging / RESULT_FILE).write_bytes(self._reduced_text(area) + b"\n")
        manifest = json.dumps(self._manifest(entries), indent=1)
        (staging / MANIFEST_FILE).write_text(f"{manifest}\n", encoding="ascii")
        for name in (RESULTS_FILE, RESULT_FILE, MANIFEST_FILE):
            _sync(staging / name)
        sync_directory(staging / PARTITIONS_DIRECTORY)
        sync_directory(staging)

    def _stage(
        self, place: int, partition: Partition, staging: Path, area: WorkArea, lines: IO[bytes]
    ) -> dict[str, Any]:
        accepted = self.finished[partition.id]
        directory = area.attempt(place, accepted.epoch, accepted.attempt)
        value = attempt.load(directory, accepted.sha256)
        names = json.dumps({"id": partition.id, "label": partition.label})
        lines.write(names[:-1].encode("ascii") + b', "value": ' + value + b"}\n")
        name = f"{PARTITIONS_DIRECTORY}/{place:06d}-{safe_label(partition.label)}"
        files = list(link_tree(directory / attempt.OUT_DIRECTORY, staging / name))
        return {
            "id": partition.id,
            "label": partition.label,
            "attempt": accepted.attempt,
            "seconds": accepted.seconds,
            "sha256": accepted.sha256,
            "directory": name if files else None,
            "files": files,
        }

    def _reduced_text(self, area: WorkArea) -> bytes:
        if self.reduced is None:
            return b"null"
        directory = area.reduction(self.reduced.epoch, self.reduced.attempt)
        return attempt.load(directory, self.reduced.sha256)

    def _manifest(self, partitions: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "schema": MANIFEST_SCHEMA,
            "run_id": self.spec.run_id,
            "app": self.spec.app,
            "mode": self.spec.mode,
            "epoch": self.epoch,
            "release": self.spec.release,
            "plan_id": self.plan.plan_id,
            "plan_revision": self.plan.revision,
            "plan_digest": self.spec.plan_digest,
            "partitions": partitions,
        }


def safe_label(label: str) -> str:
    """A label as part of a file name: at most 80 of the characters that need no quoting."""
    text = re.sub(r"[^A-Za-z0-9._-]+", "-", label)[:_MAX_LABEL_CHARS].strip("-.")
    return text or "partition"


def _adopted(area: WorkArea, run_id: str) -> Path:
    manifest = area.destination / MANIFEST_FILE
    try:
        found = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or found.get("run_id") != run_id:
        raise AlreadyExistsError(
            "something else is where the run is to be published",
            where=str(area.destination),
            remedy="Move it away and run again; the partitions' results are kept",
        )
    return area.destination


def link_tree(source: Path, target: Path) -> Iterator[dict[str, Any]]:
    """Have the files of a directory in another too, by links where there are any."""
    for parent, directories, names in os.walk(source):
        directories.sort()
        here = target / Path(parent).relative_to(source)
        links = [name for name in directories if Path(parent, name).is_symlink()]
        for name in sorted([*names, *links]):
            here.mkdir(parents=True, exist_ok=True)
            _link(Path(parent, name), here / name)
            size = (here / name).lstat().st_size
            yield {"path": str((here / name).relative_to(target)), "size": size}
        if here.exists():
            sync_directory(here)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(source, target, follow_symlinks=False)
        if not target.is_symlink():
            _sync(target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
