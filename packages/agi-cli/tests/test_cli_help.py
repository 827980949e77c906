"""Help costs little: neither gRPC nor rich, and no command's module, is imported for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from agi_cli.main import program

WORDS = list(program().commands)


def imported(*args: str) -> tuple[str, set[str]]:
    command = [sys.executable, "-X", "importtime", "-m", "agi_cli.main", *args]
    environ = {**os.environ, "COVERAGE_PROCESS_START": ""}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=environ
    )
    names = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    return ended.stdout, names


def test_help_imports_neither_grpc_nor_rich():
    text, names = imported("--help")

    assert all(f"  {word} " in text for word in WORDS)
    tops = {name.partition(".")[0] for name in names}
    assert "typer" in tops
    assert not tops & {"grpc", "google", "rich", "attrs", "agi_cluster", "agi_daemon"}
    assert not any(name.startswith("agi_cli.commands.") for name in names)


def test_the_help_of_a_command_imports_no_grpc():
    _, names = imported("run", "--help")

    assert not {name.partition(".")[0] for name in names} & {"grpc", "agi_daemon"}


@pytest.mark.parametrize("word", WORDS)
def test_every_command_has_help(terminal, word):
    assert terminal.type(word, "--help") == 0


def test_the_version(terminal):
    assert terminal.type("--version") == 0
    assert terminal.shown == "agi 0.1.0\n"


def test_no_command_shows_help(terminal):
    assert terminal.type() == 0
    assert terminal.shown.startswith("Usage: agi ")


def test_completion_lists_the_words_without_importing_them():
    environ = {
        **os.environ,
        "_AGI_COMPLETE": "complete_bash",
        "COMP_WORDS": "agi run",
        "COMP_CWORD": "1",
    }
    program_line = [sys.executable, "-m", "agi_cli.main"]
    ended = subprocess.run(
        program_line, capture_output=True, text=True, timeout=60, env=environ, check=False
    )
    assert ended.stdout.split() == ["run", "runs"]
