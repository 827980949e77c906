"""The two classes of an app: found by its target's name, imported from where Python finds them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from agi_env.runtime.causes import FailureKind

_MISSING = ModuleNotFoundError.__name__


class AppClassError(Exception):
    """A class of an app that cannot be used.

    Attributes:
        kind: What is missing; ``import`` when the module could not be imported, and then the
            reason is this error's cause.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def manager_class(target: str) -> type[Any]:
    """The class that names the partitions: ``Flights`` of ``flights.flights``.

    Raises:
        AppClassError: The module cannot be imported or has no such class.
    """
    return _found(f"{target}.{target}", class_name(target))


def worker_class(target: str) -> type[Any]:
    """The class that does the work: ``FlightsWorker`` of ``flights_worker.flights_worker``.

    Raises:
        AppClassError: The module cannot be imported or has no such class.
    """
    return _found(f"{target}_worker.{target}_worker", f"{class_name(target)}Worker")


def class_name(target: str) -> str:
    """The name of the manager class: each part between underscores begins with a capital."""
    return "".join(part[:1].upper() + part[1:] for part in target.split("_"))


def _found(module_name: str, name: str) -> type[Any]:
    try:
        module = import_module(module_name)
    except BaseException as error:  # what an app does when it is imported is its own affair
        what = describe(error)
        message = f"{module_name} cannot be imported: {what}"
        raise AppClassError(FailureKind.IMPORT, message) from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise AppClassError(FailureKind.CLASS_MISSING, f"{module_name} has no class {name}")
    return found


def import_remedy(message: str) -> str:
    """What to do about a module that cannot be imported; empty for what the catalogue advises.

    Args:
        message: That of the `AppClassError`.
    """
    if f": {_MISSING}: " not in message:
        return ""
    return "Mend the import, or declare the missing package in the app's pyproject.toml"


def describe(error: BaseException) -> str:
    """What was raised, in one line: ``ValueError: no such month``."""
    if isinstance(error, SystemExit):
        return f"it called sys.exit({error.code!r})"
    name, text = type(error).__name__, " ".join(str(error).split())
    return f"{name}: {text}" if text else name
