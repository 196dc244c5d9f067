"""Quality and saving of routing, without bias, from calls of which some went to the other model at
random.

With inverse propensities (IPS) a call that went to the other model stands for all that might have.
The doubly robust estimate (DR) takes a prediction for those, and only what that misses from such
calls: it is as free of bias, and closer where the prediction is any good.

Calls of the same words within an hour share one draw, and so are one observation: what they say
is summed by draw, as of clusters of unequal sizes, whose sums are what is independent (Cochran,
Sampling Techniques, 1977, chapter 9A; Liang and Zeger 1986). The mean is still that over calls. A
prediction is made from earlier draws alone: one that knew of other calls of the same draw would
depend on where these went, and be biased.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...policy.exploration import TOGETHER_S
from ...rules.prices import Price
from .sequences import Floats, asymptotic, lower_bound

MISS = 0.05
"""How often an interval may miss the truth at any time."""

_BLOCK = 50
"""Draws for whose calls one prediction holds, made from those before them."""
_FEWEST = 10
"""Calls of a model from which its quality is predicted; before, 1/2 is."""
_RIDGE = 1.0


@dataclass(frozen=True)
class Explored:
    """n calls, in the order in which they were made, of which some went to the other model."""

    at: Floats
    """When each was made, in seconds since 1970; 0 where that is not known."""
    scores: Floats
    """Strong win rates, shape (n,)."""
    chosen_strong: NDArray[np.bool_]
    """Whether the threshold said the strong model."""
    went_strong: NDArray[np.bool_]
    propensity: Floats
    """Probability with which each went to the model that it went to, in (0, 1)."""
    quality: Floats
    """Of its answer, in [0, 1]; NaN where it was not judged."""
    given: Floats
    """Tokens read; NaN where that is not known."""
    answered: Floats
    """Tokens written; NaN likewise."""
    drawn: Floats
    """A number of the draw that each is of, as ``number_of_draw`` makes it; NaN where the log does
    not name it."""

    def __len__(self) -> int:
        return len(self.scores)

    def draws(self) -> NDArray[np.int64]:
        """Return, shape (n,), the draw that each call is of, counted from 0.

        Where no draw is named, calls of the same words are told by their score, as a store and
        logs need not hold words. Other words may have it too: their draws are then taken for one,
        which widens intervals and makes none invalid.
        """
        unnamed = self.at // TOGETHER_S + 1j * self.scores
        keys = np.where(np.isnan(self.drawn), unnamed, -1 - self.drawn)  # no hour is below 0
        _, draws = np.unique(keys, return_inverse=True)
        return draws.astype(np.int64)

    def by_draw(self) -> Explored:
        """Return the same calls, those of a draw one after another, in the order in which draws
        began.
        """
        draws = self.draws()
        began = np.full(len(self), len(self))
        np.minimum.at(began, draws, np.arange(len(self)))
        return _taken(self, np.argsort(began[draws], kind="stable"))


def number_of_draw(name: object) -> float:
    """Return a number by which the draws of ``Decision.draw`` are told apart, NaN for none."""
    if name in (None, "") or name != name:  # NaN stands for none in data frames
        return math.nan
    text = str(name).encode("utf-8", "surrogatepass")
    return float(int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big"))


@dataclass(frozen=True)
class Bounded:
    """A figure, with an interval that holds at all times at once; NaN where nothing is known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimates:
    """What calls with exploration tell of routing without it."""

    calls: int
    explored: int
    """Of them, those that went to the other model."""
    judged: int
    judged_explored: int
    loss_ips: Bounded
    """Mean quality of always strong less that of routing. Exact for any number of draws."""
    loss_dr: Bounded
    """The same, doubly robust; its interval is for many calls."""
    routed: Bounded
    """Mean quality of routing, doubly robust."""
    strong: Bounded
    """Mean quality of always strong, likewise."""
    weak: Bounded
    saving: Bounded | None
    """1 - cost of routing / cost of always strong, likewise; None without prices."""


def estimate(calls: Explored, prices: tuple[Price, Price] | None = None) -> Estimates:
    """Return what calls tell of routing by their threshold, without exploration.

    Holds if whether an answer was judged does not depend on the model that gave it.

    Args:
        calls: in the order in which they were made.
        prices: of the strong and of the weak model.
    """
    calls = calls.by_draw()
    judged = _taken(calls, ~np.isnan(calls.quality))
    draws = judged.draws()
    strong, weak = (_doubly_robust(judged, is_strong) for is_strong in (True, False))
    routed = np.where(judged.chosen_strong, strong, weak)
    is_explored = calls.went_strong != calls.chosen_strong
    return Estimates(
        calls=len(calls),
        explored=int(is_explored.sum()),
        judged=len(judged),
        judged_explored=int((judged.went_strong != judged.chosen_strong).sum()),
        loss_ips=_loss(judged),
        loss_dr=_bounded(strong - routed, draws, -1.0, _least(judged, ~judged.chosen_strong)),
        routed=_bounded(routed, draws, 0.0, _likely(judged)),
        strong=_bounded(strong, draws, 0.0, _least(judged)),
        weak=_bounded(weak, draws, 0.0, _least(judged)),
        saving=None if prices is None else _saving(calls, prices),
    )


def _taken(calls: Explored, which: NDArray[np.bool_] | NDArray[np.int64]) -> Explored:
    return Explored(*(getattr(calls, name)[which] for name in Explored.__dataclass_fields__))


