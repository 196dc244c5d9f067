"""Keep the alias in what LiteLLM logs about a request that names the chosen group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .routed_request import routed_request


def log_under_the_alias(kwargs: Mapping[str, Any]) -> None:
    """Put the alias, which the client asked for, into the payload that LiteLLM's callbacks get.

    Where another group answered as a fallback, the payload goes on naming that group.

    Args:
        kwargs: what LiteLLM hands to a callback that logs.
    """
    payload, params = kwargs.get("standard_logging_object"), kwargs.get("litellm_params")
    routed = routed_request(params) if isinstance(params, Mapping) else None
    if routed and isinstance(payload, dict) and payload.get("model_group") == routed.group:
        payload["model_group"] = routed.alias
