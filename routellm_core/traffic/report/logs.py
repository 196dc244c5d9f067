"""The requests of routes, read from logs of calls that hold the decisions on them.

An always strong model would have kept its prompt cache warm: a call that follows one of the other
model in its conversation would have found there what that one gave to read.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...data.logs.call_facts import counts_of, facts_of, seconds
from ...data.logs.calls import Skipped
from ...data.logs.decided_rows import rows_in
from ...data.logs.json_values import mapped
from ...data.logs.logged_decisions import has_failed, logged_decision, number, request_id_of
from ...data.logs.logged_ids import AGAIN, SeenIds
from ...data.tables import table_rows
from ...decision import Tier
from ...errors import ConfigError, DataError, MissingExtraError
from ...rules.prices import Price, price_of_model
from ..audit.caches import LEAST_CACHED
from ..exploration.estimate import number_of_draw
from ..store.kept import Feedback
from .requests import TIERS, Judged, Requests

_REMEDY = (
    "give LiteLLM's spend logs, spans of Phoenix, or rows with the metadata or the headers of "
    "decisions"
)
_NO_DECISION = "no decision of a router"
_FAILED = "a call that failed"
_NO_TIME = "a call without a time, which --since needs"
_TIMES = ("startTime", "start_time", "timestamp", "created_at", "created", "at")
_WARM_S = 300.0
"""How long a prompt cache lasts after its last use."""

Prices = tuple[Price, Price]


def requests_in_logs(
    paths: Iterable[Path],
    *,
    since: float = 0.0,
    feedback: Iterable[Feedback] = (),
    prices: Prices | None = None,
    skipped: Skipped,
) -> list[Requests]:
    """Return the requests in logs, route by route, by name.

    Args:
        paths: LiteLLM's spend logs, or rows with a decision in their metadata, their headers or
            their columns, and beside it usage, a time and an id; as ``table_rows`` takes them,
            oldest first.
        since: only those that came then or later, in seconds since 1970.
        feedback: of answers, by the id of the call.
        prices: of both models; None: LiteLLM's of the models that the logs name, if it has them.
        skipped: is told of other rows, and of feedback on none of these calls.

    Raises:
        DataError: a file cannot be read, or none has a decision.
    """
    scores = _mean_scores(feedback)
    logs = _Logs(scores)
    for path in paths:
        for where, row in table_rows(path, _REMEDY, skipped.note):
            for why in filter(None, (logs.add(each, since) for each in rows_in(row))):
                skipped.note(where, why)
    for request_id, _ in scores.keys() - logs.named:
        skipped.note(request_id, "a score of an answer that is not in these logs")
    if not logs.routes:
        when = " since then" if since else ""
        reasons = f" ({'; '.join(skipped.lines())})" if skipped.total else ""
        raise DataError(f"the logs hold no decision of a router{when}{reasons}: {_REMEDY}")
    return [each.with_prices(prices) for _, each in sorted(logs.routes.items())]


class _Route:
    def __init__(self, name: str) -> None:
        self.requests = Requests(name, {}, 0.0, 0)
        self.groups: dict[Tier, str] = {}
        self.models: dict[Tier, Counter[str]] = {tier: Counter() for tier in TIERS}
        self.before: dict[str, tuple[Tier, float, float]] = {}
        """By conversation its last call: its tier, when it came, and the tokens it gave to read."""

    def warm(
        self, conversation: str | None, tier: Tier, at: float, given: float, cached: float
    ) -> float:
        """Return the tokens that the strong model would have read from its cache, had it answered
        the call before too.
        """
        if not conversation or math.isnan(at) or math.isnan(given):
            return cached
        last_tier, last_at, last_given = self.before.get(conversation, (tier, math.nan, 0.0))
        self.before[conversation] = tier, at, given
        if tier == last_tier == "strong":  # what it found is in the log
            return cached
        if not 0 <= at - last_at <= _WARM_S or last_given < LEAST_CACHED:
            return cached
        return max(0.0 if math.isnan(cached) else cached, min(last_given, given))

    def with_prices(self, prices: Prices | None) -> Requests:
        found = prices or self._looked_up()
        about = self.requests.about
        about["models"] = self.groups
        if found is not None:
            about["prices"] = {
                tier: {
                    "input": price.given,
                    "cached": price.given if price.cached is None else price.cached,
                    "output": price.answered,
                }
                for tier, price in zip(TIERS, found, strict=True)
            }
        return self.requests

    def _looked_up(self) -> Prices | None:
        """Return LiteLLM's prices of the models that answered; None if it does not know both."""
        names = [next(iter(self.models[tier].most_common(1)), ("", 0))[0] for tier in TIERS]
        if not all(names) or names[0] == names[1]:
            return None
        try:
            strong, weak = map(price_of_model, names)
        except (ConfigError, MissingExtraError):
            return None
        return strong, weak


