"""A report in words: the same lines at the terminal and in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ...evaluation.intervals import Estimate
from ...rules.drift import LEAST
from ..exploration.estimate import Estimates
from .figures import Costs, Figures, Source
from .requests import TIERS

Line = tuple[str, str]
"""What is told, and the figures."""

_EXPLORED = 30
"""Judged answers to calls that went to the other model, from which on an interval for many calls
is shown."""

_IN_FLIGHT = "in flight (now, or when their process ended)"
"""Sampled requests to which no answer of the other model was kept, nor why there is none."""

NO_LABELS: Mapping[Source, str] = {
    "store": "not known: no answer was judged. Give feedback (`--feedback`), or judge the sampled "
    "pairs (`routellm store export`, `routellm label`)",
    "logs": "not known: no answer was judged. Give feedback (`--feedback`)",
    "metrics": "not known: metrics have no answers. A store (`shadow`) or logs with `--feedback` "
    "tell",
}
NO_LOSS = (
    "not known: logs have one answer to each request. A store (`shadow`) has both; with `explore`, "
    "`routellm explored` estimates it"
)
NO_PRICES: Mapping[Source, str] = {
    "store": "not known: no prices. Set strong_price and weak_price in `shadow`",
    "logs": "not known: no tokens, or no prices. Give --strong-price and --weak-price, or "
    "--strong-model and --weak-model of LiteLLM's table",
    "metrics": "not known: the proxy counted no costs, since LiteLLM knows no price of these "
    "models",
}
NO_DRIFT: Mapping[Source, str] = {
    "store": "not known: the threshold is from no calibration sample",
    "logs": "not known: logs do not have the calibration sample. A store does, and `routellm "
    "status` asks the proxy",
    "metrics": "not known: metrics do not have the calibration sample. A store does, and `routellm "
    "status` asks the proxy",
}


def lines_of(figures: Figures) -> list[Line]:
    """Return what there is to say of a route."""
    return [*_traffic(figures), *_money(figures), *_quality(figures), *_watch(figures)]


def as_markdown(every: Sequence[Figures]) -> str:
    """Return the report of several routes as Markdown."""
    parts = []
    for figures in every:
        lines = [(name, text.replace("|", "\\|")) for name, text in lines_of(figures)]
        rows = "\n".join(f"| {name} | {text} |" for name, text in lines)
        parts.append(f"## {figures.route}\n\n| | |\n| --- | --- |\n{rows}\n")
    return "# Report of routed traffic\n\n" + "\n".join(parts)


def as_json(every: Sequence[Figures]) -> dict[str, Any]:
    """Return the report of several routes as values of JSON."""
    return {"routes": [_finite(asdict(figures)) for figures in every]}


def _traffic(figures: Figures) -> Iterator[Line]:
    models = ", ".join(f"{tier} {figures.models[tier]}" for tier in TIERS if tier in figures.models)
    if models:
        yield "models", models
    if math.isnan(figures.first_at):
        days = "since the process began" if figures.source == "metrics" else "without a time"
    else:
        days = f"{_day(figures.first_at)} to {_day(figures.last_at)}"
    acted = figures.requests - figures.acted
    observed = f"; {acted:,} observed, and served as if there were no routing" if acted else ""
    yield "requests", f"{figures.requests:,}, {days}{observed}"
    if figures.share is not None:
        target = figures.drift.target_share
        meant = f"; {target:.0%} were meant" if target is not None else ""
        yield "share for the strong model", f"{_percent(figures.share)}{meant}"
    yield "decided by", _counts(figures.causes)


def _money(figures: Figures) -> Iterator[Line]:
    costs = figures.costs
    if costs is None:
        yield "cost", NO_PRICES[figures.source]
        return
    part = "" if costs.requests == figures.requests else f", of {costs.requests:,} requests"
    yield "cost", f"{_usd(costs.served)}{part}"
    if figures.acted < figures.requests:
        yield "cost by the decisions", _usd(costs.decided)
    yield "cost of always strong", _usd(costs.always_strong)
    if costs.saving is not None:
        how = _counted_as(costs) if figures.source != "metrics" else _SUMS
        yield "saving", f"{_percent(costs.saving)} of always strong; {how}"


_SUMS = (
    "by the proxy's sums of costs over all requests: a total, so without an interval; no prompt "
    "cache of the strong model is counted; both models assumed to write the same length"
)


def _counted_as(costs: Costs) -> str:
    length = (
        f"the strong model writes {costs.length_ratio:.2f} tokens for each of the weak's"
        if costs.length_ratio
        else "both models assumed to write the same length"
    )
    if costs.cached is None:
        cached, whose = "no answer says how much it read from a cache", ""
    else:
        cached = f"{costs.cached:.0%} of the tokens read came from caches"
        whose = ", for either model"
    if costs.warm > (costs.cached or 0.0):
        whose = f", and {costs.warm:.0%} would have for a strong model alone"
    return f"{cached}{whose}; {length}"


def _quality(figures: Figures) -> Iterator[Line]:
    quality = figures.quality
    for tier in TIERS:
        if tier in quality.scores:
            score = _number(quality.scores[tier])
            yield f"score of {tier} answers", f"{score}, of {quality.n[tier]:,} judged"
    if quality.loss is not None:
        pairs = f"by {quality.pairs:,} sampled pairs"
        yield "loss against always strong", f"{_number(quality.loss)}, {pairs}"
    if figures.exploration is not None:
        yield "loss by exploration", _explored(figures.exploration)
    if not quality.scores and quality.loss is None:
        yield "quality", NO_LABELS[figures.source]
    elif figures.source == "logs":
        yield "loss against always strong", NO_LOSS


def _explored(found: Estimates) -> str:
    drawn = f"{found.explored:,} of {found.calls:,} calls went to the other model"
    judged = f"{drawn}; judged are {found.judged:,}, {found.judged_explored:,} of them there"
    if found.judged_explored < _EXPLORED:
        return f"not known below {_EXPLORED} judged answers of the other model: {judged}"
    loss = found.loss_dr
    return f"{loss.value:.3f} [{loss.low:.3f}, {loss.high:.3f}] at all times; {judged}"


def _watch(figures: Figures) -> Iterator[Line]:
    drift = figures.drift
    if figures.warning is not None:
        yield "drift", f"yes: {figures.warning}"
    elif drift.distance is not None:
        chance = f", p = {drift.p_value:.2g}" if drift.p_value is not None else ""
        distance = f"distance {drift.distance:.2f} from the calibration sample{chance}"
        said = "none to warn of" if drift.scored >= LEAST else f"not judged below {LEAST:,} scores"
        yield "drift", f"{said}: {distance}, by {drift.scored:,} scores"
    else:
        yield "drift", NO_DRIFT[figures.source]
    if figures.sampled:
        money = f"; shadow calls have cost {_usd(figures.spent_usd)} in all"
        left = figures.sampled - sum(figures.shadow.values())
        ended = {**figures.shadow, _IN_FLIGHT: left} if left > 0 else figures.shadow
        yield "sampled", f"{figures.sampled:,}: {_counts(ended)}{money}"
    if figures.lost:
        yield "lost", f"{figures.lost:,} records could not be written; see the log"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items()) or "none"


def _percent(estimate: Estimate) -> str:
    if math.isnan(estimate.low):
        return f"{estimate.value:.0%}"
    low, high = f"{estimate.low:.0%}", f"{estimate.high:.0%}"
    return f"{estimate.value:.0%} [{low[:-1]}, {high[:-1]}]"


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _usd(dollars: float) -> str:
    if 0 < dollars < 0.0001:
        return "less than $0.0001"
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4f}"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).date().isoformat()


def _finite(value: Any) -> Any:
    """Return a value with None in place of NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
