"""JSON as hosts write and read it is the JSON of everybody else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_daemon.install.on_host.json_text import dumps, loads

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_it_is_written_and_read_as_by_the_package(value: object) -> None:
    assert dumps(value) == json.dumps(value)
    assert loads(f"\n{json.dumps(value, indent=1)} ") == value


@pytest.mark.parametrize("text", ["", "  ", "{", "[1,]", '{"a" 1}', "1 2", "nul", '"\n"'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


def test_what_json_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="set is not JSON"):
        dumps({"a": {1}})


def test_the_package_is_used_where_the_interpreter_has_nothing_in_c() -> None:
    program = (
        "import sys; sys.modules['_json'] = None\n"
        "from agi_daemon.install.on_host import json_text\n"
        "import json; assert json_text.dumps([1, 'é']) == json.dumps([1, 'é'])\n"
        "assert json_text.loads(' [1]') == [1]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nothing_of_the_package_is_imported() -> None:
    program = (
        "import sys; before = set(sys.modules); name = 'json_text'\n"
        "exec(compile(open(sys.argv[1]).read(), name, 'exec'), {'__name__': name})\n"
        "assert {'json', 're', 'enum'}.isdisjoint(set(sys.modules) - before)"
    )
    source = sys.modules[loads.__module__].__file__
    assert source is not None
    subprocess.run([sys.executable, "-I", "-S", "-c", program, source], check=True)
