"""The figures of a report: what was decided, what it cost, and how good it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ...decision import Tier
from ...evaluation.intervals import Estimate
from ...rules.drift import Sketch, Status, drifted, p_value
from .estimates import known, saving, share, weighted_mean
from .requests import TIERS, Floats, Requests

_PAIRS = 30
"""Answers of both models from which the ratio of their lengths is taken."""


@dataclass(frozen=True)
class Costs:
    """What a route's answers cost, in dollars, and what else they would have."""

    requests: int
    """Of how many requests tokens and prices are known."""
    served: float
    """What the answers that users got cost."""
    decided: float
    """What the decisions cost, or would have, where they were not acted on."""
    always_strong: float
    """What the strong model would have cost for all."""
    saving: Estimate | None
    """Share of ``always_strong`` that ``decided`` saves."""
    cached: float
    """Share of the tokens read that came from a provider's cache."""
    length_ratio: float | None
    """Tokens that the strong model writes for one of the weak model's, by the sampled pairs; None
    below 30 of them, where the same length is assumed."""


@dataclass(frozen=True)
class Quality:
    """How good answers were, where they were judged."""

    scores: dict[Tier, Estimate]
    """Mean score, in [0, 1], of the answers that users got."""
    n: dict[Tier, int]
    pairs: int
    """Sampled requests of which both answers were judged."""
    loss: Estimate | None
    """Mean score of always strong, less that of the decisions, by those pairs."""


@dataclass(frozen=True)
class Figures:
    """What there is to say of a route."""

    route: str
    models: dict[Tier, str]
    requests: int
    first_at: float
    """In seconds since 1970, as ``last_at``."""
    last_at: float
    acted: int
    """Requests that went where the decision said; the others were observed."""
    share: Estimate | None
    """Share of the decisions that are for the strong model."""
    causes: dict[str, int]
    costs: Costs | None
    """None where no price is known."""
    quality: Quality
    drift: Status
    warning: str | None
    """Of drift."""
    sampled: int
    shadow: dict[str, int]
    """How many shadow calls ended how: ``answered``, or why not."""
    spent_usd: float
    """What shadow calls have cost since the store was made."""
    lost: int
    """Records that could not be written."""


def figures_of(route: Requests) -> Figures:
    """Return the figures of a route with at least one request."""
    decided = np.array([float(row["decided"] == "strong") for row in route.rows])
    at, status = route.column("at"), _drift(route)
    models = route.about.get("models") or {}
    return Figures(
        route=route.route,
        models={tier: str(models[tier]) for tier in TIERS if models.get(tier)},
        requests=len(route.rows),
        first_at=float(at.min()),
        last_at=float(at.max()),
        acted=sum(bool(row["acted"]) for row in route.rows),
        share=share(decided),
        causes=dict(Counter(str(row["cause"]) for row in route.rows).most_common()),
        costs=_costs(route, decided),
        quality=_quality(route, decided),
        drift=status,
        warning=drifted(status, route.about.get("calibration")),
        sampled=sum(bool(row["sampled"]) for row in route.rows),
        shadow=dict(route.shadow_outcomes().most_common()),
        spent_usd=float(route.spent_usd),
        lost=int(route.lost),
    )


def _costs(route: Requests, decided: Floats) -> Costs | None:
    prices = route.about.get("prices") or {}
    if not all(tier in prices for tier in TIERS):
        return None
    given, written = route.of_served("input_tokens"), route.of_served("output_tokens")
    cached = np.minimum(np.nan_to_num(route.of_served("cached_tokens")), np.nan_to_num(given))
    served = np.array([float(tier == "strong") for tier in route.served()])
    actual = route.of_served("cost_usd")
    ratio = _length_ratio(route)

    def cost(tier: Tier) -> Floats:
        """Return what a tier's answers cost, or would: the user's own where it gave them."""
        price, is_strong = prices[tier], float(tier == "strong")
        factor = (ratio or 1.0) ** (is_strong - served)
        read = (given - cached) * price["input"] + cached * price["cached"]
        would = (read + written * factor * price["output"]) / 1e6
        return np.where((served == is_strong) & ~np.isnan(actual), actual, would)

    strong, weak = cost("strong"), cost("weak")
    counted = known(strong, weak)
    if not counted.any():
        return None
    strong, weak, by_decision = strong[counted], weak[counted], decided[counted]
    costs = np.where(by_decision == 1, strong, weak)
    return Costs(
        requests=int(counted.sum()),
        served=float(np.where(served[counted] == 1, strong, weak).sum()),
        decided=float(costs.sum()),
        always_strong=float(strong.sum()),
        saving=saving(costs, strong),
        cached=float(cached[counted].sum() / max(1.0, given[counted].sum())),
        length_ratio=ratio,
    )


def _length_ratio(route: Requests) -> float | None:
    strong, weak = (route.of_tier(tier, "output_tokens") for tier in TIERS)
    both = known(strong, weak)
    if both.sum() < _PAIRS or weak[both].sum() <= 0:
        return None
    return float(strong[both].sum() / weak[both].sum())


def _quality(route: Requests, decided: Floats) -> Quality:
    served = route.served()
    scores: dict[Tier, Estimate] = {}
    n: dict[Tier, int] = {}
    for tier in TIERS:
        values = route.feedback(tier)
        values = values[np.array([each == tier for each in served], bool) & known(values)]
        n[tier] = len(values)
        estimate = share(values)
        if estimate is not None:
            scores[tier] = estimate
    strong, weak = (route.feedback(tier) for tier in TIERS)
    propensity = route.column("propensity")
    pairs = known(strong, weak) & (propensity > 0)
    loss = np.where(decided == 1, 0.0, strong - weak)[pairs]
    return Quality(scores, n, int(pairs.sum()), weighted_mean(loss, 1 / propensity[pairs]))


def _drift(route: Requests) -> Status:
    """Return how far the scores are from those on which the threshold was chosen."""
    quantiles = route.about.get("quantiles") or []
    sketch = Sketch(quantiles, window=len(route.rows) + 1)
    for row in route.rows:
        if row["score"] is not None:
            sketch.add(row["score"], row["decided"] == "strong")
    scored, achieved, distance = sketch.figures()
    n, last = route.about.get("n"), route.rows[-1]
    chance = p_value(distance, scored, n) if distance is not None and n else None
    errors = Counter(
        str(row["cause"]).partition(":")[2]
        for row in route.rows
        if str(row["cause"]).startswith("error:")
    )
    return Status(
        router=str(last["router"]),
        threshold=float(last["threshold"] if last["threshold"] is not None else np.nan),
        target_share=route.about.get("target_share"),
        share=achieved,
        scored=scored,
        distance=distance,
        p_value=chance,
        errors=dict(errors),
    )
