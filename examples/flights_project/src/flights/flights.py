"""The manager side: it names one partition for each airport and month."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agi_env import BaseApp, Partition
from agi_env.runtime.app_context import AppContext
from flights.departures import Departures, file_name

ORIGINS = ("EWR", "JFK", "LGA")
MONTHS = tuple(range(1, 13))


class Flights(BaseApp):
    """Names the partitions of the flights that left New York City in 2013.

    Args:
        env: Where the app runs.
        origins: The airports to look at, of ``ORIGINS``.
        months: The months to look at, 1 to 12.
        **args: Other arguments of the app; the worker side reads them.

    Raises:
        ValueError: There is no such airport or month, or one is given twice, or none.
    """

    def __init__(
        self,
        env: AppContext,
        *,
        origins: Sequence[str] = ORIGINS,
        months: Sequence[int] = MONTHS,
        **args: Any,
    ) -> None:
        super().__init__(env, **args)
        self.origins = _chosen("origins", origins, ORIGINS)
        self.months = _chosen("months", months, MONTHS)

    def partitions(self) -> Iterator[Partition]:
        """One for each airport and month; its weight is the number of its flights."""
        counts = Departures.prepared(self.env.data_in).counts
        for origin in self.origins:
            for month in self.months:
                yield Partition.of(
                    f"{origin}-{month:02d}",
                    label=f"{origin} 2013-{month:02d}",
                    weight=counts[file_name(origin, month)],
                    payload={"origin": origin, "month": month},
                )


def _chosen(name: str, values: Sequence[Any], known: Sequence[Any]) -> list[Any]:
    if isinstance(values, str) or not values:
        raise ValueError(f"{name} = {values!r} is no list of at least one of {list(known)}")
    for value in values:
        if value not in known or isinstance(value, bool):
            raise ValueError(f"{value!r} in {name} is not one of {list(known)}")
    if len(set(values)) != len(values):
        raise ValueError(f"{name} = {list(values)} names one of them twice")
    return list(values)
