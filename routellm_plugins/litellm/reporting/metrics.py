"""Metrics of routing, in the registry of prometheus-client that LiteLLM's own are in."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from routellm_core import Decision

logger = logging.getLogger(__name__)

_SCORES = tuple(at / 20 for at in range(1, 21))
_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)


class _Registered(NamedTuple):
    decisions: Any
    errors: Any
    scores: Any
    seconds: Any
    score_hits: Any
    response_hits: Any
    cost: Any
    always_strong: Any
    shadow_calls: Any


class Metrics:
    """Counts decisions; does nothing where prometheus-client is not installed.

    A client can give no label a value of its own: routes are named as in the config, and the
    causes and kinds of errors are few.
    """

    def __init__(self) -> None:
        self._registered = _register()
        self._of_labels: dict[tuple[Any, ...], Any] = {}

    def note(self, route: str, group: str, decision: Decision) -> None:
        """Count one decision.

        Args:
            route: ``model_name`` of the alias's entry.
            group: the model group that was chosen.
            decision: where the request goes, and why.
        """
        if self._registered is None:
            return
        registered, by_router = self._registered, (route, decision.router)
        cause, _, kind = decision.cause.partition(":")
        self._with(registered.decisions, route, group, decision.tier, cause).inc()
        self._with(registered.seconds, *by_router).observe(decision.elapsed_ms / 1000)
        if decision.score is not None:
            self._with(registered.scores, *by_router).observe(decision.score)
        if decision.kept:
            self._with(registered.score_hits, *by_router).inc()
        if kind:
            self._with(registered.errors, *by_router, kind).inc()

    def note_response_hit(self, route: str) -> None:
        """Count an answer that LiteLLM had in its response cache, so that no model was called.

        Args:
            route: ``model_name`` of the alias's entry.
        """
        if self._registered is not None:
            self._with(self._registered.response_hits, route).inc()

    def note_costs(self, route: str, cost: float, always_strong: float) -> None:
        """Count what one request cost.

        Args:
            route: ``model_name`` of the alias's entry.
            cost: dollars.
            always_strong: dollars that the strong group would have cost.
        """
        if self._registered is not None:
            self._with(self._registered.cost, route).inc(cost)
            self._with(self._registered.always_strong, route).inc(always_strong)

    def note_shadow_call(self, route: str, tier: str, error: str | None) -> None:
        """Count a sampled request by what became of the other model's call.

        Args:
            route: ``model_name`` of the entry with ``shadow``.
            tier: ``strong`` or ``weak``: the other model.
            error: why there is no answer, as the store has it; None if there is one.
        """
        if self._registered is not None:
            outcome = "answered" if error is None else error.partition(":")[0]
            self._with(self._registered.shadow_calls, route, tier, outcome).inc()

    def _with(self, metric: Any, *labels: str) -> Any:
        """Return a metric's child; prometheus-client takes several times as long to find one."""
        key = (metric, *labels)
        child = self._of_labels.get(key)
        if child is None:
            child = self._of_labels[key] = metric.labels(*labels)
        return child


def _register() -> _Registered | None:
    try:
        from prometheus_client import Counter, Histogram
    except ImportError:
        return None
    by_router = ("route", "router")
    try:
        return _Registered(
            Counter(
                "routellm_decisions",
                "Requests for a routed alias, by the model group chosen and why",
                ("route", "model", "tier", "cause"),
            ),
            Counter("routellm_errors", "Failures to score", (*by_router, "kind")),
            Histogram("routellm_score", "Strong win rates", by_router, buckets=_SCORES),
            Histogram("routellm_decision_seconds", "Time to decide", by_router, buckets=_SECONDS),
            Counter(
                "routellm_score_cache_hits",
                "Decisions by scores that were kept, for which nothing was scored",
                by_router,
            ),
            Counter(
                "routellm_response_cache_hits",
                "Requests for a routed alias that LiteLLM's response cache answered",
                ("route",),
            ),
            Counter("routellm_cost_dollars", "Cost of requests for a routed alias", ("route",)),
            Counter(
                "routellm_always_strong_dollars",
                "Cost of the same tokens at the strong model group's price",
                ("route",),
            ),
            Counter(
                "routellm_shadow_calls",
                "Requests sampled by shadow mode, by what became of the other model's call",
                ("route", "tier", "outcome"),
            ),
        )
    except Exception:  # such as names that are taken
        logger.exception("routing has no metrics")
        return None


metrics = Metrics()
"""The metrics of this process."""
