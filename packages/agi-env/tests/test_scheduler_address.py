from __future__ import annotations

import pytest

from agi_env.scheduler_address import SchedulerAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.168.1.10", "192.168.1.10", None),
        ("192.168.1.10:8786", "192.168.1.10", 8786),
        ("node_1.example.org:1", "node_1.example.org", 1),
        ("fe80::1%eth0", "fe80::1%eth0", None),
        ("[::1]:65535", "::1", 65535),
        ("[::1]", "::1", None),
    ],
)
def test_an_address_has_a_host_and_perhaps_a_port(text: str, host: str, port: int | None) -> None:
    assert SchedulerAddress.parse(text) == SchedulerAddress(host, port)


@pytest.mark.parametrize(
    "text", ["", "h:", "h:0", "h:65536", "h:x", "h:²", "-oProxyCommand=x", "a b", "u@h", "[::1]x"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        SchedulerAddress.parse(text)
