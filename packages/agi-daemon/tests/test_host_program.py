"""Programs of ours that hosts execute: what is sent, and what comes back."""

from __future__ import annotations

import ast
import json
import marshal
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from agi_daemon.doctor import on_host as doctor
from agi_daemon.doctor.on_host import PORT, SHARE, SLEEPER
from agi_daemon.install.on_host import CHECK, COMPILE, PROBE, REALISE, SURVEY
from agi_daemon.transport.host_program import START, answer_of
from agi_daemon.transport.host_transport import Completed
from agi_env.errors import BuildFailedError, DiskFullError, RefusedError

PROGRAMS = (CHECK, REALISE, COMPILE, PROBE, SURVEY, doctor.SURVEY, SHARE, SLEEPER, PORT)
MODULES = sorted({module for program in PROGRAMS for module in program.modules})


@pytest.mark.parametrize("module", MODULES)
def test_what_is_sent_to_hosts_reads_on_an_old_python(module: str) -> None:
    package, _, name = module.rpartition(".")
    source = resources.files(package).joinpath(f"{name}.py").read_text()
    tree = ast.parse(source, feature_version=(3, 8))
    outside = [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and "agi" in node.module
    ]
    assert set(outside) <= set(MODULES)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.modules[-1])
def test_a_module_is_sent_after_those_that_it_imports(program) -> None:
    sent: list[str] = []
    for module in program.modules:
        package, _, name = module.rpartition(".")
        source = resources.files(package).joinpath(f"{name}.py").read_text()
        imported = {
            node.module
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom) and node.module and "agi" in node.module
        }
        assert imported <= set(sent)
        sent.append(module)


@pytest.mark.parametrize("magic", [None, b"\0\0\r\n"], ids=["like_ours", "another"])
def test_the_modules_run_on_a_python_like_ours_and_on_another(
    tmp_path: Path, magic: bytes | None
) -> None:
    _, _, content = CHECK.sources.partition(b"\n")
    ours, modules = marshal.loads(content)
    sent = marshal.dumps((magic or ours, modules if magic is None else without_code(modules)), 2)
    request = json.dumps({"root": str(tmp_path), "uv": "", "offers": {}}).encode()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", START],
        input=b"%d\n%b%b\n" % (len(sent), sent, request),
        capture_output=True,
        check=True,
    )
    assert answer_of(Completed(0, done.stdout, b""), "h1")["facts"]["root"] == str(tmp_path)


def without_code(modules: list[tuple[str, str, bytes]]) -> list[tuple[str, str, bytes]]:
    return [(name, source, b"") for name, source, _ in modules]


def test_an_answer_is_the_last_line() -> None:
    done = Completed(0, b'{"step": "one"}\n{"path": "/x"}\n', b"")
    assert answer_of(done, "h1") == {"path": "/x"}


def test_an_error_is_located_on_its_host() -> None:
    line = b'{"error": {"code": "DISK_FULL", "metadata": {"what": "no room", "where": "/x"}}}\n'
    with pytest.raises(DiskFullError) as caught:
        answer_of(Completed(0, line, b""), "h1")
    assert caught.value.where == "h1:/x" and caught.value.metadata == {"host": "h1"}


def test_silence_is_an_error_with_the_last_words() -> None:
    for silent in (RefusedError, BuildFailedError):
        with pytest.raises(silent, match="Python ended with 1: ValueError: no"):
            answer_of(Completed(1, b"", b"Traceback\nValueError: no\n"), "h1", silent)
