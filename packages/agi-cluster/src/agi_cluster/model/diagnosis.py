"""What was looked at on the machines, rung by rung, and what was found wrong."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Rung(Enum):
    """What is looked at, in the order in which one stands on another; the value is its name."""

    RESOLVE = "name"
    REACH = "port"
    HOST_KEY = "host key"
    LOGIN = "login"
    SHELL = "shell"
    PYTHON = "python"
    UV = "uv"
    DISK = "disk"
    CLOCK = "clock"
    COMPILER = "compiler"
    DETACH = "detach"
    SHARE = "share"
    SCHEDULER = "scheduler"
    SETTINGS = "settings"
    BUILD = "build"
    CURRENT = "current"


class StepState(Enum):
    """How it went on one rung."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Severity(Enum):
    """How bad a finding is."""

    ERROR = "ERROR"
    """It keeps work from being done, or from being done right."""
    WARNING = "WARNING"
    """Work is done in spite of it."""


class Family(Enum):
    """What people notice of it; the value says it in words."""

    INSTALL_HANGS = "install hangs or never starts"
    WORKERS_MISSING = "workers do not join"
    OUTPUTS_ASTRAY = "outputs go to the wrong place"
    IMPORTS_FAIL = "remote import errors after a successful install"
    CODE_STALE = "stale code is running"


@frozen(kw_only=True)
class Finding:
    """Something that is wrong on one host."""

    code: str
    """As in the catalogue of errors, where a failed install or run would end with it."""
    severity: Severity
    family: Family
    rung: Rung
    host: str
    what: str
    """What is wrong, with the evidence, without a full stop."""
    remedy: str
    """The command or the change that mends it."""


@frozen(kw_only=True)
class Step:
    """One rung that was climbed on one host, or could not be."""

    host: str
    rung: Rung
    state: StepState
    evidence: str = ""
    """What was seen there; for a rung that was skipped, why."""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()


@frozen(kw_only=True)
class Diagnosis:
    """All that was looked at and found."""

    app: str = ""
    hosts: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was found, by host and rung."""
        return tuple(finding for step in self.steps for finding in step.findings)

    @property
    def healthy(self) -> bool:
        """Nothing was found that keeps work from being done."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)


@frozen(kw_only=True)
class Diagnose:
    """What to look at."""

    app: str = ""
    """Look at what this app needs too, and at its hosts; empty: at machines alone."""
    hosts: tuple[str, ...] = ()
    """Only these; empty: the app's, else all that are enrolled."""
