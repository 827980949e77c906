"""What an app is told about where and how it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class AppContext:
    """The ``env`` that is given to an app's manager and worker class.

    Attributes:
        app: The project's name, such as ``flights_project``.
        target: The name of its packages, such as ``flights``.
        mode: The mode of the run, 0 to 15.
        verbose: How much to say, 0 to 3.
        data_in: Where the inputs are; absolute.
        data_out: The directory in which runs publish theirs; absolute.
        slot: The slot that this worker fills; none on the manager side.
        executor: The number of this process in its slot; none on the manager side.
        cores: How many cores this process may use.
        device: The GPU that this process sees, as CUDA numbers or names it; empty without bit 8.
    """

    app: str
    target: str
    mode: int
    verbose: int
    data_in: Path
    data_out: Path
    slot: int | None = None
    executor: int | None = None
    cores: int = 1
    device: str = ""
