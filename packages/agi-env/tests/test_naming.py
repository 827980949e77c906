from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

HEAD = """
from agi_env import BaseApp, Partition
class Toy(BaseApp):
    def partitions(self):
"""


def ask(run: Any, source: str | None, **changes: Any) -> tuple[int, list[Any], str]:
    """Exit code, the lines of stdout, and stderr."""
    if source is not None:
        run.manager(source)
    request = {
        "app": "toy_project",
        "target": "toy",
        "mode": 0,
        "verbose": 1,
        "args": {"months": 2},
        "data_in": "/data/in",
        "data_out": "/data/out",
        **changes,
    }
    done = subprocess.run(
        run.interpreter.command("agi_env.runtime.naming"),
        env={**os.environ, **run.interpreter.env},
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_partitions_are_lines_on_stdout_and_prints_are_not(toy_run: Any) -> None:
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
        (HEAD + "        return ['a']", "APP_PARTITIONS_FAILED", "named 'a', which is no Partition"),
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
    assert lines[0]["id"] == "a"
    traceback = lines[1]["error"]["metadata"]["traceback"].splitlines()
    assert "toy.py" in traceback[1]
    assert traceback[-1] == "ValueError: no data"


@pytest.mark.parametrize("changes", [{"args": 3}, {"data_in": None}])
def test_a_request_that_makes_no_sense_is_refused(toy_run: Any, changes: dict[str, Any]) -> None:
    code, lines, _ = ask(toy_run, "class Toy: pass", **changes)
    assert (code, lines[0]["error"]["code"]) == (1, "REQUEST_INVALID")
