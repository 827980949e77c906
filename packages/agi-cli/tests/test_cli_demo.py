"""The demo types the commands of a person, in their order, and ends with the report."""

from __future__ import annotations

import pytest

from agi_cli.commands.demo import example_folder, execute_program
from agi_cli.session import Session
from agi_env.errors import AlreadyExistsError, RunFailedError


@pytest.fixture
def weather(tmp_path):
    folder = tmp_path / "weather_project"
    for package, code in (
        ("weather", "class Weather: ..."),
        ("weather_worker", "class WeatherWorker: ..."),
    ):
        (folder / "src" / package).mkdir(parents=True)
        (folder / "src" / package / f"{package}.py").write_text(code)
    (folder / "src" / "app_settings.toml").write_text("[args]\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "weather_project"\n')
    return folder


def test_the_example_of_a_checkout_is_found():
    assert (example_folder() / "src" / "flights" / "flights.py").is_file()


def test_the_demo_plays_the_whole_life(terminal, weather):
    assert terminal.type("demo", "--app", str(weather)) == 0

    typed = [line for line in terminal.shown.splitlines() if line.startswith("$ ")]
    program = typed[6].rpartition(" ")[2]
    assert typed == [
        f"$ agi apps register {weather}",
        "$ agi settings show weather_project",
        "$ agi install weather_project",
        "$ agi install weather_project",
        "$ agi distribute weather_project",
        "$ agi run weather_project",
        f"$ agi snippet run weather_project --file {program}",
        f"$ python {program}",
        "$ agi runs list --app weather_project",
        "$ agi runs show weather-r1",
    ]
    assert terminal.shown.endswith("Rome  0.250\ndays  3\n")


def test_an_error_ends_the_demo_with_its_line_and_code(terminal, weather):
    terminal.client.error = AlreadyExistsError("it is registered elsewhere", where=str(weather))

    assert terminal.type("demo", "--app", str(weather)) == 6
    assert terminal.said.endswith(" [ALREADY_EXISTS]\n")


def test_a_program_that_fails_is_an_error(terminal, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("print('well'); raise SystemExit(3)")
    session = Session(out=terminal.out, err=terminal.err)

    with pytest.raises(RunFailedError, match="the program ended with code 3"):
        execute_program(session, str(program))
    assert terminal.shown == "well\n"


def test_a_program_that_hangs_is_killed(terminal, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import time; time.sleep(600)")
    session = Session(out=terminal.out, err=terminal.err)

    with pytest.raises(RunFailedError, match="ended with code -9"):
        execute_program(session, str(program), timeout=0.5)
