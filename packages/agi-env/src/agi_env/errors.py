"""Every error that a person may meet, in one catalogue.

Each class is one entry: its code, the gRPC status it travels under, the exit code of the CLI and
what to do about it. The daemon sends the code and the metadata in one ``google.rpc.ErrorInfo``;
the client looks the code up here and raises the same class again.

::

    AgiError
    ├── InvalidInputError          exit 4   what was given is wrong; nothing was changed
    ├── NotFoundError              exit 3   what was named does not exist
    ├── RefusedError               exit 5   the state of things does not allow it now
    ├── ConflictError              exit 6   someone else was first
    ├── DaemonError                exit 7   the daemon cannot be reached or cannot start
    ├── OutOfTimeError             exit 8   a deadline passed
    ├── NoRoomError                exit 9   disk, memory or a quota is exhausted
    ├── AppError                   exit 11  the app's own code or files are at fault
    ├── CancelledRunError          exit 12  somebody asked for it to stop
    ├── HostError                  exit 13  a host cannot be reached or used as it is
    └── InternalError              exit 10  a defect of ours; the log has the trace
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from agi_env.foreign_text import printable

DOMAIN = "agi.v1"
"""The ``domain`` of every ``google.rpc.ErrorInfo`` that the daemon sends."""

_COMMAND = re.compile(r"`[^`]*`")
_PLACEHOLDER = re.compile(r"\b(APP|HOST|RUN)\b")


class AgiError(Exception):
    """An error that a person can act on: one line that says what, where and what to do.

    The line is printable, also where it quotes a host: see `agi_env.foreign_text`. The metadata
    stays as it is.

    Args:
        what: What is wrong, without a full stop.
        where: The file and line, host, app or resource that it is about.
        remedy: What to do next, when the catalogue's own advice can be made more exact.
        metadata: Facts for programs, such as ``host`` or ``key``; they travel with the error. The
            ``app``, ``host`` and ``run`` among them take the places of ``APP``, ``HOST`` and
            ``RUN`` in the commands of the remedy.
    """

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[str] = "INTERNAL"
    exit_code: ClassVar[int] = 10
    advice: ClassVar[str] = "Look into the log that `agi daemon status` names"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.what = _line(what)
        self.where = printable(where)
        self.metadata = dict(metadata or {})
        self.remedy = _line(_filled(remedy or self.advice, self.metadata)).rstrip(".")
        super().__init__(str(self))

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what.rstrip('.')}. {self.remedy}."

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.code, self.to_metadata())

    def to_metadata(self) -> dict[str, str]:
        """Everything needed to raise this error again elsewhere, as flat text."""
        return {**self.metadata, "what": self.what, "where": self.where, "remedy": self.remedy}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Build the error from what ``to_metadata`` gave."""
        error = cls.__new__(cls)
        facts = dict(metadata)
        what, where = facts.pop("what", cls.code), facts.pop("where", "")
        remedy = facts.pop("remedy", "")
        AgiError.__init__(error, what, where=where, remedy=remedy, metadata=facts)
        return error


def _filled(remedy: str, facts: Mapping[str, str]) -> str:
    def named(command: re.Match[str]) -> str:
        return _PLACEHOLDER.sub(lambda p: facts.get(p[0].lower()) or p[0], command[0])

    return _COMMAND.sub(named, remedy)


class InvalidInputError(AgiError):
    """What was given is wrong; nothing was changed."""

    code, status, exit_code = "INVALID_INPUT", "INVALID_ARGUMENT", 4
    advice = "Correct the value and try again"


class InvalidModeError(InvalidInputError):
    """A mode with a bit that means nothing."""

    code = "MODE_INVALID"
    advice = "Give a sum of pool 1, cython 2, cluster 4 and rapids 8, so 0 to 15"

    def __init__(self, value: object) -> None:
        super().__init__(f"mode {value!r} is not a mode", metadata={"mode": repr(value)})


