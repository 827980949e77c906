"""The examples of embedding: in another tool's threads, and in a notebook's running loop."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from agi_cluster.model.snippet import SnippetKind

EXAMPLES = Path(__file__).parents[2] / "examples" / "embedding"
DEADLINE_S = 60


@pytest.fixture
def board(world: Any) -> Iterator[str]:
    """The address of the run board, which serves in a process of its own."""
    env = {**world.daemon.env, "AGI_ADDRESS": str(world.daemon.address)}
    command = [sys.executable, EXAMPLES / "run_board.py", "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[1]
        finally:
            process.kill()


def ask(url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(url, data, timeout=DEADLINE_S) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_another_tool_with_many_threads(world: Any, board: str) -> None:
    asked = {"app": "toy", "mode": 0}
    with ThreadPoolExecutor(4) as callers:
        answers = list(callers.map(lambda _: ask(board, asked), range(4)))
    assert {status for status, _ in answers} == {200}
    started = {answer["run"] for _, answer in answers}
    assert len(started) == 4
    for run in started:
        world.wire.ask("RunService.WatchRun", {"name": f"runs/{run}"})
    status, shown = ask(board)
    assert status == 200
    states = {each["run"]: each["state"] for each in shown}
    assert {states[run] for run in started} == {"SUCCEEDED"}


def test_what_it_is_refused_is_an_error_of_the_catalogue(board: str) -> None:
    assert ask(board, {"app": "nowhere"})[0] == 404
    status, answer = ask(board, {"app": "toy", "mode": 99})
    assert (status, answer["code"]) == (400, "MODE_INVALID")
    assert ask(board, {})[1]["code"] == "REQUEST_INVALID"


async def test_every_cell_of_the_notebook(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGI_ADDRESS", str(world.daemon.address))
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    names: dict[str, Any] = {}
    shown = [await execute(source.replace("flights_project", "toy"), names) for source in sources]
    assert names["result"].data == sum(range(2))
    assert shown[3] is True
    assert {"partition_finished", "settled"} <= {*shown[4]}
    assert [state for _, state in shown[5]] == ["SUCCEEDED"] * 5


async def test_every_cell_of_a_rendered_notebook(
    world: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rendered for a kernel, whose loop runs already: installs, distributes and runs."""
    monkeypatch.setenv("AGI_ADDRESS", str(world.daemon.address))
    with world.daemon.client() as client:
        made = client.render_snippet("toy_project", SnippetKind.RUN, notebook=True)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in json.loads(made.text)["cells"]:
        if cell["cell_type"] == "code":
            await execute("".join(cell["source"]), names)
            shown.append(capsys.readouterr().out)
    assert [text.split("  ")[0] for text in shown] == ["toy_project"] * 3
    assert "partitions" in shown[1] and "SUCCEEDED" in shown[2]


async def execute(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, in the running loop; the value of its last expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    value = None
    for tree in (ast.Module(body, []), last and ast.Expression(last.value)):
        if tree is not None:
            form = "exec" if isinstance(tree, ast.Module) else "eval"
            code = compile(tree, "<cell>", form, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            value = eval(code, names)
            if inspect.isawaitable(value):
                value = await value
    return value
