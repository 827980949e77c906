"""Slips: names that are so like another one that this must have been meant."""

from __future__ import annotations

from collections.abc import Iterable

FEWEST_CHARACTERS = 4
"""Shorter names have too many neighbours: nothing is a slip of them."""

_MISTYPED_FROM = 5


def meant(given: str, known: Iterable[str]) -> str | None:
    """The known name that was meant; None where the given one is known, or may well be its own.

    A slip begins as the known name does and is one stroke away from it: a letter was left out
    (``limt``), added inside, struck twice or a plural's s (``limits``), swapped with its neighbour
    (``lmiit``), or, inside a word of a name of 5 characters or more, mistyped (``linit``); or only
    capitals and underscores differ (``n_file``). Digits are never slips, nor are letters that stand
    where names are counted up: ``x1`` and ``x2``, ``start_x`` and ``start_y``, ``xmin`` and
    ``ymin``.

    Args:
        given: The name.
        known: The names that mean something, the likelier ones first.
    """
    names = list(known)
    if given in names:
        return None
    return next((name for name in names if _is_slip(given, name)), None)


def _is_slip(given: str, known: str) -> bool:
    if len(known) < FEWEST_CHARACTERS or given[:1].lower() != known[:1].lower():
        return False
    if _plain(given) == _plain(known):
        return True
    if len(given) == len(known):
        return _swapped_or_mistyped(given, known)
    if len(given) == len(known) - 1:
        return _extra(given, known) is not None
    place = _extra(known, given) if len(given) == len(known) + 1 else None
    if place is None:
        return False
    last = place == len(given) - 1
    return not last or given[-1] == "s" or given[-1] == given[-2]


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _extra(short: str, long: str) -> int | None:
    """Where the longer name has the one letter that the shorter one lacks."""
    place = next((i for i, each in enumerate(short) if each != long[i]), len(short))
    same = short[place:] == long[place + 1 :]
    return place if same and long[place].isalpha() else None


def _swapped_or_mistyped(given: str, known: str) -> bool:
    places = [i for i, each in enumerate(given) if each != known[i]]
    if not all(given[i].isalpha() and known[i].isalpha() for i in places):
        return False
    if len(places) == 2:
        one, other = places
        return other == one + 1 and given[one] == known[other] and given[other] == known[one]
    if len(places) != 1 or len(known) < _MISTYPED_FROM:
        return False
    around = known[places[0] - 1] + known[places[0] + 1 : places[0] + 2]
    return len(around) == 2 and around.isalpha()
