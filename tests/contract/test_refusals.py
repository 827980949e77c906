"""Every refusal carries exactly one error of the catalogue."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from agi_env.errors import DOMAIN, catalogue


def check(refusal: Any, code: str) -> None:
    """One ErrorInfo with this code, and with it the status that the catalogue gives it."""
    (info,) = refusal.infos
    assert (info.reason, info.domain) == (code, DOMAIN)
    assert refusal.status == catalogue()[code].status
    assert {"what", "where", "remedy"} <= info.metadata.keys()
    assert info.metadata["what"] in refusal.message
    assert refusal.message.splitlines() == [refusal.message]
    assert bool(refusal.retries) == (refusal.status == "UNAVAILABLE")


def test_a_refusal_carries_one_error_of_the_catalogue(
    world: Any, wire: Any, a_refused: Any
) -> None:
    request = world.filled(a_refused.request)
    check(wire.refusal(a_refused.method.name, request), a_refused.code)


@pytest.mark.parametrize("path", ["/agi.v1.RunService/FlyRun", "/agi.v9.Any/Thing", "/x"])
def test_a_method_that_is_none_is_refused_alike(wire: Any, refusal_of: Any, path: str) -> None:
    for form in ("unary_unary", "unary_stream"):
        answer = getattr(wire.channel, form)(path)
        check(refusal_of(lambda answer=answer: list(answer(b"", timeout=10))), "METHOD_UNKNOWN")


def test_bytes_that_are_no_request_are_refused_alike(wire: Any, refusal_of: Any) -> None:
    for name, rpc in wire.methods().items():
        form = "unary_stream" if rpc.server_streaming else "unary_unary"
        path = f"/{rpc.containing_service.full_name}/{rpc.name}"
        if rpc.input_type.fields:
            answer = getattr(wire.channel, form)(path)
            refusal = refusal_of(lambda answer=answer: list(answer(b"\x0a\xff", timeout=10)))
            check(refusal, "REQUEST_INVALID")
            assert refusal.infos[0].metadata["where"] == path, name


@pytest.fixture
def refusal_of(wire: Any) -> Any:
    """How something that is asked is refused."""

    def ask(what: Any) -> Any:
        with pytest.raises(grpc.RpcError) as failed:
            what()
        return wire.refused(failed.value)

    return ask