class SettingsInvalidError(InvalidInputError):
    """A key of ``app_settings.toml`` has a value that cannot be used."""

    code = "SETTINGS_INVALID"
    advice = "Correct this key, with `agi settings set` or in the file"


class SettingsSyntaxError(InvalidInputError):
    """``app_settings.toml`` is not TOML."""

    code = "SETTINGS_SYNTAX"
    advice = "Mend the file at this line, or `agi settings reset` makes it anew from the app's own"


class SlotsInvalidError(InvalidInputError):
    """A worker map with a slot count that is no positive whole number."""

    code = "SLOTS_INVALID"
    advice = "Give every host a whole number of slots, 1 or more"


class SelectionInvalidError(InvalidInputError):
    """The chosen hosts do not fit the mode."""

    code = "SELECTION_INVALID"
    advice = "Without the cluster bit use this machine only: {'127.0.0.1': SLOTS}"


class RequestInvalidError(InvalidInputError):
    """A field of a request is missing or malformed."""

    code = "REQUEST_INVALID"


class PlanInvalidError(InvalidInputError):
    """A plan that cannot be executed as it is."""

    code = "PLAN_INVALID"
    advice = "Make a new plan with `agi distribute APP`"


class PipelineSyntaxError(InvalidInputError):
    """A ``lab_steps.toml`` is not TOML."""

    code = "PIPELINE_SYNTAX"
    advice = "Mend the file at this line; it was left as it is"


class PipelineInvalidError(InvalidInputError):
    """A step in a ``lab_steps.toml`` has a value that cannot be used."""

    code = "PIPELINE_INVALID"
    advice = "Correct it in the file at this line; the file was left as it is"


class NotFoundError(AgiError):
    """What was named does not exist."""

    code, status, exit_code = "NOT_FOUND", "NOT_FOUND", 3
    advice = "List what there is"


class AppNotFoundError(NotFoundError):
    """No such app is registered, and no such folder is there."""

    code = "APP_NOT_FOUND"
    advice = "`agi apps list` shows the known apps; `agi apps register PATH` adds one"


class RunNotFoundError(NotFoundError):
    """No run has this name."""

    code = "RUN_NOT_FOUND"
    advice = "`agi runs list` shows the runs"


class PlanNotFoundError(NotFoundError):
    """No plan, or no revision of it, has this name."""

    code = "PLAN_NOT_FOUND"
    advice = "`agi plans list` shows the plans"


class InstallationNotFoundError(NotFoundError):
    """No installation has this name."""

    code = "INSTALLATION_NOT_FOUND"
    advice = "`agi install APP` makes one"


class ReleaseNotFoundError(NotFoundError):
    """No release of the app with this digest is kept."""

    code = "RELEASE_NOT_FOUND"
    advice = "See `agi releases list APP` for those that are"


class BenchmarkNotFoundError(NotFoundError):
    """No benchmark has this name."""

    code = "BENCHMARK_NOT_FOUND"
    advice = "`agi benchmarks list` shows the benchmarks"


class HostNotFoundError(NotFoundError):
    """A host that was never enrolled."""

    code = "HOST_NOT_FOUND"
    advice = "`agi hosts list` shows the known hosts; this machine is 127.0.0.1"


class PipelineNotFoundError(NotFoundError):
    """There is no such file of steps, or no such module in it."""

    code = "PIPELINE_NOT_FOUND"
    advice = "`agi pipeline add SCRIPT` begins one"


class StepNotFoundError(NotFoundError):
    """A pipeline has no such step."""

    code = "STEP_NOT_FOUND"
    advice = "`agi pipeline show` shows the steps"


class PipelineRunNotFoundError(NotFoundError):
    """No execution of a pipeline has this name."""

    code = "PIPELINE_RUN_NOT_FOUND"
    advice = "`agi pipeline history` shows the executions"


class RefusedError(AgiError):
    """The state of things does not allow it now."""

    code, status, exit_code = "REFUSED", "FAILED_PRECONDITION", 5
    advice = "Change the named state and try again"


