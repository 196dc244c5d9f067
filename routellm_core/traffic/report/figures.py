"""The figures of a report: what was decided, what it cost, and how good it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...decision import Tier
from ...evaluation.intervals import Estimate
from ...rules.drift import Sketch, Status, drifted, p_value
from ..exploration.estimate import Estimates, estimate
from .estimates import mean_loss, saving, share
from .requests import TIERS, Floats, Judged, Requests

_PAIRS = 30
"""Answers of both models from which the ratio of their lengths is taken."""


Source = Literal["store", "logs", "metrics"]
"""What figures are from."""


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
    """Share of ``always_strong`` that ``decided`` saves; without an interval (NaN) where only sums
    are known."""
    cached: float | None
    """Share of the tokens read that came from a provider's cache; None if no answer says."""
    warm: float
    """The share that a strong model for all is taken to have read from its cache."""
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

    source: Source
    route: str
    models: dict[Tier, str]
    requests: int
    first_at: float
    """In seconds since 1970, as ``last_at``; NaN where it is not known."""
    last_at: float
    acted: int
    """Requests that went where the decision said; the others were observed."""
    share: Estimate | None
    """Share of the decisions that are for the strong model."""
    causes: dict[str, int]
    costs: Costs | None
    """None where no price is known."""
    quality: Quality
    exploration: Estimates | None
    """Of the threshold alone, by calls that were drawn at random; None where none was, or where
    the source does not tell."""
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


def figures_of(route: Requests, source: Source = "store") -> Figures:
    """Return the figures of a route with at least one request."""
    decided, at, status = route.column("decided"), route.column("at"), _drift(route)
    models = route.about.get("models") or {}
    return Figures(
        source=source,
        route=route.route,
        models={tier: str(models[tier]) for tier in TIERS if models.get(tier)},
        requests=len(route),
        first_at=float(np.fmin.reduce(at)),
        last_at=float(np.fmax.reduce(at)),
        acted=int(route.column("acted").sum()),
        share=share(decided, route.units()),
        causes=dict(route.causes.most_common()),
        costs=_costs(route),
        quality=_quality(route.judged, route.repeated),
        exploration=None if route.explored is None else estimate(route.explored),
        drift=status,
        warning=drifted(status, route.about.get("calibration")),
        sampled=route.sampled,
        shadow=dict(route.shadow.most_common()),
        spent_usd=float(route.spent_usd),
        lost=int(route.lost),
    )


def _costs(route: Requests) -> Costs | None:
    prices = route.about.get("prices") or {}
    if not all(tier in prices for tier in TIERS):
        return None
    given, written = route.column("input_tokens"), route.column("output_tokens")
    told = route.column("cached_tokens")
    cached, warm = (
        np.minimum(np.nan_to_num(each), np.nan_to_num(given))
        for each in (told, route.column("warm_tokens"))
    )
    served, actual = route.column("served"), route.column("cost_usd")
    n, *tokens = route.lengths
    ratio = tokens[0] / tokens[1] if n >= _PAIRS and tokens[1] > 0 else None

    def cost(tier: Tier) -> Floats:
        """Return what a tier's answers cost, or would: the user's own where it gave them."""
        price, is_strong = prices[tier], float(tier == "strong")
        factor = (ratio or 1.0) ** (is_strong - served)
        read = (given - cached) * price["input"] + cached * price["cached"]
        would = (read + written * factor * price["output"]) / 1e6
        return np.where((served == is_strong) & ~np.isnan(actual), actual, would)

    strong, weak = cost("strong"), cost("weak")
    saved = (warm - cached) * (prices["strong"]["input"] - prices["strong"]["cached"]) / 1e6
    counted = ~np.isnan(strong) & ~np.isnan(weak)
    if not counted.any():
        return None
    strong, weak = strong[counted], weak[counted]
    always_strong = strong - saved[counted]
    costs = np.where(route.column("decided")[counted] == 1, strong, weak)
    return Costs(
        requests=int(counted.sum()),
        served=float(np.where(served[counted] == 1, strong, weak).sum()),
        decided=float(costs.sum()),
        always_strong=float(always_strong.sum()),
        saving=saving(costs, always_strong, route.units(counted)),
        cached=None
        if np.isnan(told[counted]).all()
        else float(cached[counted].sum() / max(1.0, given[counted].sum())),
        warm=float(warm[counted].sum() / max(1.0, given[counted].sum())),
        length_ratio=ratio,
    )


def _quality(judged: Sequence[Judged], repeated: Mapping[tuple[str, Tier], float]) -> Quality:
    scores: dict[Tier, Estimate] = {}
    n: dict[Tier, int] = {}
    for tier in TIERS:
        values = np.array([each.scores[tier] for each in judged if each.served == tier])
        n[tier] = len(values)
        estimate = share(values)
        if estimate is not None:
            scores[tier] = estimate
    pairs = [each for each in judged if len(each.scores) == 2 and each.propensity > 0]
    loss = np.array([each.scores["strong"] - each.scores[each.decided] for each in pairs])
    weights = np.array([1 / each.propensity for each in pairs])
    # Those that were judged of a prompt count for all that were sampled of it.
    prompts = [None if each.prompt is None else (each.prompt, each.decided) for each in pairs]
    judged_of: defaultdict[tuple[str, Tier] | None, float] = defaultdict(float)
    for prompt, weight in zip(prompts, weights.tolist(), strict=True):
        judged_of[prompt] += weight
    for at, prompt in enumerate(prompts):
        if prompt is not None:
            weights[at] *= max(1.0, repeated.get(prompt, 0.0) / judged_of[prompt])
    return Quality(scores, n, len(pairs), mean_loss(loss, weights))


def _drift(route: Requests) -> Status:
    """Return how far the scores are from those on which the threshold was chosen."""
    sketch = Sketch(route.about.get("quantiles") or [], window=len(route) + 1)
    for score, is_strong in zip(route.column("score"), route.column("decided"), strict=True):
        if not np.isnan(score):
            sketch.add(float(score), bool(is_strong))
    scored, achieved, distance = sketch.figures()
    n = route.about.get("n")
    failed = {cause: k for cause, k in route.causes.items() if cause.startswith("error:")}
    return Status(
        router=route.router,
        threshold=route.threshold,
        target_share=route.about.get("target_share"),
        share=achieved,
        scored=scored,
        distance=distance,
        p_value=p_value(distance, scored, n) if distance is not None and n else None,
        errors={cause.partition(":")[2]: k for cause, k in failed.items()},
    )
