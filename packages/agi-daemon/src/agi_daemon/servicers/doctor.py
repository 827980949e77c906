"""``agi.v1.DoctorService``."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agi_cluster.api.v1 import doctor_pb2 as pb
from agi_cluster.api.v1 import doctor_pb2_grpc
from agi_cluster.model.services import DoctorService
from agi_cluster.wire.diagnosis import diagnose_from_wire, told_to_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers.stream import packed


class DoctorServicer(doctor_pb2_grpc.DoctorServiceServicer):
    """Offers the doctor of a core."""

    def __init__(self, doctor: DoctorService) -> None:
        self._doctor = doctor

    def Diagnose(
        self, request: pb.DiagnoseRequest, context: Context
    ) -> AsyncIterator[pb.DiagnoseResponse]:
        return packed(self._doctor.diagnose(diagnose_from_wire(request)), told_to_wire)
