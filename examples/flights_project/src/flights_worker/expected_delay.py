"""The numeric kernel: what delay was to be expected of a flight that leaves at that time.

For each flight it is the weighted mean of the delays of the *other* flights that leave the same
airport less than ``reach`` minutes before or after it. The weight falls as a parabola from the
flight's own minute to nothing at ``reach``: the Nadaraya-Watson estimator with the kernel of
Epanechnikov, leaving out the flight itself. Held against the carrier's own delay, it tells a
carrier that is late from one that flies when everybody is late.

Weights, delays and sums are whole numbers, far below 2**63 for a month of any airport, and the
quotient is rounded half up to whole seconds. So the result is the same bit for bit, interpreted or
compiled, however the flights of one minute are ordered. The code is one nest of loops over arrays.
It runs as it is; in a mode with the cython bit it is compiled with the C types that stand in
``expected_delay.pxd`` beside it.
"""

# cython: boundscheck=False, wraparound=False

from __future__ import annotations

from array import array

INTEGER = "q"
"""The type code of every array here: signed, 64 bits."""


def expected_delays(minutes: array[int], delays: array[int], reach: int) -> array[int]:
    """The delay to be expected of each flight, from the others that leave about its time.

    Args:
        minutes: When each flight was to leave, in rising order.
        delays: How late each one left, in minutes; as many.
        reach: Flights this many minutes apart no longer count, 1 or more.

    Returns:
        The expected delay of each flight in seconds; its own delay where no other is near.
    """
    expected = array(INTEGER, bytes(8 * len(minutes)))
    fill_expected(minutes, delays, reach, expected)
    return expected


def fill_expected(minutes, delays, reach, expected):  # its types are those of the .pxd
    """Put the delay to be expected of each flight into an array as long as the others."""
    count, highest = len(minutes), reach * reach
    first = end = 0
    for flight in range(count):
        minute = minutes[flight]
        while minutes[first] <= minute - reach:
            first += 1
        while end < count and minutes[end] < minute + reach:
            end += 1
        weights = -highest  # the flight itself comes by in the loop below
        weighted = -highest * delays[flight]
        for other in range(first, end):
            apart = minutes[other] - minute
            weight = highest - apart * apart
            weights += weight
            weighted += weight * delays[other]
        if weights == 0:
            weights, weighted = 1, delays[flight]
        expected[flight] = (120 * weighted + weights) // (2 * weights)