class NotInstalledError(RefusedError):
    """The current sources were not installed and ``--no-install`` was given."""

    code = "NOT_INSTALLED"
    advice = "`agi install APP` installs what changed"


class ModeNotEnabledError(RefusedError):
    """The mode is valid and cannot be run here."""

    code = "MODE_NOT_RUNNABLE"
    advice = "Choose another mode, or change the cluster settings with `agi settings set`"


class PlanStaleError(RefusedError):
    """The plan was made for another selection, settings or inputs."""

    code = "PLAN_STALE"
    advice = "Make a new plan with `agi distribute APP`"


class RetryRefusedError(RefusedError):
    """A run whose rest cannot be done by another run."""

    code = "RETRY_REFUSED"
    advice = "Start it anew with `agi run APP`"


class HostDrainedError(RefusedError):
    """Nothing new is placed on a host that is being drained."""

    code = "HOST_DRAINED"
    advice = "`agi hosts resume HOST` ends that"


class HostInUseError(RefusedError):
    """A host cannot be forgotten while something uses it."""

    code = "HOST_IN_USE"
    advice = "Wait for its end, or cancel it with `agi runs cancel RUN`"


class PythonMismatchError(RefusedError):
    """A host's Python is not one that the app accepts."""

    code = "PYTHON_MISMATCH"
    advice = "Install a Python that satisfies the app's requires-python on that host"


class CompilerMissingError(RefusedError):
    """A host has no C compiler, or not the headers of its Python."""

    code = "COMPILER_MISSING"
    advice = "Install a C compiler and the headers of Python on that host, or run without bit 2"


class NotCompiledError(RefusedError):
    """A mode with the cython bit, and a build whose worker is no extension module."""

    code = "NOT_COMPILED"
    advice = "`agi install APP --modes 2` makes the build anew"


class DeviceFailedError(RefusedError):
    """A GPU is there and cannot be used."""

    code = "DEVICE_FAILED"
    advice = (
        "`agi modes APP` shows what each host can do; look into its driver, or run without bit 8"
    )


class ShareError(RefusedError):
    """The cluster share is not the same writable folder on every machine."""

    code = "SHARE_UNUSABLE"
    advice = "`agi doctor` says which machine sees what"


class ShareMissingError(ShareError):
    """A machine has no folder at the place of the cluster share."""

    code = "SHARE_MISSING"
    advice = "Mount the share at SHARE on HOST: it has the same place on every machine"


class ShareReadOnlyError(ShareError):
    """A machine sees the cluster share and may not write there."""

    code = "SHARE_READ_ONLY"
    advice = "Mount it writable on HOST: `ssh HOST touch SHARE/.try` has to work"


class ShareLocalError(ShareError):
    """What a machine has in the place of the cluster share is a folder of its own disk."""

    code = "SHARE_LOCAL"
    advice = "Mount the share at SHARE on HOST: `ssh HOST findmnt -T SHARE` shows what is there"


class ShareDifferentError(ShareError):
    """A machine has another folder mounted in the place of the cluster share."""

    code = "SHARE_DIFFERENT"
    advice = "Mount the manager's share at SHARE on HOST: `findmnt -T SHARE` shows it on both"


class ShareStaleError(ShareError):
    """A machine's mount of the cluster share does not answer."""

    code = "SHARE_STALE"
    advice = "Mount it anew on HOST: `ssh HOST umount -l SHARE`, then mount it as before"


class StepStaleError(RefusedError):
    """What a step was rendered from has changed since."""

    code = "STEP_STALE"
    advice = "`agi pipeline refresh` renders it anew; --allow-stale runs it as it is"


class SnippetStaleError(RefusedError):
    """What a snippet was rendered from has changed since."""

    code = "SNIPPET_STALE"
    advice = "Render it again with `agi snippet`"


class SnippetApiError(RefusedError):
    """A snippet is written against another version of the API."""

    code = "SNIPPET_API_UNKNOWN"
    advice = "Render it again with `agi snippet`, or use a daemon of its version"


