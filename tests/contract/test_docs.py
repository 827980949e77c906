"""The documentation agrees with the code: pages that follow from it, links, commands, names."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from agi_cli.main import program, run
from agi_cli.session import Session
from agi_cluster.model.diagnosis import Family
from agi_cluster.narration import KINDS
from agi_daemon.doctor.catalogue import CATALOGUE
from agi_daemon.install.outcome import Phase
from agi_daemon.planning.lint import LintCode
from agi_daemon.runs.absorb import VERBOSITY
from agi_env.errors import catalogue
from agi_env.settings import Settings

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = [
    REPOSITORY / "README.md",
    *sorted(DOCS.rglob("*.md")),
    *REPOSITORY.glob("examples/**/*.md"),
]
PICTURES = sorted(DOCS.rglob("*.svg"))

_LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.M)
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`(agi [^`]+)`")
_KIND = re.compile(r'(?:Fact\(\s*kind=|append\(\s*|Append\(\s*|RECOVERED = )"([a-z_]+)"')


def name_of(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors that the usual renderers give to the headings of a page."""
    headings = _HEADING.findall(prose(page))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for match in _LINK.finditer(prose(page)):
            if "://" not in match["target"]:
                yield name_of(page), match["target"]


def commands() -> Iterator[tuple[str, str]]:
    """Every command line of ours that a page shows, in a block or in a sentence."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in _FENCE.findall(text):
            for line in block.splitlines():
                found = re.match(r"(?:\$ )?(agi .*)$", line)
                if found:
                    yield name_of(page), found[1]
        for inline in _INLINE.findall(prose(page)):
            yield name_of(page), inline


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_every_link_leads_somewhere(page: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    place = (REPOSITORY / page).parent / path if path else REPOSITORY / page
    assert place.exists(), f"{page} links to {target}"
    if anchor:
        assert anchor in anchors(place), f"{page} links to {target}"


def test_the_pages_that_follow_from_the_code_are_current(tmp_path: Path) -> None:
    generator = REPOSITORY / "scripts" / "reference_pages.py"
    done = subprocess.run(
        [sys.executable, generator, tmp_path],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for fresh in tmp_path.iterdir():
        committed = DOCS / "reference" / fresh.name
        assert fresh.read_text() == committed.read_text(), "run scripts/generate-docs"


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_every_command_that_is_shown_exists(page: str, line: str) -> None:
    words = shlex.split(line.partition(" #")[0].replace("...", "").replace("|", " | "))[1:]
    words = words[: words.index("|")] if "|" in words else words
    command, path = found_command([word for word in words if not word.startswith("-")])
    known = {name for parameter in command.params for name in parameter.opts}
    given = {word.partition("=")[0] for word in words if re.match(r"-{1,2}[a-z]", word)}
    assert given <= known | {"--help"}, f"{page}: {line}"
    session = Session(out=io.StringIO(), err=io.StringIO())
    with redirect_stdout(io.StringIO()):
        assert run([*path, "--help"], session) == 0


def found_command(words: list[str]) -> tuple[Any, list[str]]:
    """The command that these words lead to, and those of them that are its path."""
    command: Any = program()
    context = command.make_context("agi", [], resilient_parsing=True)
    path: list[str] = []
    for word in words:
        if not hasattr(command, "list_commands"):
            break
        # A page may say `agi snippet install|distribute|run`: the first stands for all.
        found = command.get_command(context, word)
        assert found is not None, f"agi {' '.join(words)}: there is no {word}"
        command = found.load() if hasattr(found, "load") else found
        path.append(word)
    return command, path


def test_every_code_that_is_named_is_in_the_catalogue() -> None:
    troubleshooting = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    named = {
        code
        for heading in _HEADING.findall(troubleshooting)
        for code in re.findall(r"\b(?:[A-Z]+(?:_[A-Z]+)+|INTERNAL)\b", heading)
    }
    assert len(named) > 20
    assert named <= catalogue().keys() | CATALOGUE.keys()
    assert CATALOGUE.keys() <= named


def test_every_finding_of_the_doctor_is_in_the_table_of_what_people_notice() -> None:
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    for family in Family:
        codes = [f"`{entry.code}`" for entry in CATALOGUE.values() if entry.family is family]
        assert f"| {family.value} | {', '.join(codes)} |\n" in text


def test_every_kind_of_event_is_described() -> None:
    text = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `([a-z_]+)` \| [0-3] \|", text, re.M))
    sources = [
        path.read_text(encoding="utf-8")
        for package in ("agi-env", "agi-daemon")
        for path in (REPOSITORY / "packages" / package / "src").rglob("*.py")
    ]
    emitted = {kind for source in sources for kind in _KIND.findall(source)}
    steps = {phase.value.lower() for phase in Phase}
    assert "settled" in emitted
    assert emitted | steps <= described
    assert described <= KINDS  # whoever watches reads words, and no facts in braces


def test_the_verbosity_of_what_a_journal_tells_is_described() -> None:
    text = (DOCS / "reference" / "events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| ([0-3]) \|", text, re.M)
    for kind, told in VERBOSITY.items():
        assert {number for name, number in rows if name == kind} == {str(told)}, kind


def test_every_key_of_the_settings_is_described() -> None:
    text = (DOCS / "guides" / "settings-and-modes.md").read_text(encoding="utf-8")
    keys = Settings().to_data()["cluster"].keys() | {"partition_timeout", "cores_per_slot"}
    assert {key for key in keys if f"| `{key}` |" not in text} == set()


def test_every_finding_about_a_plan_is_described() -> None:
    text = (DOCS / "guides" / "settings-and-modes.md").read_text(encoding="utf-8")
    assert {code for code in LintCode if f"| `{code}` |" not in text} == set()


def test_every_variable_that_is_read_is_described() -> None:
    text = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    sources = (REPOSITORY / "packages").glob("*/src/**/*.py")
    read = {
        name
        for path in sources
        for name in re.findall(r'"(AGI_[A-Z_]+|APPS_PATH)"', path.read_text(encoding="utf-8"))
    }
    assert {name for name in read if name not in text} == set()


@pytest.mark.parametrize("page", [name_of(page) for page in PAGES])
def test_pages_speak_of_no_place_of_their_writers(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:work|tmp|root)/", text)


@pytest.mark.parametrize("picture", [name_of(picture) for picture in PICTURES])
def test_pictures_are_described_and_readable_in_the_dark(picture: str) -> None:
    text = (REPOSITORY / picture).read_text(encoding="utf-8")
    assert "<title" in text and "<desc" in text
    assert "prefers-color-scheme: dark" in text
    assert any(Path(picture).name in page.read_text(encoding="utf-8") for page in PAGES)
