"""What a request brings to a decision, and what it carries away from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from routellm_core import Decision, scored_text

METADATA_KEY = "routellm"
_LITELLM_KEY = "routing_decision"
_BUCKETS = ("litellm_metadata", "metadata")
_HEADER_SAFE = "".join(chr(code) for code in range(0x20, 0x7F))


@dataclass(frozen=True)
class Request:
    """One request, as a Router hands it to a strategy."""

    model: str
    messages: Sequence[Mapping[str, Any]] | None
    """None for the responses API."""
    kwargs: dict[str, Any]

    def text(self) -> str | None:
        """Return the words to score, of a chat, messages or responses request."""
        if self.messages is not None:
            return scored_text(self.messages)
        given = self.kwargs.get("input")
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        return scored_text(given if isinstance(given, list) else None)


@dataclass(frozen=True)
class RoutedRequest:
    """The decision on one request; it rides in the request's metadata.

    Being of a class of its own, it cannot come from a client's JSON.
    """

    alias: str
    group: str
    decision: Decision
    fingerprint: int
    """Of the words that were judged."""

    def headers(self) -> dict[str, str]:
        """Return the decision as response headers."""
        values = {
            "router": self.decision.router,
            "model": self.group,
            "tier": self.decision.tier,
            "score": _short(self.decision.score),
            "threshold": _short(self.decision.threshold),
            "cause": self.decision.cause,
            "duration-ms": _short(self.decision.elapsed_ms),
        }
        return {f"x-routellm-{k}": quote(v, safe=_HEADER_SAFE) for k, v in values.items() if v}

    def write_to(self, request_kwargs: dict[str, Any]) -> None:
        """Put the decision where LiteLLM's logs, traces and metrics, and later hops, find it."""
        bucket = _bucket(request_kwargs)
        bucket[METADATA_KEY] = self
        bucket[_LITELLM_KEY] = self._for_litellm()
        logged = bucket.get("spend_logs_metadata")
        bucket["spend_logs_metadata"] = {
            **(logged if isinstance(logged, dict) else {}),
            METADATA_KEY: {**self.decision.as_metadata(), "model": self.group},
        }

    def _for_litellm(self) -> dict[str, str | float | None]:
        """Return the decision in the terms of LiteLLM's StandardLoggingRoutingDecision."""
        scored = {} if self.decision.score is None else {"score": self.decision.score}
        return {
            "router_model_name": self.alias,
            "router_type": "routellm",
            "routed_model": self.group,
            "tier": self.decision.tier,
            "cause": self.decision.cause,
            "classifier_model": self.decision.router,
            "classifier_threshold": self.decision.threshold,
            **scored,
        }


def routed_request(request: Mapping[str, Any]) -> RoutedRequest | None:
    """Return the decision a request carries, if one was made."""
    for name in _BUCKETS:
        bucket = request.get(name)
        if isinstance(bucket, Mapping):
            found = bucket.get(METADATA_KEY)
            if isinstance(found, RoutedRequest):
                return found
    return None


def drop_forged_decisions(request: Mapping[str, Any]) -> None:
    """Remove what a client wrote where decisions are logged."""
    for name in _BUCKETS:
        bucket = request.get(name)
        if isinstance(bucket, dict):
            bucket.pop(METADATA_KEY, None)
            bucket.pop(_LITELLM_KEY, None)
            logged = bucket.get("spend_logs_metadata")
            if isinstance(logged, dict):
                logged.pop(METADATA_KEY, None)


def _bucket(request_kwargs: dict[str, Any]) -> dict[str, Any]:
    # The newer endpoints keep `metadata` for the provider, and LiteLLM's own beside it.
    name = "litellm_metadata" if "litellm_metadata" in request_kwargs else "metadata"
    if not isinstance(request_kwargs.get(name), dict):
        request_kwargs[name] = {}
    bucket: dict[str, Any] = request_kwargs[name]
    return bucket


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"