class ConflictError(AgiError):
    """Someone else was first."""

    code, status, exit_code = "CONFLICT", "ABORTED", 6
    advice = "Read the current state and decide again"


class EtagMismatchError(ConflictError):
    """What was to be edited has changed since it was read."""

    code = "ETAG_MISMATCH"
    advice = "Read it again and repeat the edit"


class RequestIdReusedError(ConflictError):
    """The request id was used before with other content."""

    code, status = "REQUEST_ID_REUSED", "ALREADY_EXISTS"
    advice = "Use a new UUID for a new request"


class AlreadyExistsError(ConflictError):
    """Something of this name is there already."""

    code, status = "ALREADY_EXISTS", "ALREADY_EXISTS"
    advice = "Choose another name"


class CursorExpiredError(ConflictError):
    """The events after this sequence number are no longer kept."""

    code, status = "CURSOR_EXPIRED", "OUT_OF_RANGE"
    advice = "Watch again from the beginning: the snapshot holds what the events said"


class DaemonError(AgiError):
    """The daemon cannot be reached or cannot start."""

    code, status, exit_code = "DAEMON_UNAVAILABLE", "UNAVAILABLE", 7
    advice = "`agi daemon start` starts it; `agi daemon status` says more"


class DaemonStartError(DaemonError):
    """The daemon ended before it served."""

    code = "DAEMON_START_FAILED"


class DaemonAlreadyRunningError(DaemonError):
    """Another daemon holds the state directory."""

    code, status = "DAEMON_ALREADY_RUNNING", "ALREADY_EXISTS"
    advice = "Use that one, or stop it with `agi daemon stop`"


class StateUnwritableError(DaemonError):
    """The state directory cannot be written."""

    code, status = "STATE_UNWRITABLE", "FAILED_PRECONDITION"
    advice = "Make it writable for this user, or set AGI_STATE_DIR to a directory that is"


class StateUnreadableError(DaemonError):
    """The store was written by a newer version or is damaged."""

    code, status = "STATE_UNREADABLE", "FAILED_PRECONDITION"
    advice = (
        "`agi daemon restore` goes back to the last backup and takes in the runs since, `agi daemon"
        " rebuild` makes a new store of the runs' own directories; the file was left untouched"
    )


class SocketPathTooLongError(DaemonError):
    """The path of the unix socket exceeds what the system takes."""

    code, status = "SOCKET_PATH_TOO_LONG", "INVALID_ARGUMENT"
    advice = "Set AGI_STATE_DIR to a shorter path: a socket path may have 107 characters"


class AddressInvalidError(DaemonError):
    """``AGI_ADDRESS`` is not an address."""

    code, status = "ADDRESS_INVALID", "INVALID_ARGUMENT"
    advice = "Give unix:/path/to/daemon.sock or ssh://user@manager"


class TunnelError(DaemonError):
    """``ssh`` does not lead to the daemon's socket."""

    code = "TUNNEL_FAILED"
    advice = "See that `ssh` to that machine works without a question"


class MethodUnknownError(DaemonError):
    """The daemon has no such method, as an older one has not."""

    code, status = "METHOD_UNKNOWN", "UNIMPLEMENTED"
    advice = "Restart it with `agi daemon stop`: it may be of an older version"


class OutOfTimeError(AgiError):
    """A deadline passed."""

    code, status, exit_code = "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", 8
    advice = "Try again, with a longer deadline if the work is that long"


class HostCommandTimeoutError(OutOfTimeError):
    """A command on a host did not end in time and was killed."""

    code = "HOST_COMMAND_TIMEOUT"
    advice = "Look at the load of that host"


class NoRoomError(AgiError):
    """Disk, memory or a quota is exhausted."""

    code, status, exit_code = "NO_ROOM", "RESOURCE_EXHAUSTED", 9
    advice = "Make room and try again; what was stored is unharmed"


class DiskFullError(NoRoomError):
    """No space is left on a device."""

    code = "DISK_FULL"


