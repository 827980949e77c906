"""The calls of ``DoctorService``."""

from __future__ import annotations

from agi_cluster.api.v1.doctor_pb2_grpc import DoctorServiceStub
from agi_cluster.client.call import Stream
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Step
from agi_cluster.wire.diagnosis import diagnose_to_wire, told_from_wire


def diagnose(request: Diagnose) -> Stream[Step | Diagnosis]:
    """Each rung as it is climbed, and at last the whole diagnosis."""
    return Stream(
        stub=DoctorServiceStub,
        rpc="Diagnose",
        request=diagnose_to_wire(request),
        parse=told_from_wire,
        pace=Pace.CHANGE,
    )