def _loss(calls: Explored) -> Bounded:
    """Return the loss by inverse propensities, with exact bounds by betting."""
    if not len(calls):
        return Bounded(math.nan, math.nan, math.nan)
    # Where the threshold says strong, nothing is lost.
    weights = np.where(calls.went_strong, 1.0, -1.0) / calls.propensity
    weights[calls.chosen_strong] = 0.0
    least = float(min(0.0, weights.min()))
    lost = weights * calls.quality
    # The same loss from what answers lack, so that both bounds come from large values only.
    gained = weights * (1 - calls.quality)
    draws = calls.draws()
    low = lower_bound(lost, draws, least, MISS / 2)
    high = -lower_bound(gained, draws, least, MISS / 2)
    low, high = max(-1.0, low), min(1.0, high)
    # The mean of both estimates: the weights' expectation is 0, and so the spread is less.
    value = float((lost - gained).mean()) / 2
    return Bounded(min(max(value, low), high), low, high)


def _doubly_robust(calls: Explored, is_strong: bool) -> Floats:
    """Return for each judged call a value whose expectation is the model's quality on it."""
    went = calls.went_strong == is_strong
    predicted = _predicted(calls, went)
    return predicted + np.where(went, (calls.quality - predicted) / calls.propensity, 0.0)


def _predicted(calls: Explored, went: NDArray[np.bool_]) -> Floats:
    """Return a model's quality as a line over the score, drawn for each block of draws through
    the calls before it that went to the model.
    """
    scores, quality = calls.scores, calls.quality
    columns = (np.ones(len(scores)), scores, quality, scores**2, scores * quality)
    sums = [np.concatenate(([0.0], np.cumsum(np.where(went, each, 0.0)))) for each in columns]
    starts = _starts(calls, _BLOCK)
    count, x, y, xx, xy = (each[starts] for each in sums)
    known = np.maximum(count, 1.0)
    slope = (xy - x * y / known) / (xx - x * x / known + _RIDGE)
    predicted: Floats = np.clip(y / known + slope * (scores - x / known), 0.0, 1.0)
    return np.where(count < _FEWEST, 0.5, predicted)


def _starts(calls: Explored, block: int) -> NDArray[np.int64]:
    """Return for each call where its block of so many draws begins, of calls by draw."""
    draws = calls.draws()
    is_first = np.append(True, draws[1:] != draws[:-1])[: len(calls)]
    number = np.cumsum(is_first) - 1
    found: NDArray[np.int64] = np.flatnonzero(is_first)[number // block * block]
    return found


def _saving(calls: Explored, prices: tuple[Price, Price]) -> Bounded:
    known = _taken(calls, ~(np.isnan(calls.given) | np.isnan(calls.answered)))
    costs, starts = [], _starts(known, 1)
    for is_strong, price in zip((True, False), prices, strict=True):
        went = known.went_strong == is_strong
        # Mean length of this model's answers so far; the first is predicted to be empty.
        told = np.cumsum(np.where(went, known.answered, 0.0)) / np.maximum(1, np.cumsum(went))
        before = np.append(0.0, told)[starts]
        predicted = price.costs(known.given, before)
        spent = price.costs(known.given, known.answered)
        costs.append(predicted + np.where(went, (spent - predicted) / known.propensity, 0.0))
    strong = costs[0]
    routed = np.where(known.chosen_strong, strong, costs[1])
    if not len(known) or strong.mean() <= 0:
        return Bounded(math.nan, math.nan, math.nan)
    left = float(routed.mean() / strong.mean())
    low, high = asymptotic(_by_draw((routed - left * strong) / strong.mean(), known.draws()), MISS)
    return Bounded(1 - left, 1 - left - high, 1 - left - low)


def _by_draw(values: Floats, draws: NDArray[np.int64]) -> Floats:
    """Return a value for each draw, of which the mean is that of the calls' values, which differ
    from it as the sums of their differences do.
    """
    mean, sizes = values.mean(), np.bincount(draws)
    found: Floats = np.bincount(draws, values - mean) / sizes.mean() + mean
    return found


def _bounded(values: Floats, draws: NDArray[np.int64], low: float, propensity: float) -> Bounded:
    """Return the mean of a doubly robust figure, which lies between ``low`` and 1.

    How far values spread is told by the few that explored calls gave, and before there are any, by
    none. So two more are counted for the interval, as far from the mean as values can be, each of
    a draw as large as the root mean square of the sizes, as the spread of sums grows with that:
    without them it missed the truth at some time in half of all runs with one call in a hundred
    explored.

    Args:
        values: shape (n,).
        draws: shape (n,), which each is of.
        low: see above.
        propensity: least of those by which what a prediction misses is divided.
    """
    if not len(values):
        return Bounded(math.nan, math.nan, math.nan)
    sizes = np.bincount(draws)
    mean, furthest = (
        float(values.mean()),
        float(np.sqrt((sizes**2).mean()) / sizes.mean()) / propensity,
    )
    ends = asymptotic(np.append(_by_draw(values, draws), (mean - furthest, mean + furthest)), MISS)
    bottom, top = np.clip(ends, low, 1.0).tolist()
    return Bounded(min(max(mean, bottom), top), bottom, top)


def _least(calls: Explored, which: NDArray[np.bool_] | None = None) -> float:
    """Return the least probability with which one of the calls goes to either model."""
    likely = calls.propensity if which is None else calls.propensity[which]
    return float(np.minimum(likely, 1 - likely).min(initial=0.5))


def _likely(calls: Explored) -> float:
    """Return the least probability with which one of the calls goes where the threshold says."""
    explored = calls.went_strong != calls.chosen_strong
    return float(np.where(explored, 1 - calls.propensity, calls.propensity).min(initial=1.0))
