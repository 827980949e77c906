"""The daemon that owns cluster state, installs, plans and runs, behind gRPC."""

from __future__ import annotations

__all__ = ["__version__"]


def __getattr__(name: str) -> str:
    """``__version__``, read from the package's metadata when it is first asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415  the metadata readers cost 20 ms

    return version("agi-daemon")
