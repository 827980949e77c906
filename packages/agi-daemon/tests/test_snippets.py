"""Snippets: equal settings give equal bytes; whatever the values, formatted and safe Python."""

from __future__ import annotations

import ast
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from agi_cluster.model.snippet import SnippetKind
from agi_daemon.snippets.literal import literal
from agi_daemon.snippets.renderer import render
from agi_env.settings import Settings

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_a_literal_is_read_back_as_the_value(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


@settings(max_examples=60)
@given(
    args=st.dictionaries(st.text(min_size=1), values, max_size=4),
    kind=st.sampled_from(SnippetKind),
    pool=st.booleans(),
)
def test_a_snippet_is_python_whatever_the_arguments(
    args: dict[str, object], kind: SnippetKind, pool: bool
) -> None:
    chosen = Settings(args=args, pool=pool, workers={"127.0.0.1": 2})
    text = render("toy_project", chosen, kind)
    assert text == render("toy_project", chosen, kind)
    compile(text, "snippet.py", "exec")


def test_a_snippet_is_formatted() -> None:
    chosen = Settings(
        args={"names": ["a" * 30, "b" * 30, 'c"d'], "plain": 1, "deep": {"x": [1, 2, {"y": None}]}},
        cluster_enabled=True,
        rapids=True,
        pool=True,
        scheduler="192.168.1.10",
        workers={"192.168.1.21": 1, "192.168.1.22": 1},
    )
    for kind in SnippetKind:
        text = render("toy_project", chosen, kind)
        formatted = subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--isolated", "-"],
            input=text,
            text=True,
            capture_output=True,
            check=True,
        )
        assert formatted.stdout == text


def test_the_mode_is_explained() -> None:
    chosen = Settings(cluster_enabled=True, rapids=True, pool=True)
    assert "mode=13,  # 13 = cluster + rapids + pool" in render("t", chosen, SnippetKind.RUN)
