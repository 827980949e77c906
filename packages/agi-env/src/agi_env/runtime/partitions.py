"""A partition: the unit that is planned, executed, timed and counted; and what came of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agi_env.errors import PlanInvalidError

MAX_ID_CHARS = 512
"""The longest identifier of a partition, in characters."""

JsonValue: TypeAlias = (
    bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)
"""What JSON can carry; read-only containers, so that ``dict[str, int]`` is one too."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A piece of work, named by the manager side of an app and executed by its worker side.

    Attributes:
        id: Unique in its plan; what a run counts by.
        label: What people see.
        weight: Expected cost relative to the other partitions, 0 or more, in no unit.
        payload: Small JSON value that tells the worker what to do.
    """

    id: str
    label: str
    weight: float = 1.0
    payload: JsonValue = None

    @classmethod
    def of(
        cls,
        id: object,  # noqa: A002 - the field's name
        label: object = None,
        weight: object = 1.0,
        payload: object = None,
    ) -> Partition:
        """Return the partition after checking each value.

        Args:
            id: Any text of 1 to 512 characters.
            label: What people see; the id when not given.
            weight: A finite number, 0 or more.
            payload: A JSON value.

        Raises:
            PlanInvalidError: A value cannot be used.
        """
        name = _checked_id(id)
        return cls(
            name,
            _checked_label(label, name),
            _checked_weight(weight, name),
            _checked_payload(payload, name),
        )

    @property
    def sound(self) -> bool:
        """Whether its values can be seen at a glance to be those that `of` takes as they are."""
        return (
            type(self.id) is str
            and 0 < len(self.id) <= MAX_ID_CHARS
            and type(self.label) is str
            and type(self.weight) is float
            and 0.0 <= self.weight < math.inf
            and (self.payload is None or type(self.payload) in _PLAIN)
        )

    def to_dict(self) -> dict[str, Any]:
        """The partition as a JSON object."""
        return {"id": self.id, "label": self.label, "weight": self.weight, "payload": self.payload}


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What ``reduce`` is given for each partition, in the order of the plan.

    Attributes:
        partition: The partition.
        value: What ``work`` returned.
        out: The directory that ``work`` wrote into.
    """

    partition: Partition
    value: JsonValue
    out: Path


_PLAIN = (str, int, bool)
"""Types of payloads that JSON carries as they are."""


def _checked_id(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS:
        raise PlanInvalidError(
            f"{_shown(value)} is no identifier of a partition",
            remedy=f"Give every partition a text of 1 to {MAX_ID_CHARS} characters as its id",
        )
    return value


def _checked_label(value: object, name: str) -> str:
    if value is None:
        return name
    if not isinstance(value, str):
        raise PlanInvalidError(
            f"the label {_shown(value)} is no text",
            where=f"partition {_shown(name)}",
            remedy="Give a text as the label, or none",
        )
    return value


def _checked_weight(value: object, name: str) -> float:
    # numpy's numbers are welcome: whatever turns into a float and is not a text.
    try:
        weight = math.nan if isinstance(value, str | bytes) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        weight = math.nan
    if not (math.isfinite(weight) and weight >= 0):
        raise PlanInvalidError(
            f"the weight {_shown(value)} is no number of 0 or more",
            where=f"partition {_shown(name)}",
            remedy="Give a finite number as the weight",
        )
    return weight


def _checked_payload(value: object, name: str) -> JsonValue:
    if value is None or type(value) in _PLAIN:
        return value  # type: ignore[return-value]
    try:
        plain: JsonValue = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        # The frames of the encoder say nothing that this does not.
        raise PlanInvalidError(
            f"the payload cannot be carried as JSON: {error}",
            where=f"partition {_shown(name)}",
            remedy="Use numbers, text, lists and dictionaries as the payload",
        ) from None
    return plain


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
