from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agi_env.runtime.partition_block import BLOCK, PartitionBlock, mark_of, partitions_of
from agi_env.runtime.partitions import Partition

HEAD = """
from agi_env import BaseApp, Partition
class Toy(BaseApp):
    def partitions(self):
"""
ASKED = {
    "app": "toy_project",
    "target": "toy",
    "mode": 0,
    "verbose": 1,
    "args": {"months": 2},
    "data_in": "/data/in",
    "data_out": "/data/out",
}


def ask(run: Any, source: str | None, **changes: Any) -> tuple[int, list[Any], str]:
    """Exit code, the partitions and errors of stdout, and stderr."""
    if source is not None:
        run.manager(source)
    done = raw(run, ASKED | changes)
    said = [each for line in done.stdout.splitlines() for each in told(line)]
    return done.returncode, said, done.stderr


def told(line: str) -> list[dict[str, Any]]:
    """The partitions of a block, or the error."""
    facts: dict[str, Any] = json.loads(line)
    if "error" in facts:
        return [facts]
    block = PartitionBlock.from_line(line.encode())
    return [each.to_dict() for each in partitions_of(block.columns)]


def raw(run: Any, request: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        run.interpreter.command("agi_env.runtime.naming"),
        env={**os.environ, **run.interpreter.env},
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_partitions_are_blocks_on_stdout_and_prints_are_not(toy_run: Any) -> None:
    source = HEAD + (
        "        print('looking', self.env.data_in)\n"
        "        for month in range(self.args['months']):\n"
        "            yield Partition(f'm{month}', f'month {month}', 2.5, {'month': month})\n"
    )
    code, lines, stderr = ask(toy_run, source)
    assert code == 0
    assert lines == [
        {"id": f"m{month}", "label": f"month {month}", "weight": 2.5, "payload": {"month": month}}
        for month in range(2)
    ]
    assert stderr == "looking /data/in\n"


def test_many_partitions_are_many_blocks(toy_run: Any) -> None:
    source = HEAD + f"        for i in range({BLOCK + 1}): yield Partition(str(i), 'é', i, {{}})\n"
    toy_run.manager(source)
    lines = raw(toy_run, ASKED).stdout.splitlines()
    blocks = [PartitionBlock.from_line(line.encode()) for line in lines]
    assert [len(block) for block in blocks] == [BLOCK, 1]
    assert blocks[1] == PartitionBlock.of([Partition(str(BLOCK), "é", float(BLOCK), {})])
    assert list(blocks[1].weights) == [BLOCK]
    assert list(blocks[1].marks) == [mark_of(str(BLOCK))]


def test_a_class_that_subclasses_nothing_will_do(toy_run: Any) -> None:
    source = (
        "from types import SimpleNamespace\n"
        "class Toy:\n"
        "    def __init__(self, env, **args): pass\n"
        "    def partitions(self): return [SimpleNamespace(id='a', label=None, weight=1)]\n"
    )
    assert ask(toy_run, source)[:2] == (
        0,
        [{"id": "a", "label": "a", "weight": 1.0, "payload": None}],
    )


@pytest.mark.parametrize(
    ("source", "error", "what"),
    [
        ("import polarsx", "APP_IMPORT_FAILED", "No module named 'polarsx'"),
        ("import sys; sys.exit(2)", "APP_IMPORT_FAILED", "sys.exit(2)"),
        ("class Other: pass", "APP_INVALID", "has no class Toy"),
        ("class Toy:\n def __init__(self, env, **args): pass", "APP_INVALID", "no partitions()"),
        ("class Toy: pass", "APP_PARTITIONS_FAILED", "Toy(env, **args) raised TypeError"),
        (HEAD + "        return 3", "APP_PARTITIONS_FAILED", "TypeError"),
        (HEAD + "        raise SystemExit(3)", "APP_PARTITIONS_FAILED", "sys.exit(3)"),
        (HEAD + "        return ['a']", "APP_PARTITIONS_FAILED", "'a', which is no Partition"),
        (HEAD + "        return [Partition('a', 'a', -1)]", "APP_PARTITIONS_FAILED", "weight"),
        (HEAD + "        return [Partition('a', 'a', 1, {1})]", "APP_PARTITIONS_FAILED", "JSON"),
        (HEAD + "        return [Partition('a', 'a')] * 2", "APP_PARTITIONS_FAILED", "two"),
    ],
)
def test_what_is_wrong_is_one_error_of_the_catalogue(
    toy_run: Any, source: str, error: str, what: str
) -> None:
    code, lines, _ = ask(toy_run, source)
    assert code == 1
    assert lines[-1]["error"]["code"] == error
    assert what in lines[-1]["error"]["metadata"]["what"]


def test_a_traceback_begins_in_the_app(toy_run: Any) -> None:
    source = HEAD + "        yield Partition('a', 'a')\n        raise ValueError('no data')\n"
    code, lines, stderr = ask(toy_run, source)
    assert (code, stderr) == (1, "")
    traceback = lines[-1]["error"]["metadata"]["traceback"].splitlines()
    assert "toy.py" in traceback[1]
    assert traceback[-1] == "ValueError: no data"


@pytest.mark.parametrize(
    ("value", "what", "remedy"),
    [
        ("id=3", "3 is no identifier of a partition", "as its id"),
        ("id='p', weight='x'", "partition 'p': the weight 'x' is no number", "a finite number"),
        ("id='p', payload={1}", "partition 'p': the payload cannot be carried", "Use numbers"),
    ],
)
def test_a_value_that_is_refused_is_told_with_the_line_that_gave_it(
    toy_run: Any, value: str, what: str, remedy: str
) -> None:
    code, lines, _ = ask(toy_run, HEAD + f"        yield Partition.of({value})\n")
    error = lines[-1]["error"]
    assert (code, error["code"]) == (1, "APP_PARTITIONS_FAILED")
    assert error["metadata"]["what"].startswith(what)
    assert remedy in error["metadata"]["remedy"]
    assert error["metadata"]["where"].endswith("toy.py:5")
    assert "traceback" not in error["metadata"]


@pytest.mark.parametrize("changes", [{"args": 3}, {"data_in": None}])
def test_a_request_that_makes_no_sense_is_refused(toy_run: Any, changes: dict[str, Any]) -> None:
    code, lines, _ = ask(toy_run, "class Toy: pass", **changes)
    assert (code, lines[0]["error"]["code"]) == (1, "REQUEST_INVALID")


@pytest.mark.parametrize(
    ("last", "what"),
    [
        ("os._exit(7)", "exited with code 7"),
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
        ("time.sleep(1000)", "did not end within 1 s"),
    ],
)
def test_a_manager_that_ends_its_process_or_never_ends(toy_run: Any, last: str, what: str) -> None:
    many = "        for i in range(3000): yield Partition(str(i), str(i))\n        "
    toy_run.manager("import os, time\n" + HEAD + many + last)
    request = ASKED | {"timeout_s": 1}
    done = raw(toy_run, request)
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (1, "APP_PARTITIONS_FAILED")
    assert what in error["metadata"]["what"]


def test_nothing_that_a_manager_started_is_left(toy_run: Any, tmp_path: Path) -> None:
    hiding = (
        "        hidden = pathlib.Path(self.args['hidden'])\n"
        "        if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            if os.fork() == 0:\n"
        "                hidden.write_text(f'{os.getpid()}.')\n"
        "                time.sleep(1000)\n"
        "            os._exit(0)\n"
        "        while not (hidden.exists() and '.' in hidden.read_text()): time.sleep(0.01)\n"
        "        yield Partition('a', 'a')\n"
    )
    hidden = tmp_path / "hidden"
    source = "import os, pathlib, time\n" + HEAD + hiding
    code, lines, _ = ask(toy_run, source, args={"hidden": str(hidden)})
    assert (code, [line["id"] for line in lines]) == (0, ["a"])
    assert not Path("/proc", hidden.read_text().rstrip(".")).exists()
