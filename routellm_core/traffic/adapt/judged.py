"""Judge the moved router on labels that it did not learn, and find a threshold for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...data.digests import sha256_of
from ...data.labels import split_position
from ...evaluation.benchmarks.benchmark import Benchmark
from ...evaluation.compare import compare
from ...evaluation.intervals import Estimate, interval, resamples
from ...evaluation.metrics import ranked_within
from ...evaluation.paired import mean_difference
from ...evaluation.results import BenchmarkResult, Prices
from ...routers.embedding_checkpoint import sigmoid
from ...rules.risk import Bounded, bounded_loss
from ...training.validation.run import KnownScores
from .labels import Labels
from .move import Moved, Mover, move

Floats = NDArray[np.float64]

ADAPTED, BASE = "adapted", "not adapted"
"""Names of the moved router and of the one it was moved from, in the results."""

FOLDS = 5
_Z = 1.959964
CHANCE = 0.05
"""Of labels that say nothing of prompts, how many may seem to."""

_ORDERS = 80
"""Orders of the labels by which that is told, the one that they have included."""

DRAWS = 1000
SEED = 0


@dataclass(frozen=True)
class AtThreshold:
    """What routing at a threshold gives on the labels."""

    share: Estimate
    """Of the calls that go to the weak model."""
    saving: Estimate | None
    """1 - cost / cost of always strong; None where costs are not known."""
    loss: Estimate
    """Mean quality of always strong less that of routing."""


@dataclass(frozen=True)
class Judged:
    """What the labels say of the router that is to be deployed."""

    scores: Floats
    """Of the labelled prompts, by that router, shape (n,): traffic like them scores likewise, and
    not as by the five that judge, each with a level of its own."""
    keeps_base: bool
    """Whether the base router is kept, since moving it orders these labels worse."""
    gap: Estimate
    """Mean quality of the strong model's answers less that of the weak one's."""
    result: BenchmarkResult | None
    """The adapted router, the base, prompt length and the constant mix; None where the strong
    model is no better."""
    bounded: Bounded
    at: AtThreshold | None
    """At the bound's threshold, if there is one."""
    moved: Moved | None
    """The router that learned all labels; None where the base is kept."""
    weak_alone: bool
    """Whether calling the weak model alone is within the bound."""
    chance: float
    """How likely labels that say nothing of prompts look as good; 1 where there is no threshold, or
    no ``result``."""

    spread: float
    """Standard deviation of the APGR of prompts in random order; infinite where the strong model is
    no better."""


def win_rates(gains: Floats) -> Floats:
    """Return strong win rates, (1 + d) / 2 near 0 and in (0, 1) everywhere, shape (n,).

    Args:
        gains: expected quality of the strong model's answer less that of the weak one's.
    """
    rates: Floats = sigmoid(2 * gains)
    return rates


