"""The cheapest threshold whose loss of quality is bounded, with a given confidence.

The loss of a threshold is the mean quality of always calling the strong model less that of
routing. Each row contributes the difference of its two qualities where it goes to the weak model,
and 0 elsewhere. Thresholds are tested one after another, from the one that sends least to the weak
model on, each at the full level, until one fails (Learn then Test, Angelopoulos et al. 2021, with
fixed-sequence testing): the last one that passed holds with that confidence. The thresholds are
fixed before any label is seen. Rows must be drawn independently from the traffic that follows.

Where qualities are 0 or 1, a row loses, gains or does neither. The test is then exact: of the null
distribution, one parameter is left, the share of rows that lose or gain, and the p-value is the
largest over its Clopper-Pearson bound, plus the chance that the bound misses it (Berger and Boos
1994). Graded qualities are tested by betting (Waudby-Smith and Ramdas 2024), which adapts to their
variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..optional import require
from .share import NEVER

Floats = NDArray[np.float64]

_STEPS = 2000
"""Thresholds that are tested in any case, evenly spaced over [0, 1]."""

_MISSED = 0.05
"""Share of the error allowed that is spent on the bound on rows that lose or gain."""

_POINTS = 3
"""Values of that share for which the p-value is computed."""

_TAIL = 1e-12
_NATS = math.log(2 / _TAIL)

_CAPITAL = 0.75
"""Share of its capital that a bet may risk at most."""

_USEFUL = 0.05
"""Share of prompts for the weak model from which a threshold is worth its labels."""

_MOST_LABELS = 100_000
"""Up to which it is tried how many labels would do."""

_REPEATS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True)
class Bounded:
    """What a bound on the loss of quality allows."""

    threshold: float | None
    """The cheapest that holds; None if no threshold does."""
    exact: bool
    """Whether qualities are 0 or 1, so that the test is exact."""
    labels_needed: int | None
    """Where no threshold holds: how many labels would likely do, if those that there are tell; None
    if as many as anyone has would not."""


def bounded_loss(
    scores: Floats,
    strong: Floats,
    weak: Floats,
    *,
    max_loss: float,
    confidence: float,
    quantiles: Floats | None = None,
) -> Bounded:
    """Return the cheapest threshold whose loss is at most ``max_loss``, with ``confidence``.

    Args:
        scores: of the rows, shape (n,).
        strong: quality of the strong model's answers, shape (n,), each in [0, 1].
        weak: quality of the weak model's, likewise.
        max_loss: in (0, 1).
        confidence: in (0, 1), such as .95.
        quantiles: of the router's scores over usual traffic, from its checkpoint: further
            thresholds to test.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    tested = thresholds(quantiles)
    order = np.argsort(scores, kind="stable")
    losses = (strong - weak)[order]
    below = np.searchsorted(scores[order], tested)
    is_exact = bool(np.isin(losses, (-1.0, 0.0, 1.0)).all())
    test = (
        _Exact(losses, max_loss, confidence) if is_exact else _Betting(losses, max_loss, confidence)
    )
    cuts = np.unique(below)
    passed = _last_passed(test, cuts, 1)
    if passed is not None and passed > 0:
        return Bounded(float(tested[below == passed][-1]), is_exact, None)
    useful = cuts[cuts >= _USEFUL * len(losses)]
    needed = None
    affordable = [repeat for repeat in _REPEATS if repeat * len(losses) <= _MOST_LABELS]
    for repeat in affordable if len(useful) else ():
        passed = _last_passed(test, cuts, repeat)
        if passed is not None and passed >= useful[0]:
            needed = len(losses) * repeat
            break
    return Bounded(None, is_exact, needed)


def thresholds(quantiles: Floats | None) -> Floats:
    """Return the thresholds that are tested, ascending; they do not depend on any label."""
    even = np.append(np.arange(1, _STEPS + 1) / _STEPS, NEVER)
    return even if quantiles is None else np.union1d(even, quantiles)


