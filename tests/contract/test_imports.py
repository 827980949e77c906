"""Imports go one way, and what is imported at once is light."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False
    )


def loaded_by(program: str) -> set[str]:
    """The top-level packages and our own modules that a program has imported at its end."""
    tell = f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = run(sys.executable, "-c", tell)
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    return {module.partition(".")[0] for module in modules} | set(modules)


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = run(lint, "--cache-dir", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_the_facade_is_light() -> None:
    loaded = loaded_by("from agi_cluster.agi_distributor import AGI\nfrom agi_env import AgiEnv")
    assert "agi_cluster.agi_distributor.facade" in loaded
    assert loaded.isdisjoint({"asyncssh", "distributed", "dask", "rich", "grpc", "agi_daemon"})


def test_an_app_pays_only_for_the_runtime() -> None:
    loaded = loaded_by("from agi_env import BaseApp, BaseWorker, Partition")
    assert loaded.isdisjoint({"grpc", "distributed", "asyncssh", "rich", "tomlkit", "attrs"})


def test_the_daemon_loads_neither_dask_nor_an_app_runtime() -> None:
    loaded = loaded_by("import agi_daemon.compose, agi_daemon.serve")
    assert loaded.isdisjoint({"distributed", "dask", "rich", "typer", "agi_cli"})
    assert loaded.isdisjoint({"agi_env.runtime.executor", "agi_env.runtime.runner"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_the_command_line_loads_nothing_that_it_does_not_need(arguments: list[str]) -> None:
    loaded = loaded_by(
        "import io\nfrom agi_cli.main import run\nfrom agi_cli.session import Session\n"
        f"run({arguments!r}, Session(out=io.StringIO(), err=io.StringIO()))"
    )
    assert loaded.isdisjoint({"grpc", "rich", "distributed", "asyncssh", "agi_daemon"})


def test_no_command_of_ours_takes_modules_from_the_current_directory() -> None:
    found, careless = 0, []
    for path in sorted((REPOSITORY / "packages").glob("*/src/**/*.py")):
        for words in words_of_commands(ast.parse(path.read_text())):
            isolated = not {"-P", "-I"}.isdisjoint(words)
            found += isolated
            careless += [] if isolated else [f"{path.relative_to(REPOSITORY)}: {words}"]
    assert careless == [], "`agi_env.module_command` makes such commands"
    assert found > 3


def words_of_commands(tree: ast.AST) -> Iterator[list[object]]:
    """The constants of each list or tuple that looks like a Python's command line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.List | ast.Tuple):
            words = [each.value for each in node.elts if isinstance(each, ast.Constant)]
            if "-m" in words or ("-c" in words and "sh" not in words):
                yield words
