"""The results of an evaluation as plain values, for tables, plots, reports and results.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .intervals import Estimate
from .reliability import Reliability

RANDOM = "random"
"""Sends a query to the strong model by a hash of its prompt: one random order among many."""

LENGTH = "prompt length"
"""Sends the longest prompts to the strong model."""

MIX = "constant mix"
"""The mean over all random orders: the best that can be done without reading the prompt. At a
share of strong calls it recovers that share of the gap, so its APGR is 0.5."""

STRONG = "always strong"
WEAK = "always weak"

ORACLE = "oracle"
"""Knows both answers, and sends a query to the strong model in order of what that gains."""

FEW = 500
"""With fewer queries than this, intervals are too wide and too rough to rank routers."""


@dataclass(frozen=True)
class Prices:
    """What a query costs on each model if the benchmark does not say, both in the same unit.

    The defaults are the prices of GPT-4 and Mixtral 8x7B in dollars per million tokens (RouteLLM,
    arXiv 2406.18665), which assumes that queries have equally many tokens on both.
    """

    strong: float = 24.7
    weak: float = 0.24


@dataclass(frozen=True)
class Curve:
    """Quality against the share of strong calls, with a 95 % interval at each share."""

    quality: NDArray[np.float64]
    """At each of ``BenchmarkResult.shares``, shape (s,)."""
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True)
class AtShare:
    """What a router gives when a certain share of the queries goes to the strong model."""

    share: float
    """In [0, 1]; 1 for always strong, 0 for always weak."""
    quality: Estimate
    """Mean quality of the answers."""
    cost: Estimate
    """Mean cost of a query, in the unit of the prices."""
    saving_over_strong: Estimate
    """1 - cost / cost of sending everything to the strong model."""
    saving_over_random: Estimate | None
    """1 - cost / cost of the constant mix of equal quality; None for that mix itself."""


@dataclass(frozen=True)
class RouterResult:
    """Every figure of one router or baseline on one benchmark.

    All figures are None if the router failed. Figures that depend on an order of the queries are
    None for always strong and always weak, which have no order.
    """

    name: str
    kind: Literal["router", "baseline"]
    error: str | None = None
    """Why there are no figures; None if all went well."""
    fingerprint: str | None = None
    """Names what the scores depend on; None if the router has none."""
    scores: NDArray[np.float64] | None = None
    """Strong win rates, shape (n,), each in [0, 1]; None for baselines but random."""
    apgr: Estimate | None = None
    """Average performance gap recovered, every query a level of the share."""
    apgr_11: Estimate | None = None
    """The same at RouteLLM's eleven thresholds, to compare with published figures."""
    cpt_50: Estimate | None = None
    """Least share of strong calls, in [0, 1], that recovers 50 % of the gap."""
    cpt_80: Estimate | None = None
    """The same for 80 %."""
    share_of_oracle_gain: Estimate | None = None
    """(APGR - 0.5) / (APGR of the oracle - 0.5)."""
    at: tuple[AtShare, ...] = ()
    """At each share asked for; for always strong and always weak, at their own alone."""
    over: dict[str, Estimate] = field(default_factory=dict)
    """APGR less that of another, by the other's name, paired. Of routers alone: over prompt
    length, the constant mix and every other router."""
    curve: Curve | None = None
    reliability: Reliability | None = None
    """Whether the win rates are probabilities. Of routers alone."""


@dataclass(frozen=True)
class BenchmarkResult:
    """All routers and baselines on one benchmark, on the same resamples of its queries."""

    benchmark: str
    n: int
    """How many queries."""
    units: int
    """How many of them are independent: groups of queries, if the benchmark names groups."""
    excluded: int
    """Queries left out on request."""
    data_sha256: str
    """Digest of prompts, qualities, costs and groups, after what was left out."""
    draws: int
    seed: int
    gapless: int
    """Resamples in which the strong model is no better, which count for no figure of the gap."""
    strong: NDArray[np.float64]
    """Quality of the strong model's answers, shape (n,)."""
    weak: NDArray[np.float64]
    """Quality of the weak model's, shape (n,)."""
    prompt_sha256: tuple[str, ...]
    """Digest of each prompt, n of them."""
    shares: NDArray[np.float64]
    """At which the curves are given, ascending from 0 to 1, shape (s,)."""
    results: tuple[RouterResult, ...]
    """The routers in the order asked for, then the baselines, the oracle last."""
    prices: Prices | None = None
    """What costs were computed with; None if the benchmark has its own."""

    def named(self, name: str) -> RouterResult:
        """Return the result of a router or baseline. Raises KeyError if there is none."""
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)
