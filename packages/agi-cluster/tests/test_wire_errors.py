"""Every error of the catalogue arrives as what it was, through a real call."""

from __future__ import annotations

import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from agi_cluster.api.v1 import common_pb2
from agi_cluster.client import AsyncClient, Client, Deadlines
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_env.errors import (
    DOMAIN,
    AgiError,
    DaemonError,
    InternalError,
    OutOfTimeError,
    PartitionFailedError,
    catalogue,
    error_from,
)

FACTS = {"what": "it is wrong", "where": "here: 3", "remedy": "Mend it", "host": "h\u00e9"}
ONCE = Deadlines(answer=0)


@pytest.mark.parametrize("code", sorted(catalogue()))
async def test_every_code_survives_a_call(daemon, code):
    sent = error_from(code, FACTS)
    daemon.runs.failures = [sent, sent]
    with Client(daemon.address, deadlines=ONCE) as client, pytest.raises(AgiError) as first:
        client.get_run("r1")
    async with AsyncClient(daemon.address, deadlines=ONCE) as client:
        with pytest.raises(AgiError) as second:
            await client.get_run("r1")
    for received in (first.value, second.value):
        assert type(received) is type(sent)
        assert str(received) == str(sent)
        assert received.to_metadata() == sent.to_metadata()


def test_a_call_carries_exactly_one_info(daemon):
    daemon.runs.failures = [PartitionFailedError("it raised", metadata={"partition": "p1"})]
    with Client(daemon.address) as client, pytest.raises(AgiError) as caught:
        client.get_run("r1")
    status = rpc_status.from_call(caught.value.__cause__)
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1
    assert status.details[0].Unpack(info)
    assert (info.domain, info.reason) == (DOMAIN, "PARTITION_FAILED")
    assert info.metadata["partition"] == "p1"


@pytest.mark.parametrize("letter", ["x", "\u00fc", "\U0001f600", "\udcff"])
def test_an_endless_error_fits_into_the_trailers(daemon, letter):
    facts = {f"fact{number}": letter * 900 for number in range(50)}
    error = PartitionFailedError(letter * 5000, where=letter * 5000, metadata=facts)
    daemon.runs.failures = [error]
    with Client(daemon.address) as client, pytest.raises(PartitionFailedError) as caught:
        client.get_run("r1")
    assert caught.value.what.endswith("…")
    assert caught.value.remedy == PartitionFailedError.advice


def test_in_resources_nothing_is_shortened():
    error = PartitionFailedError("x" * 9000, metadata={"log_tail": "y" * 9000})
    received = error_from_wire(error_to_wire(error))
    assert received.to_metadata() == error.to_metadata()
    assert error_to_wire(None) is None


def test_a_code_of_a_newer_daemon_becomes_an_internal_error_that_names_it():
    received = error_from_wire(common_pb2.Error(code="NEWER", metadata={"what": "odd"}))
    assert isinstance(received, InternalError)
    assert (received.what, received.metadata["unknown_code"]) == ("odd", "NEWER")


def test_failures_without_info_are_told_by_their_status(daemon):
    with Client(daemon.address, deadlines=Deadlines(answer=0, read=0.2)) as client:
        with pytest.raises(DaemonError, match="older version"):
            client.list_plans()
        daemon.runs.held.clear()
        with pytest.raises(OutOfTimeError):
            client.get_run("r1")
        daemon.stop()
        with pytest.raises(DaemonError, match="cannot be reached"):
            client.get_run("r1")
