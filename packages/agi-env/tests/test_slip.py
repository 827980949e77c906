from __future__ import annotations

import pytest

from agi_env.slip import meant


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("limt", "limit"),
        ("limi", "limit"),
        ("mod", "mode"),
        ("worker", "workers"),
        ("agrs", "args"),
        ("clustr", "cluster"),
        ("scheduller", "scheduler"),
        ("schedular", "scheduler"),
        ("limits", "limit"),
        ("limitt", "limit"),
        ("limxit", "limit"),
        ("lmiit", "limit"),
        ("linit", "limit"),
        ("nfile", "n_file"),
        ("nFile", "nfile"),
        ("data-in", "data_in"),
    ],
)
def test_one_stroke_away_is_a_slip(given: str, known: str) -> None:
    assert meant(given, ["other", known]) == known


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("x1", "x2"),
        ("seed1", "seed2"),
        ("seed", "seed1"),
        ("layer12", "layer21"),
        ("start_x", "start_y"),
        ("start_x_km", "start_y_km"),
        ("xmin", "ymin"),
        ("map_xmin", "map_ymin"),
        ("xmin", "xmax"),
        ("data_in", "data_out"),
        ("model", "mode"),
        ("plane", "plan"),
        ("nfile", "file"),
        ("lon", "lat"),
        ("row", "rows1"),
        ("date", "data"),
        ("n", "no"),
        ("", "mode"),
        ("verbose", "limit"),
    ],
)
def test_names_of_their_own_are_none(given: str, known: str) -> None:
    assert meant(given, [known]) is None


def test_what_is_known_is_no_slip_of_another() -> None:
    assert meant("limits", ["limit", "limits"]) is None
    assert meant("limits", []) is None