class OutputTooLargeError(NoRoomError):
    """A child process wrote more than its bound."""

    code = "OUTPUT_TOO_LARGE"
    advice = "Write large output to files and return a small value"


class AppError(AgiError):
    """The app's own code or files are at fault."""

    code, status, exit_code = "APP_FAILED", "FAILED_PRECONDITION", 11
    advice = "Mend the app; `agi runs logs RUN` shows what it printed"


class AppInvalidError(AppError):
    """A folder that is not an app: a file or class is missing."""

    code = "APP_INVALID"
    advice = "`agi apps new NAME` shows the layout of an app"


class AppImportError(AppError):
    """The app's module could not be imported."""

    code = "APP_IMPORT_FAILED"
    advice = "Mend what the module does when it is imported"


class WorkMissingError(AppError):
    """The worker class has no ``work``."""

    code = "APP_WORK_MISSING"
    advice = "Define work(self, partition, out) in the worker class"


class PartitionsFailedError(AppError):
    """The app's manager side did not name its partitions."""

    code = "APP_PARTITIONS_FAILED"
    advice = "Mend partitions() in the app's manager class"


class PartitionFailedError(AppError):
    """A partition raised, ended its process, or returned what is not JSON."""

    code = "PARTITION_FAILED"
    advice = "`agi runs logs RUN` shows its output"


class ResultNotJsonError(PartitionFailedError):
    """``work`` or ``reduce`` returned a value that JSON cannot carry."""

    code = "RESULT_NOT_JSON"
    advice = "Return numbers, text, lists and dictionaries"


class PartitionTimeoutError(PartitionFailedError):
    """A partition ran longer than it may."""

    code = "PARTITION_TIMEOUT"
    advice = "Make partitions smaller, or raise partition_timeout in [cluster]"


class ExecutorDiedError(PartitionFailedError):
    """An executor ended by a signal or by exiting, more often than is retried."""

    code = "EXECUTOR_DIED"


class ReduceFailedError(AppError):
    """``reduce`` raised."""

    code = "REDUCE_FAILED"
    advice = "Mend reduce(results) in the worker class; the partitions' results are kept"


class LockFailedError(AppError):
    """The app's dependencies cannot be resolved."""

    code = "LOCK_FAILED"
    advice = "Correct the dependencies in the named pyproject.toml"


class WheelsFailedError(AppError):
    """A locked dependency could not be fetched or built."""

    code = "WHEELS_FAILED"
    advice = "See that the package index can be reached, then install again"


class CompileFailedError(AppError):
    """The worker package does not compile."""

    code = "COMPILE_FAILED"
    advice = "Mend this line, or run in a mode without bit 2"


class BuildFailedError(AppError):
    """A build could not be made or does not import on a host."""

    code = "BUILD_FAILED"
    advice = "`agi install APP` tries again; the build that was there is untouched"


class RunFailedError(AppError):
    """A run ended FAILED for a reason of its own."""

    code = "RUN_FAILED"
    advice = "`agi runs show RUN` says which partitions failed and why"


class RunTimeoutError(AppError):
    """A run passed its deadline."""

    code = "RUN_TIMEOUT"
    advice = "Raise run_timeout in [cluster]"


class RunnerLostError(AppError):
    """The runner ended again and again before the run was settled."""

    code = "RUNNER_LOST"
    advice = "`agi runs logs RUN` shows what it said last"


class WorkersLostError(AppError):
    """The workers of all slots ended again and again before the run was settled."""

    code = "WORKERS_LOST"
    advice = "`agi runs logs RUN` shows what they said last"


class StepFailedError(AppError):
    """The process of a step did not exit with 0."""

    code = "STEP_FAILED"
    advice = "`agi pipeline logs` shows what it printed; `agi pipeline resume` goes on from it"


class StepTimeoutError(StepFailedError):
    """A step ran longer than it may."""

    code = "STEP_TIMEOUT"
    advice = "Raise automation.timeout of the step"


