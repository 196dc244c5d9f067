"""What limits the deployments of a request, also of those that it is sent to in the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..reporting.routed_request import BUCKETS, METADATA_KEY, bucket_of, buckets

_KEY = "routellm_limits"
_WEIGHTS = "_router_weights"
_OF_PICKS = ("allowed_model_region", "enable_tag_filtering", _WEIGHTS)
"""Arguments of a request that LiteLLM picks a deployment by, and does not log."""
_OWN_ACCOUNT = ("api_key", "api_base", "base_url")
"""Where a client has an account of its own, LiteLLM sends its request there."""
_OVERRIDE = "router_settings_override"
_ASKED_TAGS = "_routing_request_tags"
"""Where LiteLLM keeps the tags of a request, to which it adds those of the deployment it calls."""


@dataclass(frozen=True)
class _Limits:
    """What LiteLLM's log of a request leaves out; it rides in the request's metadata.

    Being of a class of its own, it cannot come from a client's JSON.
    """

    of_pick: Mapping[str, Any] = field(default_factory=dict)
    own_account: bool = False
    override: Mapping[str, Any] = field(default_factory=dict)
    """The ``router_settings`` of a key or team."""

    def __deepcopy__(self, memo: object) -> _Limits:
        """Return the same object, which nothing changes."""
        return self


def note_limits(request: dict[str, Any]) -> None:
    """Note what limits a request, before LiteLLM picks a deployment for it."""
    before = _noted(request)
    override = request.get(_OVERRIDE)
    limits = _Limits(
        {name: request[name] for name in _OF_PICKS if request.get(name) is not None},
        any(request.get(name) is not None for name in _OWN_ACCOUNT),
        override if isinstance(override, Mapping) else before.override,
    )
    if limits != before:
        bucket_of(request)[_KEY] = limits


def own_account(params: Mapping[str, Any]) -> bool:
    """Return whether a request went to an account that its client named.

    Args:
        params: what LiteLLM logs of the request, and so for the other functions.
    """
    return _noted(params).own_account


def key_of(params: Mapping[str, Any]) -> Any:
    """Return LiteLLM's ``UserAPIKeyAuth`` of a request; None without a proxy."""
    keys = (bucket.get("user_api_key_auth") for bucket in buckets(params))
    return next(filter(None, keys), None)


def override_of(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the ``router_settings`` of a request's key or team, as LiteLLM puts them into it."""
    override = _noted(params).override
    return {_OVERRIDE: override} if override else {}


def picked_by(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request by which LiteLLM picks a deployment as it did for that one."""
    request: dict[str, Any] = {}
    for name in BUCKETS:
        if not isinstance(bucket := params.get(name), Mapping):
            continue
        request[name] = {k: v for k, v in bucket.items() if k not in (_KEY, METADATA_KEY)}
        if _ASKED_TAGS in bucket:
            request[name]["tags"] = list(bucket[_ASKED_TAGS])
    region = getattr(key_of(params), _OF_PICKS[0], None)
    return {**({_OF_PICKS[0]: region} if region else {}), **request, **_noted(params).of_pick}


def weights_of(
    request: Mapping[str, Any], group: str, entries: Sequence[Mapping[str, Any]]
) -> list[float] | None:
    """Return how often each deployment of a group is picked: as its key or team says, or else the
    entries do; None if all alike.

    Args:
        request: as ``picked_by`` returns it.
        group: the model group.
        entries: its deployments.
    """
    ids = [str((entry.get("model_info") or {}).get("id")) for entry in entries]
    own = (request.get(_WEIGHTS) or {}).get(group) or {}
    for weights in (
        [float(own.get(model_id) or 0) for model_id in ids],
        [float((entry.get("litellm_params") or {}).get("weight") or 0) for entry in entries],
    ):
        if any(weights):
            return weights
    return None


def _noted(request: Mapping[str, Any]) -> _Limits:
    noted = (bucket.get(_KEY) for bucket in buckets(request))
    return next((each for each in noted if isinstance(each, _Limits)), _Limits())
