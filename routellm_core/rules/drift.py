"""Whether traffic is still like the prompts on which a threshold was chosen.

Scores are counted between the quantiles of the calibration sample, so that memory is bounded and
both the share and the distance of Kolmogorov and Smirnov follow from counts.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOW = 10_000
"""Scored calls after which counting begins anew; the last such window is kept as well."""

LEAST = 1_000
"""Scored calls from which a warning may be given."""

_SHARE_OFF = 0.1
_DISTANCE = 0.15
_P_VALUE = 1e-4
"""Limits of a warning: how far the share may be off, and how far the scores, beyond chance."""


@dataclass(frozen=True)
class Status:
    """What a policy has done recently, and what it should do."""

    router: str
    threshold: float
    target_share: float | None
    """Share of scored calls that was to go to the strong model; None where a threshold was set."""
    share: float | None
    """Share that went there; None before the first scored call."""
    scored: int
    """How many scored calls these figures rest on: at most the last two windows."""
    distance: float | None
    """Largest difference, in [0, 1], between the share of calls and of the calibration sample
    that score at most so much; None without either."""
    p_value: float | None
    """How likely a distance as large is by chance (two-sample test of Kolmogorov and Smirnov);
    None where the size of the sample is unknown."""
    errors: dict[str, int]
    """How often scoring failed since the start, by kind."""
    warning: str | None = None
    """What to do, where traffic is no longer what the threshold was chosen for."""


class Sketch:
    """Counts scores and choices. Thread-safe; a score costs less than a microsecond.

    Args:
        quantiles: of the calibration sample, ascending, at evenly spaced levels from 0 to 1; none
            where there is no sample.
        window: as ``WINDOW``.
    """

    def __init__(self, quantiles: Sequence[float], window: int = WINDOW) -> None:
        edges = np.asarray(quantiles, np.float64)
        values, first = np.unique(edges, return_index=True)
        # Of equal quantiles the last tells how much of the sample lies at or below.
        last = np.append(first[1:], len(edges))[: len(values)] - 1
        self._at_or_below = last / max(1, len(edges) - 1)
        self._edges: list[float] = values.tolist()
        self._window = window
        self._lock = threading.Lock()
        self._counts = self._new()
        self._before = self._new()

    def add(self, score: float, is_strong: bool) -> int:
        """Count a scored call; returns the number of calls in the current window."""
        place = bisect_left(self._edges, score)
        with self._lock:
            counts = self._counts
            counts[place] += 1
            counts[-2] += is_strong
            counts[-1] += 1
            if counts[-1] >= self._window:
                self._before, self._counts = counts, self._new()
            return counts[-1]

    def _new(self) -> list[int]:
        # One more than edges, for scores above all; then the strong ones, then all.
        return [0] * (len(self._edges) + 3)

    def threshold_for(self, share: float) -> float | None:
        """Return the threshold at or above which so much of the counted scores lie, read between
        the quantiles; None if nothing is counted, or there are no quantiles.

        Args:
            share: in [0, 1].
        """
        with self._lock:
            counts = np.array(self._counts) + np.array(self._before)
        n = int(counts[-1])
        if n == 0 or not self._edges:
            return None
        at_or_below = np.cumsum(counts[: len(self._edges) + 1]) / n
        values = np.concatenate(([0.0], self._edges, [1.0]))
        return float(np.interp(1.0 - share, np.concatenate(([0.0], at_or_below)), values))

    def figures(self) -> tuple[int, float | None, float | None]:
        """Return how many scored calls are counted, the strong share, and the distance."""
        with self._lock:
            counts = np.array(self._counts) + np.array(self._before)
        n = int(counts[-1])
        if n == 0:
            return 0, None, None
        share = float(counts[-2]) / n
        if not self._edges:
            return n, share, None
        at_or_below = np.cumsum(counts[: len(self._edges)]) / n
        return n, share, float(np.abs(at_or_below - self._at_or_below).max())


def p_value(distance: float, n: int, m: int) -> float:
    """Return how likely samples of sizes n and m differ this much if both have one source.

    The limit for large samples, of the distance of Kolmogorov and Smirnov.
    """
    x = distance * math.sqrt(n * m / (n + m))
    if x < 0.2:  # the series converges slowly there, and is 1 to twelve digits
        return 1.0
    terms = [math.exp(-2 * (k * x) ** 2) * (1 if k % 2 else -1) for k in range(1, 101)]
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def drifted(status: Status, calibration: str | None) -> str | None:
    """Return a warning if traffic is no longer like what the threshold was chosen on.

    Args:
        status: of the policy.
        calibration: path of its calibration file, if it has one.
    """
    if status.scored < LEAST or status.share is None or status.target_share is None:
        return None
    again = "calibrate again on recent prompts: routellm calibrate --prompts FILE"
    if abs(status.share - status.target_share) > _SHARE_OFF:
        return (
            f"{status.share:.0%} of the last {status.scored:,} scored calls went to the strong "
            f"model, where {status.target_share:.0%} were meant: {again}"
        )
    if not calibration or status.distance is None or status.p_value is None:
        return None
    if status.distance > _DISTANCE and status.p_value < _P_VALUE:
        return (
            f"the last {status.scored:,} scored calls are unlike the prompts of {calibration} "
            f"(distance {status.distance:.2f}), so what it promises may not hold: {again}"
        )
    return None