class _Exact:
    """Tests thresholds by how many rows lose and gain below them.

    Args:
        losses: of the rows, lowest score first, each -1, 0 or 1.
        max_loss: as in ``bounded_loss``.
        confidence: likewise.
    """

    def __init__(self, losses: Floats, max_loss: float, confidence: float) -> None:
        self._n = len(losses)
        self._max_loss = max_loss
        self._level = 1 - confidence
        self._lost = np.concatenate(([0], np.cumsum(losses == 1)))
        self._gained = np.concatenate(([0], np.cumsum(losses == -1)))

    def passes(self, below: int, repeat: int) -> bool:
        """Whether the loss is bounded if so many rows go to the weak model.

        Args:
            below: how many of the rows.
            repeat: as if each row were there so many times.
        """
        lost, gained = int(self._lost[below]) * repeat, int(self._gained[below]) * repeat
        n = self._n * repeat
        return exact_p(lost, gained, n, self._max_loss, self._level * _MISSED) <= self._level


class _Betting:
    """Tests thresholds by betting that rows lose less than allowed; arguments as ``_Exact``."""

    def __init__(self, losses: Floats, max_loss: float, confidence: float) -> None:
        # Bets are placed one after another, in an order that tells nothing.
        self._order = np.random.default_rng(0).permutation(len(losses))
        self._losses = losses
        self._max_loss = max_loss
        self._level = 1 - confidence

    def passes(self, below: int, repeat: int) -> bool:
        """As ``_Exact.passes``."""
        losses = np.where(np.arange(len(self._losses)) < below, self._losses, 0.0)[self._order]
        return betting_p(np.tile(losses, repeat), self._max_loss, self._level) <= self._level


def _last_passed(test: _Exact | _Betting, cuts: NDArray[np.intp], repeat: int) -> int | None:
    """Return the last of the cuts before one fails; None if the first does."""
    passed = None
    for cut in cuts:
        if not test.passes(int(cut), repeat):
            break
        passed = int(cut)
    return passed


@lru_cache(maxsize=10_000)
def exact_p(lost: int, gained: int, n: int, max_loss: float, missed: float) -> float:
    """Return the p-value of "the mean loss is above ``max_loss``" for losses of -1, 0 and 1.

    Args:
        lost: how many of the n losses are 1.
        gained: how many are -1.
        n: how many losses there are.
        max_loss: in (0, 1).
        missed: chance that is spent on the bound on the share of losses that are not 0.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    special = require("scipy.special", "eval", "a bound on the loss of quality")
    told = lost + gained
    most = 1.0 if told == n else float(special.betaincinv(told + 1, n - told, 1 - missed))
    if most <= max_loss:  # too few rows lose or gain for such a loss
        return missed
    largest = 0.0
    for share in np.linspace(max_loss, most, _POINTS):
        # By Bernstein's inequality no more than _TAIL lies beyond these counts.
        reach = math.sqrt(2 * n * share * (1 - share) * _NATS) + _NATS
        counts = np.arange(max(0, int(n * share - reach)), min(n, int(n * share + reach)) + 1)
        ways = (
            special.gammaln(n + 1) - special.gammaln(counts + 1) - special.gammaln(n - counts + 1)
        )
        log_pmf = ways + special.xlogy(counts, share) + special.xlog1py(n - counts, -share)
        # Of so many rows that are not 0, so many may lose for the sum to be as small as it is.
        may_lose = np.floor((counts + lost - gained) / 2)
        lose = (max_loss / share + 1) / 2
        chances = np.where(
            may_lose < 0, 0.0, special.bdtr(np.clip(may_lose, 0, counts), counts, lose)
        )
        largest = max(largest, float(np.exp(log_pmf) @ chances))
    return min(1.0, largest + missed + _TAIL)


def betting_p(losses: Floats, max_loss: float, level: float) -> float:
    """Return the p-value of "the mean loss is above ``max_loss``" for losses in [-1, 1].

    Args:
        losses: shape (n,), in an order that does not depend on them.
        max_loss: in (0, 1).
        level: for which the bets are sized; the p-value holds for any.
    """
    n = len(losses)
    counts = np.arange(1, n + 1)
    # Before the first loss: mean 0, variance 1/4. Each bet knows only what came before it.
    mean = np.cumsum(losses) / (counts + 1)
    variance = (0.25 + np.cumsum((losses - mean) ** 2)) / (counts + 1)
    before = np.concatenate(([0.25], variance[:-1]))
    bets = np.minimum(np.sqrt(2 * math.log(1 / level) / (n * before)), _CAPITAL / (1 - max_loss))
    capital = np.cumsum(np.log1p(bets * (max_loss - losses)))
    return math.exp(-max(0.0, float(capital.max())))
