"""``user@host:port`` in all its spellings."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_cluster.model.login_name import LoginName
from agi_env.errors import RequestInvalidError

users = st.one_of(
    st.just(""), st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,8}\$?", fullmatch=True)
)
hosts = st.one_of(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.-]{0,20}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


@given(st.builds(LoginName, user=users, host=hosts, port=st.integers(0, 65535)))
def test_what_is_written_is_read_again(login: LoginName) -> None:
    assert LoginName.parse(str(login)) == login


@given(st.ip_addresses(v=6), st.integers(1, 65535))
def test_every_spelling_of_an_ipv6_address_is_the_same(address: IPv6Address, port: int) -> None:
    short = LoginName(host=str(address))
    assert LoginName.parse(address.exploded.upper()) == short
    assert LoginName.parse(f"[{address.exploded}]") == short
    assert LoginName.parse(f"[{address}]:{port}") == LoginName(host=str(address), port=port)


@given(st.text(max_size=30))
def test_anything_is_read_or_refused(text: str) -> None:
    try:
        login = LoginName.parse(text)
    except RequestInvalidError:
        return
    assert LoginName.parse(str(login)) == login
    assert not login.host.startswith("-") and not login.user.startswith("-")


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("node1", "", "node1", 0),
        ("ann@node1:2222", "ann", "node1", 2222),
        ("10.0.0.7:22", "", "10.0.0.7", 22),
        ("::1", "", "::1", 0),
        ("[::1]:2222", "", "::1", 2222),
        ("ann@[fe80::1%eth0]:22", "ann", "fe80::1%eth0", 22),
        ("ann@fd00:213::11", "ann", "fd00:213::11", 0),
    ],
)
def test_forms(text: str, user: str, host: str, port: int) -> None:
    assert LoginName.parse(text) == LoginName(user=user, host=host, port=port)


@pytest.mark.parametrize(
    "text",
    [
        *("", "@node1", "ann@", "ann@@node1", "-oProxyCommand=x", "a b", "node1:", "node1:0"),
        *("node1:65536", "node1:x", "[::1", "[node1]:22", "::1::2", "1:2:3", "[::1]22"),
        *("node1:22:23", "ann@-x", "-l@node1", "a\nb", "node1:٢٢", "x" * 254, "[]", "[]:22"),
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(RequestInvalidError) as refused:
        LoginName.parse(text)
    assert "[USER@]HOST[:PORT]" in refused.value.remedy
