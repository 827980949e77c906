"""What a person made of the text of a plan: pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from agi_cli.plan_text.written import PIN, REMARK
from agi_cluster.model.plan import Plan, PlannedPartition
from agi_cluster.model.plan_edit import Move, Pin, PlanEdit, Unpin
from agi_env.errors import PlanInvalidError

_DECODER = json.JSONDecoder()


@frozen
class EditedText:
    """The places that a text gives partitions.

    Attributes:
        etag: The revision that the text was made from.
        places: By the id of a partition the index of its slot, and whether it is pinned.
    """

    etag: str
    places: Mapping[str, tuple[int, bool]] = field(factory=dict)

    @property
    def revision(self) -> int:
        """The number of that revision; 0 where the etag does not tell."""
        number = self.etag.partition("-")[0]
        return int(number) if "-" in self.etag and number.isdecimal() else 0


def read(text: str, plan: Plan, where: str) -> EditedText:
    """The places in a text.

    Args:
        text: The text.
        plan: The plan that it is about; its slots are looked up.
        where: What to call the text in errors.

    Raises:
        PlanInvalidError: A line cannot be understood, or a partition is there twice; with its line.
    """
    slots = {name: index for index, name in plan.slot_names.items()}
    etag, slot = "", None
    places: dict[str, tuple[int, bool]] = {}
    for number, line in _lines(text):
        place = f"{where}:{number}"
        if line.startswith("["):
            slot = _slot(line, slots, place)
        elif slot is None:
            etag = _etag(line, place)
        else:
            name, pinned = _partition(line, place)
            if name in places:
                raise _wrong(f"partition {name!r} is there twice", place, "Keep one of the lines")
            places[name] = (slot, pinned)
    if not etag:
        raise _wrong("the line with the etag is missing", where, "Put it back, or begin anew")
    return EditedText(etag, places)


def edits_between(
    before: Mapping[str, PlannedPartition], after: EditedText, where: str
) -> tuple[PlanEdit, ...]:
    """The edits that a text asks for; empty where it says what is.

    Args:
        before: The partitions that the text was made of, by their ids.
        after: The text.
        where: What to call it in errors.

    Raises:
        PlanInvalidError: It names a partition that is none of these.
    """
    moved: dict[int, list[str]] = {}
    pinned: list[str] = []
    unpinned: list[str] = []
    for name, (slot, pin) in after.places.items():
        known = before.get(name)
        if known is None:
            raise _wrong(f"there is no partition {name!r} in the plan", where, "Correct its id")
        if known.slot != slot:
            moved.setdefault(slot, []).append(name)
        if known.pinned != pin:
            (pinned if pin else unpinned).append(name)
    moves = [Move(partitions=tuple(names), slot=slot) for slot, names in sorted(moved.items())]
    pins = [Pin(partitions=tuple(pinned))] if pinned else []
    return (*moves, *pins, *([Unpin(partitions=tuple(unpinned))] if unpinned else []))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, without remarks that are lines of their own."""
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _slot(line: str, slots: Mapping[str, int], place: str) -> int:
    name = line.partition(REMARK)[0].strip()
    if not name.endswith("]") or name[1:-1] not in slots:
        raise _wrong(f"{name} is no slot of the plan", place, "Write the name that was there")
    return slots[name[1:-1]]


def _etag(line: str, place: str) -> str:
    word, _, etag = line.partition(" ")
    if word != "etag" or not etag.strip():
        raise _wrong(f"{line!r} is above the first slot", place, "Put it below a [slot]")
    return etag.strip()


def _partition(line: str, place: str) -> tuple[str, bool]:
    pinned = line.startswith(PIN)
    rest = line.removeprefix(PIN).strip()
    if rest.startswith('"'):
        try:
            name, end = _DECODER.raw_decode(rest)
        except ValueError as error:
            raise _wrong(f"the id in {rest!r} does not end", place, "Close the quotes") from error
        remark = rest[end:].strip()
    else:
        name, _, remark = rest.partition(" ")
        remark = remark.strip()
    if not name or (remark and not remark.startswith("#")):
        raise _wrong(
            f"{line!r} is no partition", place, 'Write an id, quoted where it has blanks: "a b"'
        )
    return name, pinned


def _wrong(what: str, where: str, remedy: str) -> PlanInvalidError:
    return PlanInvalidError(what, where=where, remedy=remedy)
