"""A small evaluation with routers whose scores are fixed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from routellm_core.contracts import Router
from routellm_core.evaluation.benchmarks.benchmark import Benchmark
from routellm_core.evaluation.compare import compare
from routellm_core.evaluation.results import BenchmarkResult

N = 60


class Fixed(Router):
    """Scores by the number a prompt ends with."""

    def __init__(self, seed: int) -> None:
        self._scores = np.random.default_rng(seed).uniform(0.3, 0.9, N)

    def score(self, prompts: Sequence[str]) -> np.ndarray:
        return self._scores[[int(prompt.split()[-1]) for prompt in prompts]]


def result_of(
    routers: dict[str, Router | Exception], name: str = "own", shares: Sequence[float] = (0.5,)
) -> BenchmarkResult:
    rng = np.random.default_rng(0)
    prompts = [f"{'long ' * int(rng.integers(9))}question {number}" for number in range(N)]
    strong, weak = rng.random(N) + 0.4, rng.random(N)
    benchmark = Benchmark(name, prompts, strong, weak, [""] * N, np.arange(N))
    return compare(benchmark, routers, shares=shares, draws=100)
