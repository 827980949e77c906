"""The outputs that a step declares: where they are, and the digests of their contents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agi_cluster.model.pipeline_run import StepOutput
from agi_env.paths import absolute, cluster_share, local_share

MOST_FILES = 10_000
"""Files of one output whose contents are looked at; a larger one is recorded without a digest."""


def found(outputs: Sequence[str], file: str) -> list[Path | None]:
    """Where each output is: beside the pipeline's file, on the local or on the cluster's share."""
    roots = [Path(file).parent, local_share(), *filter(None, [cluster_share()])]
    return [_place(output, roots) for output in outputs]


def recorded(outputs: Sequence[str], file: str) -> tuple[StepOutput, ...]:
    """Each output as it is now."""
    places = found(outputs, file)
    return tuple(
        StepOutput(path=output) if place is None else _recorded(output, place)
        for output, place in zip(outputs, places, strict=True)
    )


def _place(output: str, roots: Sequence[Path]) -> Path | None:
    candidates = (absolute(root / Path(output).expanduser()) for root in roots)
    return next((each for each in candidates if each.exists()), None)


def _recorded(output: str, place: Path) -> StepOutput:
    try:
        return _looked_at(output, place)
    except OSError:  # it cannot be read, or goes while it is: that it was there is known
        return StepOutput(path=output, place=str(place))


def _looked_at(output: str, place: Path) -> StepOutput:
    files = [place] if place.is_file() else list(_files(place))
    if len(files) > MOST_FILES:
        return StepOutput(path=output, place=str(place), files=len(files))
    contents = [(str(each.relative_to(place)), _sha256(each)) for each in files]
    whole = contents[0][1] if place.is_file() else _digest_of(contents)
    size = sum(each.stat().st_size for each in files)
    return StepOutput(path=output, place=str(place), sha256=whole, bytes=size, files=len(files))


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent) / name
            if path.is_file():
                yield path
                count += 1
            if count > MOST_FILES:
                return


def _digest_of(contents: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(contents))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
