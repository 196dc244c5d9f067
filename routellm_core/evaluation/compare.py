"""Measure routers and baselines on a benchmark, all on the same resamples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import RouteLLMError
from ..routers.base import Router
from ..routers.random import RandomRouter
from .benchmarks import Benchmark
from .intervals import band, interval, resamples
from .metrics import Curves, Floats, Ranking
from .results import (
    LENGTH,
    MIX,
    ORACLE,
    RANDOM,
    STRONG,
    WEAK,
    AtShare,
    BenchmarkResult,
    Curve,
    Estimate,
    RouterResult,
)
from .scoring import Track, score_prompts

SEED = 0
"""Of the resampling, and of the random baseline."""

GRID = np.linspace(0.0, 1.0, 101)
"""Shares of strong calls at which curves are given."""

_Figures = dict[str, Floats]
"""By figure: a row per resample, shape (r,), (r, shares) or (r, len(GRID))."""


@dataclass(frozen=True)
class Prices:
    """What a query costs on each model, where the benchmark does not tell; in any one unit.

    The defaults are GPT-4 and Mixtral 8x7B in dollars per million tokens (RouteLLM, arXiv
    2406.18665), for queries as long on the one as on the other.
    """

    strong: float = 24.7
    weak: float = 0.24


def compare(
    benchmark: Benchmark,
    routers: Mapping[str, Router | Exception],
    *,
    shares: Sequence[float] = (0.5,),
    prices: Prices | None = None,
    draws: int = 1000,
    cache: Path | None = None,
    track: Track = lambda steps, what: steps,
) -> BenchmarkResult:
    """Return every figure of the routers and of the baselines.

    A router that fails to score gets a result with an error, and the others go on.

    Args:
        benchmark: what to measure on.
        routers: by name; an exception stands for one that failed to load.
        shares: of strong calls at which to give quality and cost, in [0, 1].
        prices: of queries, if the benchmark has no costs.
        draws: resamples for the intervals.
        cache: folder with scores of earlier runs; None to score anew.
        track: shows progress of long scoring.
    """
    scores, errors = _scores(benchmark, routers, cache, track)
    baselines = {
        LENGTH: np.array([float(len(prompt)) for prompt in benchmark.prompts]),
        MIX: np.zeros(len(benchmark.prompts)),
        ORACLE: benchmark.strong - benchmark.weak,
    }
    if RANDOM not in routers:
        scores[RANDOM] = RandomRouter(SEED).score(benchmark.prompts)
    measuring = _Measuring(benchmark, prices or Prices(), shares, {**scores, **baselines})
    value = measuring.measure([np.ones((1, len(benchmark.prompts)))])
    drawn = measuring.measure(resamples(benchmark.units, draws, SEED))

    def order(name: str) -> RouterResult:
        if name in errors:
            return RouterResult(name, "router", errors[name])
        return _result(name, name in routers, scores.get(name), shares, value, drawn, routers)

    return BenchmarkResult(
        benchmark=benchmark.name,
        n=len(benchmark.prompts),
        units=int(benchmark.units.max()) + 1,
        data_sha256=benchmark.data_sha256,
        draws=draws,
        seed=SEED,
        gapless=int(np.isnan(drawn[ORACLE]["apgr"]).sum()),
        strong=benchmark.strong,
        weak=benchmark.weak,
        prompt_sha256=benchmark.prompt_sha256,
        shares=GRID,
        results=(
            *(order(name) for name in dict.fromkeys([*routers, RANDOM, LENGTH])),
            _constant(WEAK, 0, value[MIX], drawn[MIX]),
            _constant(STRONG, 1, value[MIX], drawn[MIX]),
            order(MIX),
            order(ORACLE),
        ),
    )


def _scores(
    benchmark: Benchmark,
    routers: Mapping[str, Router | Exception],
    cache: Path | None,
    track: Track,
) -> tuple[dict[str, Floats], dict[str, str]]:
    scores, errors = {}, {}
    for name, router in routers.items():
        try:
            if isinstance(router, Exception):
                raise router
            scores[name] = score_prompts(name, router, benchmark.prompts, cache=cache, track=track)
        except Exception as error:
            known = isinstance(error, RouteLLMError)
            errors[name] = str(error) if known else f"{type(error).__name__}: {error}"
    return scores, errors


class _Measuring:
    """Takes every figure of every order of the queries, one block of resamples at a time.

    Figures at shares are taken at those asked for, then at 0 and at 1.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        prices: Prices,
        shares: Sequence[float],
        orders: Mapping[str, Floats],
    ) -> None:
        everywhere = np.ones(len(benchmark.prompts))
        self._gains = benchmark.strong - benchmark.weak
        self._weak = benchmark.weak
        self._strong_cost, self._weak_cost = benchmark.costs or (
            prices.strong * everywhere,
            prices.weak * everywhere,
        )
        self._shares = np.array([*shares, 0.0, 1.0])
        self._rankings = {name: Ranking(scores) for name, scores in orders.items()}

    def measure(self, blocks: Iterable[Floats]) -> dict[str, _Figures]:
        """Return the figures of each order, by name.

        Args:
            blocks: how often each query is in each resample, each of shape (r, n).
        """
        parts: dict[str, list[_Figures]] = {name: [] for name in self._rankings}
        for counts in blocks:
            figures = {
                name: self._figures(Curves(ranking, counts, self._gains), counts)
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

    def _figures(self, curves: Curves, counts: Floats) -> _Figures:
        n = counts.sum(axis=1)
        weak, weak_cost, strong_cost = (
            (counts @ values / n)[:, None]
            for values in (self._weak, self._weak_cost, self._strong_cost)
        )
        extra = self._strong_cost - self._weak_cost
        cost = weak_cost + curves.mean_over_strong(extra, self._shares)
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


def _result(
    name: str,
    routed: bool,
    scores: Floats | None,
    shares: Sequence[float],
    value: Mapping[str, _Figures],
    drawn: Mapping[str, _Figures],
    routers: Iterable[str],
) -> RouterResult:
    own, its_draws = value[name], drawn[name]
    others = [LENGTH, MIX, *routers] if routed else []
    return RouterResult(
        name,
        "router" if routed else "baseline",
        scores=scores,
        apgr=_estimate(own["apgr"], its_draws["apgr"]),
        apgr_11=_estimate(own["apgr_11"], its_draws["apgr_11"]),
        cpt_50=_estimate(own["cpt_50"], its_draws["cpt_50"]),
        cpt_80=_estimate(own["cpt_80"], its_draws["cpt_80"]),
        share_of_oracle_gain=_estimate(
            own["share_of_oracle_gain"], its_draws["share_of_oracle_gain"]
        ),
        at=tuple(
            _at(share, column, own, its_draws, beside_mix=name != MIX)
            for column, share in enumerate(shares)
        ),
        over={
            other: _estimate(
                own["apgr"] - value[other]["apgr"], its_draws["apgr"] - drawn[other]["apgr"]
            )
            for other in others
            if other != name and other in value
        },
        curve=Curve(own["curve"][0], *band(its_draws["curve"])),
    )


def _constant(name: str, share: int, value: _Figures, drawn: _Figures) -> RouterResult:
    return RouterResult(
        name, "baseline", at=(_at(share, share - 2, value, drawn, beside_mix=False),)
    )


def _at(
    share: float, column: int, value: _Figures, drawn: _Figures, *, beside_mix: bool
) -> AtShare:
    quality, cost, over_strong, over_random = (
        _estimate(value[figure][:, column], drawn[figure][:, column])
        for figure in ("quality", "cost", "saving_over_strong", "saving_over_random")
    )
    return AtShare(share, quality, cost, over_strong, over_random if beside_mix else None)


def _estimate(value: Floats, drawn: Floats) -> Estimate:
    return Estimate(float(value[0]), *interval(drawn))


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return a quotient, NaN where the divisor is 0."""
    return np.asarray(above / np.where(below == 0, np.nan, below))
