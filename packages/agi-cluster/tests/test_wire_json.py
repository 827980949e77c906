"""JSON values on the wire come back equal, whole numbers as integers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_cluster.wire.json_value import (
    EXACT,
    exact_to_wire,
    struct_from_wire,
    struct_to_wire,
    value_from_wire,
    value_to_wire,
)
from agi_env.errors import RequestInvalidError

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT + 1, EXACT - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)


def test_keys_come_in_an_order_that_is_always_the_same() -> None:
    names = [f"key {number}" for number in range(40)]
    sent = struct_to_wire({name: {"b": 1, "a": 2} for name in reversed(names)})
    came = struct_from_wire(sent)
    assert list(came) == sorted(names)
    assert list(came["key 0"]) == ["a", "b"]


json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
json_objects = st.dictionaries(st.text(max_size=5), json_values, max_size=4)


@given(json_values)
def test_a_value_survives_the_trip(value):
    assert value_from_wire(value_to_wire(value)) == value


@given(json_objects)
def test_an_object_survives_the_trip(value):
    assert struct_from_wire(struct_to_wire(value)) == value


@given(st.integers(-EXACT + 1, EXACT - 1))
def test_an_integer_comes_back_as_one(number):
    assert type(value_from_wire(value_to_wire(number))) is int


def test_true_is_no_number():
    assert value_from_wire(value_to_wire([True, 1, 0, False])) == [True, 1, 0, False]
    assert type(value_from_wire(value_to_wire(True))) is bool


def test_an_integer_beyond_a_double_is_rounded_in_results_and_refused_in_requests():
    assert value_from_wire(value_to_wire(2**60 + 1)) == float(2**60)
    with pytest.raises(RequestInvalidError, match=r"args\.seeds\[1\]"):
        exact_to_wire({"seeds": [1, 2**53]}, where="args")


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 10**400, {1, 2}, b"x", {"a": [object()]}, {1: 2}, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_json_is_refused_by_name(value):
    with pytest.raises(RequestInvalidError, match=r"args\.x"):
        exact_to_wire({"x": value}, where="args")
