"""Which share a run reads and writes: the local one or the cluster's, never one for the other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agi_env.errors import SettingsInvalidError, ShareMissingError
from agi_env.mode import Mode
from agi_env.paths import absolute, cluster_share, local_share


@dataclass(frozen=True, slots=True)
class DataPaths:
    """Where a run reads, and the parent in which it publishes its own directory."""

    data_in: Path
    data_out: Path


def share_root(mode: Mode, environ: Mapping[str, str] = os.environ) -> Path:
    """The share of a mode, absolute: the cluster's with the cluster bit, else the local one.

    Raises:
        ShareMissingError: A cluster mode, and ``AGI_CLUSTER_SHARE`` is unset or no directory.
    """
    return _cluster_root(environ) if Mode.CLUSTER in mode else local_share(environ)


def data_paths(
    args: Mapping[str, object],
    target: str,
    mode: Mode,
    environ: Mapping[str, str] = os.environ,
) -> DataPaths:
    """Resolve ``data_in`` and ``data_out`` of an app's arguments.

    Relative paths are under the share; the defaults are ``<target>/data`` and
    ``<target>/results`` there. In cluster modes both must lie on the share.

    Raises:
        ShareMissingError: As of `share_root`.
        SettingsInvalidError: A path is no text, or leaves the share of a cluster mode.
    """
    root = share_root(mode, environ)
    bound = root if Mode.CLUSTER in mode else None
    return DataPaths(
        data_in=_placed("data_in", args.get("data_in", f"{target}/data"), root, bound),
        data_out=_placed("data_out", args.get("data_out", f"{target}/results"), root, bound),
    )


def _cluster_root(environ: Mapping[str, str]) -> Path:
    root = cluster_share(environ)
    if root is None:
        raise ShareMissingError(
            "the cluster share is not set where the daemon was started",
            where="AGI_CLUSTER_SHARE",
            remedy="Set it to the folder that is mounted at the same place on every host, then"
            " `agi daemon stop`, and repeat the command: the next daemon knows it",
        )
    if not root.is_dir():
        raise _no_cluster_share(f"the cluster share {root} is not a directory")
    return root


def _no_cluster_share(what: str) -> ShareMissingError:
    return ShareMissingError(
        what,
        where="AGI_CLUSTER_SHARE",
        remedy="Set it to the folder that is mounted at the same place on every host;"
        " the local share is no substitute",
    )


def _placed(key: str, value: object, root: Path, bound: Path | None) -> Path:
    if not isinstance(value, str) or not value.strip():
        raise SettingsInvalidError("this must be a path", where=f"args.{key}")
    path = absolute(value) if value.startswith("~") else absolute(root / value)
    if bound is not None and not path.is_relative_to(bound):
        raise SettingsInvalidError(
            f"{path} is not on the cluster share {bound}",
            where=f"args.{key}",
            remedy="Give a path on the cluster share, relative to it or absolute",
            metadata={"key": f"args.{key}"},
        )
    return path
