"""Every finding of the doctor: what people notice of it, which rung finds it, how bad it is.

A code that a failed install or run ends with too is that of `agi_env.errors`, and so are its words.
``docs/troubleshooting.md`` has a section for each, and a test holds the two against each other.
"""

from __future__ import annotations

from attrs import frozen

from agi_cluster.model.diagnosis import Family, Finding, Rung, Severity
from agi_env.errors import AgiError

_INSTALL, _JOIN = Family.INSTALL_HANGS, Family.WORKERS_MISSING
_OUTPUT, _IMPORT, _STALE = Family.OUTPUTS_ASTRAY, Family.IMPORTS_FAIL, Family.CODE_STALE
_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


@frozen
class Entry:
    """One kind of finding.

    Attributes:
        code: Its code.
        family: What people notice of it.
        rung: The rung that finds it.
        severity: How bad it is.
        remedy: What mends it, with ``HOST`` and ``APP`` to be filled in; empty where the error of
            the same code says it.
    """

    code: str
    family: Family
    rung: Rung
    severity: Severity = _ERROR
    remedy: str = ""


ENTRIES = (
    Entry("HOST_NOT_FOUND", _INSTALL, Rung.RESOLVE),
    Entry("HOST_UNRESOLVED", _INSTALL, Rung.RESOLVE),
    Entry("HOST_UNREACHABLE", _INSTALL, Rung.REACH),
    Entry("HOST_KEY_UNTRUSTED", _INSTALL, Rung.HOST_KEY),
    Entry("HOST_KEY_CHANGED", _INSTALL, Rung.HOST_KEY),
    Entry("HOST_LOGIN_REFUSED", _INSTALL, Rung.LOGIN),
    Entry("HOST_CONNECTION_LOST", _INSTALL, Rung.LOGIN),
    Entry("HOST_COMMAND_TIMEOUT", _INSTALL, Rung.LOGIN),
    Entry("HOST_FAILED", _INSTALL, Rung.LOGIN),
    Entry("LOGIN_SHELL_HANGS", _INSTALL, Rung.SHELL),
    Entry(
        "SHELL_NOISY",
        _INSTALL,
        Rung.SHELL,
        _WARNING,
        "Have the start-up files there print only for terminals: `case $- in *i*) ;; *) return;;"
        " esac` at the top of ~/.bashrc",
    ),
    Entry("PYTHON_MISSING", _INSTALL, Rung.PYTHON),
    Entry("PYTHON_MISMATCH", _INSTALL, Rung.PYTHON),
    Entry("UV_MISSING", _INSTALL, Rung.UV),
    Entry("DISK_FULL", _INSTALL, Rung.DISK),
    Entry("STATE_UNWRITABLE", _INSTALL, Rung.DISK),
    Entry(
        "DISK_LOW",
        _INSTALL,
        Rung.DISK,
        _WARNING,
        "Make room on HOST: what is below the state directory's `host/uv-cache` may be removed",
    ),
    Entry(
        "CLOCK_SKEW",
        _JOIN,
        Rung.CLOCK,
        _WARNING,
        "Set the clock of HOST: `ssh HOST sudo timedatectl set-ntp true`",
    ),
    Entry(
        "COMPILER_MISSING",
        _INSTALL,
        Rung.COMPILER,
        _WARNING,
        "Install a C compiler (`cc`), or switch off cluster.cython with `agi settings set`",
    ),
    Entry(
        "DETACHED_KILLED",
        _JOIN,
        Rung.DETACH,
        remedy="`ssh HOST sudo loginctl enable-linger`, or KillUserProcesses=no in"
        " /etc/systemd/logind.conf there",
    ),
    Entry("SHARE_MISSING", _OUTPUT, Rung.SHARE),
    Entry("SHARE_READ_ONLY", _OUTPUT, Rung.SHARE),
    Entry("SHARE_LOCAL", _OUTPUT, Rung.SHARE),
    Entry("SHARE_DIFFERENT", _OUTPUT, Rung.SHARE),
    Entry("SHARE_STALE", _OUTPUT, Rung.SHARE),
    Entry("SCHEDULER_UNREACHABLE", _JOIN, Rung.SCHEDULER),
    Entry("SETTINGS_INVALID", _OUTPUT, Rung.SETTINGS),
    Entry("SETTINGS_SYNTAX", _OUTPUT, Rung.SETTINGS),
    Entry("SLOTS_INVALID", _JOIN, Rung.SETTINGS),
    Entry("SELECTION_INVALID", _JOIN, Rung.SETTINGS),
    Entry("MODE_NOT_RUNNABLE", _OUTPUT, Rung.SETTINGS),
    Entry("APP_INVALID", _IMPORT, Rung.SETTINGS),
    Entry("NOT_INSTALLED", _IMPORT, Rung.BUILD, _WARNING),
    Entry("BUILD_BROKEN", _IMPORT, Rung.BUILD, remedy="`agi install APP` makes it anew"),
    Entry("BUILD_FAILED", _IMPORT, Rung.BUILD),
    Entry("APP_IMPORT_FAILED", _IMPORT, Rung.BUILD),
    Entry(
        "STALE_CODE",
        _STALE,
        Rung.CURRENT,
        remedy="Let it end, or `agi runs cancel RUN`; then `agi run APP` runs the current sources",
    ),
    Entry(
        "SNIPPET_STALE",
        _STALE,
        Rung.CURRENT,
        _WARNING,
        "`agi snippet run APP` renders it from the current settings; import it anew",
    ),
)

CATALOGUE = {entry.code: entry for entry in ENTRIES}
"""Every kind of finding by its code."""


def finding(code: str, host: str, what: str, **words: str) -> Finding:
    """A finding of a kind.

    Args:
        code: Its code, which is in the catalogue.
        host: Where.
        what: What is wrong, with the evidence.
        words: What the words in capitals of the remedy stand for, such as ``app``.
    """
    entry = CATALOGUE[code]
    remedy = entry.remedy
    for word, value in {"host": host, **words}.items():
        remedy = remedy.replace(word.upper(), value)
    return Finding(
        code=code,
        severity=entry.severity,
        family=entry.family,
        rung=entry.rung,
        host=host,
        what=what,
        remedy=remedy,
    )


def finding_of(error: AgiError, host: str, rung: Rung) -> Finding:
    """An error of the catalogue as a finding; one that nobody foresaw belongs to its rung."""
    entry = CATALOGUE.get(error.code) or Entry(error.code, _INSTALL, rung)
    where = error.where if error.where not in ("", host) else ""
    return Finding(
        code=error.code,
        severity=entry.severity,
        family=entry.family,
        rung=rung,
        host=host,
        what=f"{where}: {error.what}" if where else error.what,
        remedy=error.remedy,
    )


def rung_of(error: AgiError, otherwise: Rung = Rung.LOGIN) -> Rung:
    """The rung on which an error of reaching a host lies."""
    entry = CATALOGUE.get(error.code)
    return entry.rung if entry else otherwise
