"""Which address of this machine is listened at, and which one others are told."""

from __future__ import annotations

import pytest

from agi_env.runtime.own_address import address_toward, is_outside_address, listening_at


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.0.0.1"),
        ("127.0.0.9", "127.0.0.9"),
        ("192.0.2.7", "0.0.0.0"),
        ("2001:db8::7", "::"),
        ("no-such-name.invalid", "0.0.0.0"),
    ],
)
def test_the_told_address_is_listened_at_where_it_is_ours(told: str, address: str) -> None:
    assert listening_at(told) == address or (told, listening_at(told)) == ("localhost", "::1")


def test_the_way_to_loopback_begins_there() -> None:
    assert address_toward("127.0.0.1", 80) == "127.0.0.1"


def test_a_name_that_is_none_has_no_way() -> None:
    with pytest.raises(OSError, match=r"Name or service|resolution"):
        address_toward("no-such-name.invalid", 80)


@pytest.mark.parametrize("text", ["127.0.0.1", "::1", "0.0.0.0", "192.0.2.7", "localhost", ""])
def test_what_is_no_address_of_ours_for_others(text: str) -> None:
    assert not is_outside_address(text)
