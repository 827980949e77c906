"""Which file of steps a command means."""

from __future__ import annotations

from pathlib import Path

from agi_env.errors import PipelineNotFoundError

NAMES = ("lab_steps.toml", "lab_stages.toml")
"""What the file is called, by its first name and by its later one."""


def pipeline_file(given: str, *, new: bool = False) -> str:
    """The absolute path of the file.

    Args:
        given: A file, or the folder that it is in; empty: the current folder.
        new: It may be one that is not there yet.

    Raises:
        PipelineNotFoundError: The folder has no such file.
    """
    place = Path(given).expanduser().absolute() if given else Path.cwd()
    if not place.is_dir():
        return str(place)
    for name in NAMES:
        if (place / name).exists():
            return str(place / name)
    if new:
        return str(place / NAMES[0])
    raise PipelineNotFoundError(f"there is no {' or '.join(NAMES)}", where=str(place))
