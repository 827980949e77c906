"""The one place where errors become a line and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from agi_cli import exit_codes
from agi_env.errors import AgiError, InvalidModeError, catalogue

ERRORS = sorted(catalogue().items())


def an_error(kind: type[AgiError]) -> AgiError:
    if kind is InvalidModeError:
        return InvalidModeError(99)
    return kind("it is\nwrong", where="here", metadata={"key": "value"})


@pytest.mark.parametrize(("code", "kind"), ERRORS, ids=[code for code, _ in ERRORS])
def test_each_error_of_the_catalogue_is_one_line_with_its_code(terminal, code, kind):
    terminal.client.error = an_error(kind)

    assert terminal.type("apps", "list") == kind.exit_code
    assert terminal.shown == ""
    assert terminal.said.startswith("error: ")
    assert terminal.said.endswith(f" [{code}]\n")
    assert terminal.said.count("\n") == 1


@pytest.mark.parametrize(("code", "kind"), ERRORS, ids=[code for code, _ in ERRORS])
def test_each_error_of_the_catalogue_is_json_where_json_is_asked_for(terminal, code, kind):
    terminal.client.error = an_error(kind)

    assert terminal.type("apps", "list", "-o", "json") == kind.exit_code
    assert terminal.shown == ""
    error = json.loads(terminal.said)["error"]
    assert error["code"] == code
    assert {"what", "where", "remedy"} <= error["metadata"].keys()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["rnu"], "Did you mean 'run'"),
        (["run"], "Missing argument"),
        (["run", "weather", "--frob"], "No such option: --frob"),
        (["runs"], "Missing command"),
        (["apps", "list", "-o", "xml"], "'xml'"),
        (["run", "weather", "--arg", "nfile"], "'nfile' is no argument"),
        (["settings", "set", "weather", "cluster.pool"], "has no value"),
        (["install", "weather", "-w", "h=1", "-w", "h=2"], "h is given twice"),
        (["install", "weather", "--scheduler", "h:p"], "is no port"),
    ],
)
def test_a_wrong_command_line_is_an_error_of_the_catalogue(terminal, args, words):
    assert terminal.type(*args) == 4
    assert words in terminal.said
    assert terminal.said.endswith(" [REQUEST_INVALID]\n")
    assert terminal.said.count("\n") == 1


@pytest.mark.parametrize("slots", ["0", "-1", "two", "1.5", ""])
def test_a_slot_count_that_is_none_is_refused_before_anybody_is_asked(terminal, slots):
    assert terminal.type("run", "weather", "--worker", f"127.0.0.1={slots}") == 4
    assert "[SLOTS_INVALID]" in terminal.said
    assert terminal.starting == []


@pytest.mark.parametrize("mode", ["16", "-1", "pool", ""])
def test_a_mode_with_unknown_bits_is_refused(terminal, mode):
    assert terminal.type("run", "weather", "--mode", mode) == 4
    assert "[MODE_INVALID]" in terminal.said


def test_a_defect_is_one_line_too(terminal):
    terminal.client.error = ZeroDivisionError("division by zero")

    assert terminal.type("apps", "list") == 10
    assert terminal.said == (
        "error: agi: ZeroDivisionError: division by zero."
        " Repeat it with AGI_TRACEBACK=1 and report what it shows. [INTERNAL]\n"
    )


def test_a_reader_that_went_away_is_no_error(terminal):
    terminal.client.error = BrokenPipeError()

    assert terminal.type("apps", "list") == exit_codes.PIPE_CLOSED
    assert terminal.said == ""


def test_ctrl_c_is_quiet(terminal):
    terminal.client.error = KeyboardInterrupt()

    assert terminal.type("apps", "list") == exit_codes.DETACHED
    assert terminal.said == ""


def test_a_closed_pipe_leaves_no_trace():
    reading, writing = os.pipe()
    os.close(reading)
    program = [sys.executable, "-m", "agi_cli.main", "--version"]
    with os.fdopen(writing, "wb") as pipe:
        ended = subprocess.run(
            program, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (exit_codes.PIPE_CLOSED, b"")
