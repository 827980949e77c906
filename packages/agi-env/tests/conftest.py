"""A run made small: a real app in a temporary directory, a spec, a plan and a real runner."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agi_env.runtime import journal, runner
from agi_env.runtime.interpreter import Interpreter
from agi_env.runtime.journal import JOURNAL_FILE
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import PLAN_FILE, SPEC_FILE, RunPlan, RunSpec, SlotSpec

# What it does with a partition is the first word of the payload; the second is an argument.
TOY_WORKER = '''
import ctypes, json, os, signal, subprocess, sys, time
from pathlib import Path

from agi_env.runtime.base_worker import BaseWorker

STRAY = (
    "import os, sys, time\\n"
    "if os.fork(): os._exit(0)\\n"
    "os.setsid()\\n"
    "open(sys.argv[1], 'w').write(str(os.getpid()))\\n"
    "time.sleep(600)\\n"
)


class ToyWorker(BaseWorker):
    def start(self):
        self.note("start")

    def work(self, partition, out):
        self.note(f"work {partition.id}")
        deed, argument = partition.payload
        return getattr(self, deed)(argument, out)

    def stop(self):
        self.note("stop")

    def note(self, what):
        with open(self.args["notes"], "a") as notes:
            notes.write(f"{what} {self.env.slot}.{self.env.executor} {os.getpid()}\\n")

    def give(self, value, out):
        return value

    def write(self, name, out):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("content")
        return name

    def fail(self, text, out):
        raise ValueError(text)

    def give_set(self, value, out):
        return {1, 2}

    def give_nan(self, value, out):
        return float("nan")

    def shout(self, megabytes, out):
        line = b"x" * 1023 + b"\\n"
        for _ in range(megabytes):
            sys.stdout.buffer.write(line * 1024)
        print("the last words")
        return megabytes

    def fork(self, value, out):
        os.fork()
        return value

    def stray(self, path, out):
        subprocess.run([sys.executable, "-c", STRAY, path], check=True)
        while not Path(path).exists() or not Path(path).read_text():
            time.sleep(0.01)
        return "done"

    def exit(self, code, out):
        sys.exit(code)

    def hard_exit(self, code, out):
        os._exit(code)

    def segfault(self, value, out):
        ctypes.string_at(0)

    def once(self, path, out):
        """Die at the first attempt only."""
        if not Path(path).exists():
            Path(path).write_text("seen")
            os.kill(os.getpid(), signal.SIGKILL)
        return "second time lucky"

    def hang(self, path, out):
        Path(path).write_text(str(os.getpid()))
        while True:
            time.sleep(600)

    def wait_for(self, path, out):
        Path(f"{path}.waiting").write_text("")
        while not Path(path).exists():
            time.sleep(0.005)
        return "waited"

    def environment(self, name, out):
        return os.environ.get(name)
'''

TOY_REDUCE = """
    def reduce(self, results):
        self.note("reduce")
        return [[each.partition.id, each.value, each.out.is_dir()] for each in results]
"""


@dataclass
class ToyRun:
    """One run of one toy app."""

    root: Path
    spec: RunSpec
    assignment: tuple[int, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @property
    def run_dir(self) -> Path:
        return self.root / "run"

    @property
    def data_out(self) -> Path:
        return Path(self.spec.data_out)

    @property
    def published(self) -> Path:
        return self.data_out / self.spec.run_id

    @property
    def work_area(self) -> Path:
        return self.data_out / f".agi-{self.spec.run_id}"

    @property
    def notes(self) -> list[str]:
        path = self.root / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def worker(self, source: str) -> ToyRun:
        package = self.root / "src" / "toy_worker"
        package.mkdir(parents=True, exist_ok=True)
        (package / "toy_worker.py").write_text(dedent(source))
        return self

    def manager(self, source: str) -> ToyRun:
        package = self.root / "src" / "toy"
        package.mkdir(parents=True, exist_ok=True)
        (package / "toy.py").write_text(dedent(source))
        return self

    def pool(self, *executors: int) -> ToyRun:
        slots = tuple(SlotSpec(i, "127.0.0.1", n, n, 1) for i, n in enumerate(executors))
        return self.spec_with(mode=1, slots=slots)

    def spec_with(self, **changes: Any) -> ToyRun:
        self.spec = replace(self.spec, **changes)
        return self

    def plan(self, *deeds: tuple[str, Any], slots: Iterable[int] = ()) -> ToyRun:
        partitions = tuple(
            Partition(f"p{place}", f"deed {place}: {deed[0]}", 1.0, list(deed))
            for place, deed in enumerate(deeds)
        )
        assignment = tuple(slots) or (0,) * len(deeds)
        self.run_dir.mkdir(exist_ok=True)
        (self.run_dir / SPEC_FILE).write_text(self.spec.to_json())
        plan = RunPlan("plan-1", 1, partitions, assignment)
        (self.run_dir / PLAN_FILE).write_text(plan.to_json())
        return self

    def go(self, epoch: int = 1) -> dict[str, Any]:
        """Run to the end in this process; the settled record."""
        assert runner.main(self.run_dir, epoch, self.interpreter) == 0
        return self.records("settled")[-1]

    def begin(self, epoch: int = 1) -> subprocess.Popen[bytes]:
        """Run in a process of its own, which may be killed."""
        code = (
            "import sys; from pathlib import Path\n"
            "from agi_env.runtime.runner import main\n"
            "sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code, str(self.run_dir), str(epoch)],
            env=self.interpreter.environment(1, "none"),
        )

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        found = journal.read(self.run_dir / JOURNAL_FILE)
        assert not found.reason
        every = [record.to_dict() for record in found.records]
        return [record for record in every if not kinds or record["kind"] in kinds]

    def results(self) -> list[Any]:
        lines = (self.published / "results.jsonl").read_text().splitlines()
        return [json.loads(line)["value"] for line in lines]

    def log(self, slot: int = 0, executor: int = 0) -> bytes:
        return (self.run_dir / "logs" / f"executor-{slot}-{executor}.log").read_bytes()

    @property
    def interpreter(self) -> Interpreter:
        env: Mapping[str, str] = {"PYTHONPATH": str(self.root / "src"), **self.env}
        return Interpreter(env=env)


@pytest.fixture
def toy_run(tmp_path: Path) -> ToyRun:
    """A run in mode 0 of the toy app, without ``reduce``; it still wants a plan."""
    spec = RunSpec(
        run_id="run-1",
        app="toy_project",
        target="toy",
        mode=0,
        data_in=str(tmp_path / "in"),
        data_out=str(tmp_path / "data out"),
        build=str(tmp_path / "build"),
        release="release-1",
        plan_digest="digest-1",
        slots=(SlotSpec(0, "127.0.0.1"),),
        args={"notes": str(tmp_path / "notes")},
    )
    return ToyRun(tmp_path, spec).worker(TOY_WORKER)


@pytest.fixture
def reducing_run(toy_run: ToyRun) -> ToyRun:
    """The same with a ``reduce``."""
    return toy_run.worker(TOY_WORKER + TOY_REDUCE)
