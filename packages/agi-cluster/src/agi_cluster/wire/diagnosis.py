"""What the doctor looked at and found."""

from __future__ import annotations

from agi_cluster.api.v1 import doctor_pb2 as pb
from agi_cluster.model.diagnosis import (
    Diagnose,
    Diagnosis,
    Family,
    Finding,
    Rung,
    Severity,
    Step,
    StepState,
)
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.state import enum_from_wire, enum_to_wire


def diagnose_to_wire(request: Diagnose) -> pb.DiagnoseRequest:
    """The request as a message."""
    return checked(pb.DiagnoseRequest)(app=request.app, hosts=request.hosts)


def diagnose_from_wire(request: pb.DiagnoseRequest) -> Diagnose:
    """The request in a message."""
    return Diagnose(app=_app(request.app), hosts=tuple(request.hosts))


def told_to_wire(told: Step | Diagnosis) -> pb.DiagnoseResponse:
    """One message of a diagnosis."""
    if isinstance(told, Step):
        return pb.DiagnoseResponse(step=step_to_wire(told))
    return pb.DiagnoseResponse(diagnosis=diagnosis_to_wire(told))


def told_from_wire(response: pb.DiagnoseResponse) -> Step | Diagnosis:
    """The step or the diagnosis in a message."""
    if response.WhichOneof("told") == "step":
        return step_from_wire(response.step)
    return diagnosis_from_wire(response.diagnosis)


def diagnosis_to_wire(diagnosis: Diagnosis) -> pb.Diagnosis:
    """The diagnosis as a message."""
    return pb.Diagnosis(
        app=f"apps/{diagnosis.app}" if diagnosis.app else "",
        hosts=diagnosis.hosts,
        steps=[step_to_wire(step) for step in diagnosis.steps],
        seconds=diagnosis.seconds,
        healthy=diagnosis.healthy,
    )


def diagnosis_from_wire(diagnosis: pb.Diagnosis) -> Diagnosis:
    """The diagnosis in a message."""
    return Diagnosis(
        app=_app(diagnosis.app),
        hosts=tuple(diagnosis.hosts),
        steps=tuple(step_from_wire(step) for step in diagnosis.steps),
        seconds=diagnosis.seconds,
    )


def step_to_wire(step: Step) -> pb.DiagnosisStep:
    """The step as a message."""
    return pb.DiagnosisStep(
        host=step.host,
        rung=enum_to_wire(pb.Rung, step.rung),
        state=enum_to_wire(pb.DiagnosisStep.State, step.state),
        evidence=step.evidence,
        seconds=step.seconds,
        findings=[_finding_to_wire(finding) for finding in step.findings],
    )


def step_from_wire(step: pb.DiagnosisStep) -> Step:
    """The step in a message."""
    return Step(
        host=step.host,
        rung=enum_from_wire(Rung, pb.Rung, step.rung),
        state=enum_from_wire(StepState, pb.DiagnosisStep.State, step.state),
        evidence=step.evidence,
        seconds=step.seconds,
        findings=tuple(_finding_from_wire(finding) for finding in step.findings),
    )


def _app(name: str) -> str:
    return app_reference(name) if name else ""


def _finding_to_wire(finding: Finding) -> pb.Finding:
    return pb.Finding(
        code=finding.code,
        severity=enum_to_wire(pb.Finding.Severity, finding.severity),
        family=enum_to_wire(pb.Finding.Family, finding.family),
        rung=enum_to_wire(pb.Rung, finding.rung),
        host=finding.host,
        what=finding.what,
        remedy=finding.remedy,
    )


def _finding_from_wire(finding: pb.Finding) -> Finding:
    return Finding(
        code=finding.code,
        severity=enum_from_wire(Severity, pb.Finding.Severity, finding.severity),
        family=enum_from_wire(Family, pb.Finding.Family, finding.family),
        rung=enum_from_wire(Rung, pb.Rung, finding.rung),
        host=finding.host,
        what=finding.what,
        remedy=finding.remedy,
    )