class StepInterruptedError(StepFailedError):
    """The process of a step was lost in a crash, and what it did is not known."""

    code = "STEP_INTERRUPTED"
    advice = "See what it has done; `agi pipeline resume` executes it again"


class CancelledRunError(AgiError):
    """Somebody asked for it to stop."""

    code, status, exit_code = "RUN_CANCELLED", "CANCELLED", 12
    advice = "`agi runs retry RUN` does what is left"


class HostError(AgiError):
    """A host cannot be reached or used as it is."""

    # Not UNAVAILABLE: that is the daemon's, and callers repeat it at once.
    code, status, exit_code = "HOST_FAILED", "FAILED_PRECONDITION", 13
    advice = "`agi hosts check HOST` says what that host lacks"


class HostUnresolvedError(HostError):
    """A host's name leads to no address."""

    code = "HOST_UNRESOLVED"
    advice = "Correct the name, or give HostName for it in ~/.ssh/config"


class HostUnreachableError(HostError):
    """No SSH server answers at a host's address."""

    code = "HOST_UNREACHABLE"
    advice = "See that the host is up and that nothing between blocks its SSH port"


class HostKeyUntrustedError(HostError):
    """A host whose key nobody has accepted yet."""

    code = "HOST_KEY_UNTRUSTED"
    advice = "Compare the fingerprint, then `agi hosts trust HOST`"


class HostKeyChangedError(HostError):
    """A host shows another key than the one that was accepted; nothing was sent to it."""

    code = "HOST_KEY_CHANGED"
    advice = "Ask whoever runs that host; if its key was replaced, `agi hosts trust HOST` again"


class HostLoginError(HostError):
    """A host refuses the login, or there is no key to try."""

    code = "HOST_LOGIN_REFUSED"
    advice = "`agi hosts authorize HOST` installs a key after one password login"


class LoginShellHangsError(HostError):
    """A host's login shell starts no command in time."""

    code = "LOGIN_SHELL_HANGS"
    advice = "Mend the login's shell start-up files there: they must not wait for anything"


class HostConnectionLostError(HostError):
    """The connection broke in the middle; what was begun there may have happened or not."""

    code = "HOST_CONNECTION_LOST"
    advice = "Nothing is lost: it is tried again when the host answers"


class UvMissingError(HostError):
    """A host has no uv that can be used."""

    code = "UV_MISSING"
    advice = "Install uv there, into ~/.local/bin or the PATH of its login"


class SchedulerUnreachableError(HostError):
    """A worker's host does not reach the port where a run's scheduler listens."""

    code, status = "SCHEDULER_UNREACHABLE", "FAILED_PRECONDITION"
    advice = "Open the ports of AGI_SCHEDULER_PORTS (24700-24799) on the scheduler's host for it"


class PythonMissingError(HostError):
    """A host has no Python that can be used."""

    code = "PYTHON_MISSING"
    advice = "Install Python 3.11 or newer on that host"


class InternalError(AgiError):
    """A defect of ours; the log has the trace."""


def _line(text: str) -> str:
    return " ".join(printable(text).split())


def _walk(root: type[AgiError]) -> Iterator[type[AgiError]]:
    yield root
    for child in root.__subclasses__():
        yield from _walk(child)


def catalogue() -> dict[str, type[AgiError]]:
    """Every error class by its code."""
    return {cls.code: cls for cls in _walk(InternalError)} | {
        cls.code: cls for cls in _walk(AgiError) if cls is not AgiError
    }


def error_from(code: str, metadata: Mapping[str, str]) -> AgiError:
    """Raise-able error for a code and the metadata that came with it.

    An unknown code, as a newer daemon may send, becomes an ``InternalError`` that names it.
    """
    cls = catalogue().get(code)
    if cls is None:
        return InternalError.from_metadata({**metadata, "unknown_code": code})
    return cls.from_metadata(metadata)


def _rebuild(code: str, metadata: Mapping[str, str]) -> AgiError:
    return error_from(code, metadata)
