"""Compute all figures of all routers on many resamples at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .benchmarks.benchmark import Benchmark
from .metrics import Curves, Floats, Ranking
from .results import ORACLE, Prices

GRID = np.linspace(0.0, 1.0, 101)
"""Shares of strong calls at which curves are given."""

Figures = dict[str, Floats]
"""By figure: a row per resample, shape (r,), (r, shares) or (r, len(GRID)). Figures at shares
are given at those asked for, then at 0 and at 1."""


class Measuring:
    """Computes the figures of each order of a benchmark's queries on given resamples.

    Args:
        benchmark: the benchmark, with n queries.
        prices: what a query costs on each model, if the benchmark has no costs.
        shares: shares of strong calls, in [0, 1].
        orders: scores by name, each of shape (n,), including ``ORACLE``.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        prices: Prices,
        shares: Sequence[float],
        orders: Mapping[str, Floats],
    ) -> None:
        self._n = len(benchmark.prompts)
        self._gains = benchmark.strong - benchmark.weak
        self._weak = benchmark.weak
        same = np.ones(self._n)
        costs = benchmark.costs or (prices.strong * same, prices.weak * same)
        self._strong_cost, self._weak_cost = costs
        self._shares = np.array([*shares, 0.0, 1.0])
        self._rankings = {name: Ranking(scores) for name, scores in orders.items()}

    def once(self) -> dict[str, Figures]:
        """Return the figures of each order on the benchmark itself, by name; r is 1."""
        return self.resampled([np.ones((1, self._n))])

    def resampled(self, blocks: Iterable[Floats]) -> dict[str, Figures]:
        """Return the figures of each order, by name.

        Args:
            blocks: arrays of shape (r, n): how often each resample contains each query.
        """
        parts: dict[str, list[Figures]] = {name: [] for name in self._rankings}
        for counts in blocks:
            # Not by matrix products, whose last bits depend on the number of threads.
            weak, weak_cost, strong_cost = (
                np.einsum("rn,n->r", counts, values)[:, None] / counts.sum(axis=1, keepdims=True)
                for values in (self._weak, self._weak_cost, self._strong_cost)
            )
            figures = {
                name: self._figures(
                    Curves(ranking, counts, self._gains), weak, weak_cost, strong_cost
                )
                for name, ranking in self._rankings.items()
            }
            best = figures[ORACLE]["apgr"] - 0.5
            for name, own in figures.items():
                own["share_of_oracle_gain"] = _ratio(own["apgr"] - 0.5, best)
                parts[name].append(own)
        return {
            name: {figure: np.concatenate([part[figure] for part in own]) for figure in own[0]}
            for name, own in parts.items()
        }

    def _figures(
        self, curves: Curves, weak: Floats, weak_cost: Floats, strong_cost: Floats
    ) -> Figures:
        extra = self._strong_cost - self._weak_cost
        cost = weak_cost + curves.mean_over_strong(extra, self._shares)
        # The mix of equal quality; where the router beats the strong model, that model alone.
        mixed = np.clip(curves.pgr(self._shares), 0, 1)
        return {
            "apgr": curves.apgr(),
            "apgr_11": curves.apgr_at_thresholds(),
            "cpt_50": curves.cpt(0.5),
            "cpt_80": curves.cpt(0.8),
            "quality": weak + curves.mean_gain(self._shares),
            "cost": cost,
            "saving_over_strong": 1 - _ratio(cost, strong_cost),
            "saving_over_random": 1 - _ratio(cost, weak_cost + mixed * (strong_cost - weak_cost)),
            "curve": weak + curves.mean_gain(GRID),
        }


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return a quotient, NaN where the divisor is 0."""
    return np.asarray(above / np.where(below == 0, np.nan, below))
