"""Where the decision on a request travels: its metadata, response headers and LiteLLM's logs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from routellm_core import Decision, Tier

from .response_headers import announce

METADATA_KEY = "routellm"
_LITELLM_KEY = "routing_decision"
BUCKETS = ("litellm_metadata", "metadata")
"""Where LiteLLM keeps what travels with a request."""
_DEPLOYMENT = "deployment_model_name"
"""Where LiteLLM notes the ``model_name`` of the entry that an attempt is sent to."""
_LITELLM_NAMES = {
    "model": "routed_model",
    "tier": "tier",
    "cause": "cause",
    "router": "classifier_model",
    "threshold": "classifier_threshold",
    "score": "score",
}
_HEADER_NAMES = {"elapsed_ms": "duration-ms"}
_HEADER_SAFE = "".join(chr(code) for code in range(0x20, 0x7F))


@dataclass(frozen=True)
class RoutedRequest:
    """The decision on one request; it rides in the request's metadata.

    Being of a class of its own, it cannot come from a client's JSON.
    """

    alias: str
    """The model asked for."""
    group: str
    """The model group it goes to."""
    decision: Decision
    fingerprint: int | None
    """Of what the decision depends on; None if that could not be read."""
    settled: bool = False
    """Whether the request names the group already, so that it is LiteLLM's own from here on."""
    entries: Mapping[Tier, str | None] = field(default_factory=dict)
    """The ``model_name`` of the entries that serve each tier, as in ``Route``."""
    groups: tuple[str, ...] = ()
    """Both groups, by the names that the route has for them."""

    def __deepcopy__(self, memo: object) -> RoutedRequest:
        """Return the same object, which nothing changes: LiteLLM copies the metadata of messages
        and responses on their way.
        """
        return self

    @property
    def own_groups(self) -> Collection[str | None]:
        """Every name of a group that may serve the alias."""
        return {self.group, *self.groups, *self.entries.values()}

    def served_by(self, request: Mapping[str, Any]) -> Tier | None:
        """Return the tier that serves an attempt at the request; None if that is another group,
        such as one that it falls back to.

        Args:
            request: as LiteLLM sends it to a deployment, or logs it.
        """
        names = (bucket.get(_DEPLOYMENT) for bucket in buckets(request))
        name = next(filter(None, names), None)
        if name is None or name == self.entries.get(self.decision.tier):
            return self.decision.tier
        tiers = [tier for tier, entry in self.entries.items() if entry == name]
        return tiers[0] if len(tiers) == 1 else None

    def served_as(self, group: str) -> RoutedRequest:
        """Return the same, for a key that calls another model group by the name of the chosen."""
        entries = {**self.entries, self.decision.tier: group}
        return replace(self, group=group, entries=entries)

    @cached_property
    def metadata(self) -> Mapping[str, str | float]:
        """The decision and the model group as flat scalars, without what is unknown."""
        values = {**self.decision.as_metadata(), "model": self.group}
        return {name: value for name, value in values.items() if value is not None}

    def headers(self) -> dict[str, str]:
        """Return the decision as response headers."""
        return {
            f"x-routellm-{_HEADER_NAMES.get(name, name)}": _header(value)
            for name, value in self.metadata.items()
        }

    def write_to(self, request_kwargs: dict[str, Any]) -> None:
        """Put the decision where LiteLLM's logs, traces and metrics, and later hops, find it, and
        into the response's headers.
        """
        announce(self.headers)
        bucket = bucket_of(request_kwargs)
        bucket[_LITELLM_KEY] = dict(self._routing_decision)  # which each attempt clears
        logged = bucket.get("spend_logs_metadata")
        if not isinstance(logged, dict):
            logged = {}
        if bucket.get(METADATA_KEY) is not self or METADATA_KEY not in logged:
            bucket[METADATA_KEY] = self
            told = {"alias": self.alias, **self.metadata}
            bucket["spend_logs_metadata"] = {**logged, METADATA_KEY: told}

    @cached_property
    def _routing_decision(self) -> Mapping[str, str | float]:
        """The decision in the terms of LiteLLM's StandardLoggingRoutingDecision."""
        values = self.metadata
        return {
            "router_model_name": self.alias,
            "router_type": "routellm",
            **{theirs: values[ours] for ours, theirs in _LITELLM_NAMES.items() if ours in values},
        }


def routed_request(request: Mapping[str, Any]) -> RoutedRequest | None:
    """Return the decision a request carries, if one was made."""
    for name in BUCKETS:  # not by buckets(), since it is asked several times for each request
        bucket = request.get(name)
        if isinstance(bucket, dict):
            found = bucket.get(METADATA_KEY)
            if isinstance(found, RoutedRequest):
                return found
    return None


def drop_forged_decisions(request: Mapping[str, Any]) -> None:
    """Remove what a client wrote where decisions are logged."""
    for bucket in buckets(request):
        bucket.pop(METADATA_KEY, None)
        bucket.pop(_LITELLM_KEY, None)
        logged = bucket.get("spend_logs_metadata")
        if isinstance(logged, dict):
            logged.pop(METADATA_KEY, None)


def buckets(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the mappings in which LiteLLM keeps what travels with a request."""
    for name in BUCKETS:
        bucket = request.get(name)
        if isinstance(bucket, dict):
            yield bucket


def team_of(request: Mapping[str, Any]) -> str | None:
    """Return the id of the team that a request is of, as LiteLLM notes it."""
    teams = (bucket.get("user_api_key_team_id") for bucket in buckets(request))
    return next((team for team in teams if isinstance(team, str) and team), None)


def bucket_of(request_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping in which LiteLLM keeps what travels with a request, made if need be."""
    # The newer endpoints keep `metadata` for the provider, and LiteLLM's own beside it.
    name = "litellm_metadata" if "litellm_metadata" in request_kwargs else "metadata"
    if not isinstance(request_kwargs.get(name), dict):
        request_kwargs[name] = {}
    bucket: dict[str, Any] = request_kwargs[name]
    return bucket


def _header(value: str | float) -> str:
    text = value if isinstance(value, str) else f"{value:.6g}"
    is_safe = text.isascii() and text.isprintable()
    return text if is_safe else quote(text, safe=_HEADER_SAFE)
