"""Evaluate routers and baselines on a benchmark, all on the same resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..contracts import Router
from ..errors import ConfigError, RouteLLMError
from ..progress import SILENT, Progress
from ..routers.random import RandomRouter
from .benchmarks.benchmark import Benchmark
from .intervals import Estimate, band, interval, resamples
from .measure import GRID, Figures, Measuring
from .metrics import Floats, ranked_within
from .reliability import reliability
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
    Prices,
    RouterResult,
)
from .scoring import score_prompts

SEED = 0
"""Of the resampling, and of the random baseline."""


def compare(
    benchmark: Benchmark,
    routers: Mapping[str, Router | Exception],
    *,
    shares: Sequence[float] = (0.5,),
    prices: Prices = Prices(),  # noqa: B008  # it cannot be changed
    draws: int = 1000,
    cache: Path | None = None,
    progress: Progress = SILENT,
) -> BenchmarkResult:
    """Return all figures of the routers and of the baselines.

    A router that fails to score gets a result with an error; the others are still measured.

    Args:
        benchmark: the benchmark to measure on.
        routers: routers by name; an exception in place of one that failed to load.
        shares: shares of strong calls, in [0, 1], at which to report quality and cost.
        prices: what a query costs on each model, if the benchmark has no costs.
        draws: number of resamples for the intervals.
        cache: folder with scores of earlier runs; None to score again.
        progress: receives how many prompts are scored.

    Raises:
        ConfigError: a router has the name of a baseline other than random.
    """
    baselines = {
        LENGTH: np.array([float(len(prompt)) for prompt in benchmark.prompts]),
        MIX: np.zeros(len(benchmark.prompts)),
        ORACLE: benchmark.strong - benchmark.weak,
    }
    for name in (*baselines, STRONG, WEAK):
        if name in routers:
            raise ConfigError(f"'{name}' is the name of a baseline: give the router another one")
    scores, errors = _scores(benchmark, routers, cache, progress)
    if RANDOM not in routers:
        scores[RANDOM] = RandomRouter(SEED).score(benchmark.prompts)
    orders = {**scores, **baselines}
    if benchmark.folds is not None:
        orders = {name: ranked_within(benchmark.folds, order) for name, order in orders.items()}
    measuring = Measuring(benchmark, prices, shares, orders)
    found = _Found(
        measuring.once(), measuring.resampled(resamples(benchmark.units, draws, SEED)), shares
    )

    def routed(name: str, router: Router | Exception) -> RouterResult:
        if isinstance(router, Exception) or name in errors:
            return RouterResult(name, "router", errors[name])
        others = [LENGTH, MIX, *(other for other in routers if other in scores)]
        return replace(
            found.result(name),
            kind="router",
            fingerprint=router.fingerprint,
            scores=scores[name],
            over={other: found.over(name, other) for other in others if other != name},
            reliability=reliability(
                scores[name],
                benchmark.strong,
                benchmark.weak,
                benchmark.units,
                better=benchmark.better,
                draws=draws,
                seed=SEED,
            ),
        )

    random = [] if RANDOM in routers else [replace(found.result(RANDOM), scores=scores[RANDOM])]
    return BenchmarkResult(
        benchmark=benchmark.name,
        n=len(benchmark.prompts),
        units=int(benchmark.units.max()) + 1,
        excluded=benchmark.excluded,
        data_sha256=benchmark.data_sha256,
        draws=draws,
        seed=SEED,
        gapless=found.gapless,
        strong=benchmark.strong,
        weak=benchmark.weak,
        prompt_sha256=benchmark.prompt_sha256,
        shares=GRID,
        results=(
            *(routed(name, router) for name, router in routers.items()),
            *random,
            found.result(LENGTH),
            found.always(WEAK, 0),
            found.always(STRONG, 1),
            found.result(MIX),
            found.result(ORACLE),
        ),
        prices=None if benchmark.costs else prices,
    )


def _scores(
    benchmark: Benchmark,
    routers: Mapping[str, Router | Exception],
    cache: Path | None,
    progress: Progress,
) -> tuple[dict[str, Floats], dict[str, str]]:
    """Return the scores by router, and what went wrong by router."""
    scores, errors = {}, {}
    for name, router in routers.items():
        try:
            if isinstance(router, Exception):
                raise router
            scores[name] = score_prompts(
                name, router, benchmark.prompts, cache=cache, progress=progress
            )
        except Exception as error:
            errors[name] = reason(error)
    return scores, errors


def reason(error: Exception) -> str:
    """Return why a router failed, in words."""
    return str(error) if isinstance(error, RouteLLMError) else f"{type(error).__name__}: {error}"


class _Found:
    """Figures of each order on the benchmark itself and on its resamples, as results."""

    def __init__(
        self, value: dict[str, Figures], drawn: dict[str, Figures], shares: Sequence[float]
    ) -> None:
        self._value = value
        self._drawn = drawn
        self._shares = shares

    @property
    def gapless(self) -> int:
        return int(np.isnan(self._drawn[ORACLE]["apgr"]).sum())

    def result(self, name: str) -> RouterResult:
        """Return the figures of one order, as those of a baseline."""
        return RouterResult(
            name,
            "baseline",
            apgr=self._estimate(name, "apgr"),
            apgr_11=self._estimate(name, "apgr_11"),
            cpt_50=self._estimate(name, "cpt_50"),
            cpt_80=self._estimate(name, "cpt_80"),
            share_of_oracle_gain=self._estimate(name, "share_of_oracle_gain"),
            at=tuple(self._at(name, share, column) for column, share in enumerate(self._shares)),
            curve=Curve(self._value[name]["curve"][0], *band(self._drawn[name]["curve"])),
        )

    def always(self, name: str, share: int) -> RouterResult:
        """Return what sending all (share 1) or nothing (0) to the strong model gives."""
        return RouterResult(name, "baseline", at=(self._at(MIX, share, share - 2),))

    def over(self, name: str, other: str) -> Estimate:
        value = self._value[name]["apgr"] - self._value[other]["apgr"]
        drawn = self._drawn[name]["apgr"] - self._drawn[other]["apgr"]
        return Estimate(float(value[0]), *interval(drawn))

    def _at(self, name: str, share: float, column: int) -> AtShare:
        quality, cost, over_strong, over_random = (
            self._estimate(name, figure, column)
            for figure in ("quality", "cost", "saving_over_strong", "saving_over_random")
        )
        return AtShare(share, quality, cost, over_strong, None if name == MIX else over_random)

    def _estimate(self, name: str, figure: str, column: int | None = None) -> Estimate:
        value, drawn = self._value[name][figure], self._drawn[name][figure]
        if column is not None:
            value, drawn = value[:, column], drawn[:, column]
        return Estimate(float(value[0]), *interval(drawn))