class _Logs:
    def __init__(self, scores: Mapping[tuple[str, Tier | None], float]) -> None:
        self.routes: dict[str, _Route] = {}
        self.named: set[tuple[str, Tier | None]] = set()
        """Of the scores, those of calls that were read."""
        self._scores = scores
        self._ids = SeenIds()

    def add(self, row: Mapping[str, Any], since: float) -> str | None:
        """Add the call of a row; returns why there is none."""
        decision = logged_decision(row)
        tier = None if decision is None else decision.get("tier")
        if decision is None or tier not in TIERS:
            return _NO_DECISION
        if has_failed(row):
            return _FAILED
        if self._ids.has(row):
            return AGAIN
        metadata, usage = mapped(row.get("metadata")), _usage(row)
        facts = facts_of(row, metadata, usage)
        at = facts.when or next(filter(None, (seconds(row.get(each)) for each in _TIMES)), math.nan)
        if math.isnan(at) and since > 0:
            return _NO_TIME
        if at < since:
            return None
        name = str(decision.get("alias") or row.get("route") or "(not said)")
        route = self.routes.setdefault(name, _Route(name))
        group = decision.get("model")
        if isinstance(group, str) and group not in TIERS:
            route.groups[tier] = group
        other = row.get("model_group") not in (None, "", name, group)  # a fallback answered
        if not other and isinstance(row.get("model"), str):
            route.models[tier][row["model"]] += 1
        # What cost nothing, or is another model's, is in no sum of costs.
        uncounted = other or facts.from_gateway_cache
        counts = counts_of(usage.get("prompt_tokens"), usage.get("completion_tokens"))
        given, written = (math.nan if uncounted else number(each) for each in counts)
        cached = number(facts.cached)
        conversation = facts.conversation or row.get("session_id")
        route.requests.add(
            {
                "at": at,
                "conversation": number_of_draw(conversation),
                "score": number(decision.get("score")),
                "threshold": number(decision.get("threshold")),
                "acted": 1.0,
                "input_tokens": given,
                "cached_tokens": cached,
                "warm_tokens": route.warm(conversation, tier, at, given, cached),
                "output_tokens": written,
                "cost_usd": facts.spend,
                "decided": tier,
                "tier": None if other else tier,
                "cause": decision.get("cause") or "(not said)",
                "sampled": 0,
                "router": decision.get("router") or "",
            }
        )
        if not other:
            self._judge(route.requests, request_id_of(row), tier)
        return None

    def _judge(self, requests: Requests, request_id: str, tier: Tier) -> None:
        for key in ((request_id, None), (request_id, tier)):
            if key in self._scores:
                self.named.add(key)
                requests.judged.append(Judged(tier, 0.0, tier, {tier: self._scores[key]}))
                return


def _mean_scores(feedback: Iterable[Feedback]) -> dict[tuple[str, Tier | None], float]:
    """Return the mean over names of the scores of each answer; of one name the last counts."""
    found: dict[tuple[str, Tier | None], dict[str, float]] = {}
    for each in feedback:
        found.setdefault((each.request_id, each.tier), {})[each.name] = each.score
    return {key: sum(by_name.values()) / len(by_name) for key, by_name in found.items()}


def _usage(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says of tokens."""
    metadata, response = mapped(row.get("metadata")), mapped(row.get("response"))
    found = {**mapped(response.get("usage")), **mapped(row.get("usage"))}
    for name in ("usage_object", "additional_usage_values"):
        found.update(mapped(metadata.get(name)))
    counts = {each: row[each] for each in ("prompt_tokens", "completion_tokens") if each in row}
    return {**found, **{name: value for name, value in counts.items() if value is not None}}
