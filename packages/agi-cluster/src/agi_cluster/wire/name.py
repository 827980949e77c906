"""Resource names: ``runs/ID`` on the wire, ``ID`` in domain values; callers may give either."""

from __future__ import annotations

from agi_env.errors import RequestInvalidError


def resource_name(collection: str, name: str) -> str:
    """The full name: ``runs/ID`` for ``ID`` or ``runs/ID``.

    Raises:
        RequestInvalidError: The name is empty or of another collection.
    """
    return f"{collection}/{resource_id(collection, name)}"


def resource_id(collection: str, name: str) -> str:
    """The id: ``ID`` for ``ID`` or ``runs/ID``.

    Raises:
        RequestInvalidError: The name is empty or of another collection.
    """
    bare = name.removeprefix(f"{collection}/")
    if not bare or "/" in bare:
        raise RequestInvalidError(
            f"{name!r} does not name one of {collection}", remedy=f"Give {collection}/ID"
        )
    return bare


def plan_revision(name: str) -> tuple[str, int | None]:
    """Id and revision of ``plans/ID@REVISION``; None is the latest revision.

    Raises:
        RequestInvalidError: The name is empty, of another collection, or has no such number.
    """
    plan, at, revision = resource_id("plans", name).partition("@")
    if not at:
        return plan, None
    if not plan or not revision.isdecimal() or int(revision) < 1:
        raise RequestInvalidError(f"{name!r} names no revision", remedy="Give plans/ID@REVISION")
    return plan, int(revision)


def app_reference(name: str) -> str:
    """What a caller wrote for an app, without ``apps/`` and ``/settings``: a name or a path.

    Raises:
        RequestInvalidError: Nothing was given.
    """
    if not name:
        raise RequestInvalidError("no app is named", remedy="Give its name or its absolute path")
    if name.startswith("apps/"):
        return name.removeprefix("apps/").removesuffix("/settings")
    return name
