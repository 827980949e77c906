"""The workload: an app made on the spot, and jobs for it whose totals anybody can compute."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agi_env.app import class_name

MANAGER = '''\
"""Names many small partitions of varied durations."""

import random

from agi_env import BaseApp, Partition


class {manager}(BaseApp):
    def partitions(self):
        luck = random.Random(self.args["seed"])
        for number in range(self.args["parts"]):
            milliseconds = luck.choice((1, 2, 5, 10, 20, 40, 80, 200))
            payload = {
                "number": number,
                "milliseconds": milliseconds,
                "busy": luck.random() < 0.3,
                "files": luck.choice((0, 0, 1, 3)),
                "stray": luck.random() < 0.05,
            }
            label = f"part {number}"
            yield Partition.of(f"p{number:04d}", label, weight=milliseconds, payload=payload)
'''
WORKER = '''\
"""Sums, files, prints, and now and then a process that outlives its parent."""

import subprocess
import sys
import time

from agi_env import BaseWorker

STRAY = "import os, time; os.setsid(); time.sleep(600)"


class {manager}Worker(BaseWorker):
    def work(self, partition, out):
        job = partition.payload
        if job["stray"]:
            subprocess.Popen([sys.executable, "-c", STRAY])
        self._take_time(job)
        value = (job["number"] + 1) * (self.args["seed"] + 7)
        for number in range(job["files"]):
            (out / f"file-{number}.txt").write_text(f"{value}/{number}\\n" * 50)
        print(f"{partition.id}: {value}", flush=True)
        return {"value": value, "share": value / 3}

    def reduce(self, results):
        values = [result.value["value"] for result in results]
        return {"parts": len(values), "total": sum(values)}

    def _take_time(self, job):
        until = time.monotonic() + job["milliseconds"] / 1000
        while (left := until - time.monotonic()) > 0:
            if not job["busy"]:
                time.sleep(left)
'''
PYPROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = []
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run is asked to compute.

    Attributes:
        seed: What the partitions follow from.
        parts: How many there are.
    """

    seed: int
    parts: int

    @property
    def args(self) -> dict[str, Any]:
        """The app's arguments."""
        return {"seed": self.seed, "parts": self.parts}

    @property
    def partition_ids(self) -> set[str]:
        """The ids of all partitions."""
        return {f"p{number:04d}" for number in range(self.parts)}

    @property
    def total(self) -> dict[str, int]:
        """What ``reduce`` must return."""
        values = [self.value(number) for number in range(self.parts)]
        return {"parts": self.parts, "total": sum(values)}

    def value(self, number: int) -> int:
        """What the partition of this number comes to."""
        return (number + 1) * (self.seed + 7)

    def content(self, number: int, file: int) -> bytes:
        """What is in a file of a partition."""
        return (f"{self.value(number)}/{file}\n" * 50).encode()


def make_app(directory: Path, name: str) -> Path:
    """Write the app ``<name>_project`` and return its folder."""
    root = directory / f"{name}_project"
    _write(root / "pyproject.toml", PYPROJECT.replace("{name}", root.name))
    for module, text in ((name, MANAGER), (f"{name}_worker", WORKER)):
        filled = text.replace("{manager}", class_name(name))
        _write(root / "src" / module / f"{module}.py", filled)
    return root


def edit_app(root: Path, words: str) -> None:
    """Change the worker's source without changing what it does: a new release."""
    (source,) = root.glob("src/*_worker/*_worker.py")
    text = source.read_text().split("\n# edited", 1)[0]
    # By a rename: a daemon that reads the source meanwhile sees it whole.
    draft = source.with_suffix(".new")
    draft.write_text(f"{text}\n# edited {words}\n")
    draft.replace(source)


def draw_jobs(luck: random.Random, count: int) -> list[Job]:
    """The jobs of a round, of several sizes."""
    return [Job(luck.randrange(1000), luck.choice((3, 12, 24, 40))) for _ in range(count)]


def sha256_of(text: bytes) -> str:
    """The digest as manifests have it."""
    return hashlib.sha256(text).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
