"""The contract is well-formed, documented on every element, and names only errors that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi_env.errors import catalogue

REPOSITORY = Path(__file__).parents[2]
PROTOS = sorted((REPOSITORY / "proto").rglob("*.proto"))

_CODE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
_RPC = re.compile(r"(?P<comment>(?:^[ ]*//.*\n)+)[ ]*rpc (?P<name>\w+)\(", re.M)


def rpcs() -> Iterator[tuple[str, str]]:
    """Every method with the text of its comment on one line."""
    for proto in PROTOS:
        for match in _RPC.finditer(proto.read_text(encoding="utf-8")):
            words = " ".join(line.strip(" /") for line in match["comment"].splitlines())
            yield match["name"], words


def test_buf_has_no_complaint() -> None:
    buf = Path(sys.executable).with_name("buf")
    done = subprocess.run(
        [buf, "lint", "proto"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_buf_sees_that_every_element_has_a_comment() -> None:
    rules = (REPOSITORY / "proto" / "buf.yaml").read_text(encoding="utf-8")
    lint = rules.partition("lint:")[2].partition("breaking:")[0]
    used, _, excepted = lint.partition("except:")
    assert re.search(r"^\s*- COMMENTS$", used, re.M)
    assert "COMMENT" not in excepted


def test_every_method_is_found() -> None:
    declared = [
        name for proto in PROTOS for name in re.findall(r"^\s*rpc (\w+)\(", proto.read_text(), re.M)
    ]
    assert declared
    assert sorted(name for name, _ in rpcs()) == sorted(declared)


@pytest.mark.parametrize(("name", "comment"), sorted(rpcs()))
def test_the_errors_that_a_method_names_are_in_the_catalogue(name: str, comment: str) -> None:
    named = set(_CODE.findall(comment.partition("Errors:")[2]))
    assert named <= catalogue().keys()