def judge(
    features: Floats,
    base: tuple[Floats, Floats],
    labels: Labels,
    *,
    embedding: int,
    max_loss: float,
    confidence: float,
    prices: Prices | None,
) -> Judged:
    """Return what the labels say, by five folds of prompts.

    Args:
        features: standardised, of the labelled prompts, shape (n, D).
        base: of the router that labels move, the weights of its logit, shape (D,), and its strong
            win rates, shape (n,).
        labels: n of them.
        embedding: how many of the features, the first ones, are an embedding's.
        max_loss: most that mean quality may be below always strong, in (0, 1).
        confidence: of that, in (0, 1).
        prices: of a query, where the labels have no costs.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    folds = folds_of(labels.prompts)
    base_scores = base[1]
    fit = _CrossFit(features, base, folds, embedding)
    scores, keeps_base = fit.best(labels.gains)
    moved = None if keeps_base else move(features, base[0], labels.gains, embedding)
    deployed = base_scores if moved is None else win_rates(moved.gains(features))
    result = None
    if labels.strong.mean() > labels.weak.mean():
        result = _compared(labels, folds, {ADAPTED: scores, BASE: base_scores}, prices)

    def bounded_by(of: Floats) -> Bounded:
        # Not the quantiles of the new router: the thresholds must not depend on these labels.
        most = max_loss * labels.unit
        return bounded_loss(of, labels.strong, labels.weak, max_loss=most, confidence=confidence)

    bounded, alone = bounded_by(scores), bounded_by(np.zeros(len(scores)))
    return Judged(
        deployed,
        keeps_base,
        _gap(labels),
        result,
        bounded,
        None
        if bounded.threshold is None
        else at_threshold(scores, bounded.threshold, labels, prices, deployed),
        moved,
        alone.threshold is not None,
        1.0 if result is None or bounded.threshold is None else fit.chance(labels.gains, scores),
        _spread(labels.gains),
    )


def _spread(gains: Floats) -> float:
    # Of ranks in (0, 1) at random the variance is 1/12.
    spread, total = float(gains.std()) * np.sqrt(len(gains) / 12), float(gains.sum())
    return float(spread / total) if total > 0 else float("inf")


def folds_of(prompts: Sequence[str]) -> NDArray[np.int64]:
    """Return the fold of each prompt, by its hash, in [0, FOLDS), shape (n,)."""
    return np.array([int(split_position(prompt) * FOLDS) for prompt in prompts], np.int64)


def cross_fitted(
    features: Floats,
    base: tuple[Floats, Floats],
    gains: Floats,
    folds: NDArray[np.int64],
    embedding: int,
) -> Floats:
    """Return the win rate of each prompt by the router moved by the other folds' labels, shape
    (n,); arguments as for ``judge``.
    """
    return _CrossFit(features, base, folds, embedding).scores(gains)


class _CrossFit:
    """Scores prompts by routers that did not learn them; arguments as for ``cross_fitted``."""

    def __init__(
        self,
        features: Floats,
        base: tuple[Floats, Floats],
        folds: NDArray[np.int64],
        embedding: int,
    ) -> None:
        self._before, self._folds, self._features = base[1], folds, features
        self._movers = [
            (folds == number, Mover(features[folds != number], base[0], embedding))
            for number in np.unique(folds)
            if (folds != number).any()
        ]

    def scores(self, gains: Floats) -> Floats:
        """Return the win rate of each prompt by the labels of the other folds, shape (n,)."""
        scores: Floats = self._before.copy()
        for held, mover in self._movers:
            moved = mover.moved(gains[~held])
            if moved is not None:
                scores[held] = win_rates(moved.gains(self._features[held]))
        return scores

    def best(self, gains: Floats) -> tuple[Floats, bool]:
        """Return the scores to judge by, and whether they are those of the base router, which is
        kept.
        """
        scores = self.scores(gains)
        keeps_base = worsens(scores, self._before, gains, self._folds)
        return (self._before if keeps_base else scores), keeps_base

    def chance(self, gains: Floats, scores: Floats) -> float:
        """Return how likely scores order the prompts as well if labels say nothing of prompts: the
        p-value of a test that learns and judges anew with the labels in random orders.

        The scores of five routers depend on each other, and one was chosen. By intervals that take
        them as they are, one in twelve of shuffled labels showed an advantage.
        """

        def ordered(gains: Floats, scores: Floats) -> float:
            return float(ranked_within(self._folds, scores) @ gains)

        rng, found = np.random.default_rng(SEED), ordered(gains, scores)
        as_good = 0
        for tried in range(1, _ORDERS):
            mixed = rng.permutation(gains)
            as_good += ordered(mixed, self.best(mixed)[0]) >= found
            if as_good >= _ORDERS * CHANCE:  # more can only make it likelier
                return (1 + as_good) / (1 + tried)
        return (1 + as_good) / _ORDERS


def worsens(scores: Floats, before: Floats, gains: Floats, folds: NDArray[np.int64]) -> bool:
    """Whether scores recover less of the gap than those before, by more than two standard errors.

    Few labels cannot show that they help, and on average they do. So the burden is on the old
    order, each ranked within its fold.

    Args:
        scores: of prompts by routers that did not learn them, shape (n,).
        before: of the same by the router that is to be replaced.
        gains: quality of the strong model's answer less that of the weak one's.
        folds: of each prompt.
    """
    change = (ranked_within(folds, scores) - ranked_within(folds, before)) * gains
    return bool(change.mean() < -2 * change.std() / np.sqrt(len(change)))


def at_threshold(
    scores: Floats, threshold: float, labels: Labels, prices: Prices | None, deployed: Floats
) -> AtThreshold:
    """Return what a threshold gives on the labels, with 95 % intervals.

    Share and saving are of the router that is deployed: they depend on the labels only through it;
    their intervals allow for what it decides otherwise than the five. The loss is that of as many
    calls as it sends to the weak model, in the order of routers that did not learn the label: of
    five, each with a level of its own, the threshold would send a few more or less. The loss's
    interval is no bootstrap's, as few labels lose or gain, and none of them may.

    Args:
        scores: of the labelled prompts, each by a router that did not learn it, shape (n,).
        threshold: below which a prompt goes to the weak model.
        labels: n of them.
        prices: of a query, where the labels have no costs.
        deployed: scores by the router that learned all labels, shape (n,).
    """
    is_weak = deployed < threshold
    n, gains = len(scores), labels.strong - labels.weak
    # Both are a draw of a router by such labels. Where they decide otherwise, they differ by twice
    # the variance of one.
    apart = (is_weak != (scores < threshold)) / 2

    def ratio(above: Floats, below: Floats) -> Estimate:
        found = _ratio(np.where(is_weak, above, 0.0), below)
        return _widened(found, float((apart * above**2).sum()) / float(below.sum()) ** 2)

    share = ratio(np.ones(n), np.ones(n))
    costs, saving = labels.costs, None
    if costs is None and prices is not None:
        costs = np.full(n, prices.strong), np.full(n, prices.weak)
    if costs is not None and costs[0].sum() > 0:
        saving = _saving(ratio(costs[0] - costs[1], costs[0]), costs)
    as_many = is_weak
    if (deployed != scores).any():  # the base router, if kept, learned none of the labels
        order = np.argsort(ranked_within(folds_of(labels.prompts), scores), kind="stable")
        as_many = np.zeros(n, bool)
        as_many[order[: int(is_weak.sum())]] = True
    return AtThreshold(
        Estimate(share.value, max(0.0, share.low), min(1.0, share.high)),
        saving,
        _mean_loss(np.where(as_many, gains, 0.0), labels.unit),
    )


def _saving(found: Estimate, costs: tuple[Floats, Floats]) -> Estimate:
    """Return a saving within what is possible: below 0 only where a weak answer costs more."""
    low = found.low if (costs[1] > costs[0]).any() else max(0.0, found.low)
    return Estimate(found.value, low, min(1.0, found.high))


def _widened(found: Estimate, variance: float) -> Estimate:
    """Return an estimate whose error has so much more variance."""
    more = _Z**2 * variance
    low, high = (float(np.sqrt((end - found.value) ** 2 + more)) for end in (found.low, found.high))
    return Estimate(found.value, found.value - low, found.value + high)


def _mean_loss(losses: Floats, unit: float) -> Estimate:
    """Return the mean of losses, each in [-1, 1], by ``unit``: what a loss of 1 is in them."""
    found = mean_difference(losses)
    return Estimate(found.value / unit, found.low / unit, found.high / unit)


def _ratio(above: Floats, below: Floats) -> Estimate:
    drawn = np.concatenate(
        [counts @ above / (counts @ below) for counts in resamples(_units(above), DRAWS, SEED)]
    )
    return Estimate(float(above.sum() / below.sum()), *interval(drawn))


def _gap(labels: Labels) -> Estimate:
    # No bootstrap's interval: of 20 labels none of which differs, it would hold 0 alone.
    return _mean_loss(labels.strong - labels.weak, labels.unit)


def _units(rows: Sequence[object] | Floats) -> NDArray[np.int64]:
    return np.arange(len(rows))


def _compared(
    labels: Labels, folds: NDArray[np.int64], scores: dict[str, Floats], prices: Prices | None
) -> BenchmarkResult:
    benchmark = Benchmark(
        "labels",
        labels.prompts,
        labels.strong,
        labels.weak,
        groups=[""] * len(labels.prompts),
        units=_units(labels.prompts),
        costs=labels.costs,
        folds=folds,
    )
    digests = [sha256_of(prompt) for prompt in labels.prompts]
    routers = {
        name: KnownScores(dict(zip(digests, each.tolist(), strict=True)))
        for name, each in scores.items()
    }
    result = compare(benchmark, routers, prices=prices or Prices(), draws=DRAWS)
    return result if prices or labels.costs else replace(result, prices=None)
