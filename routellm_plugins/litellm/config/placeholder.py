"""What stands for the model of an alias in its ``litellm_params``, where it has none of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MARKER_MODEL = "openai/routellm"
"""What the docs put under ``litellm_params.model`` of a routed alias; it is never called."""

NOWHERE = "routellm://never-called"
"""A base URL that no HTTP client opens, not even by way of a proxy server."""

PLACEHOLDER = f"{{model: {MARKER_MODEL}, api_base: {NOWHERE}, api_key: unused}}"
"""The ``litellm_params`` of an alias that has no account of its own. The address is in it, because
LiteLLM copies entries before anything of ours runs, and sends what has no address to OpenAI."""


def without_address(entries: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Yield a line of advice for each alias whose placeholder names no address."""
    for entry in entries:
        params = entry.get("litellm_params")
        if not isinstance(params, Mapping) or params.get("api_base"):
            continue
        if params.get("model") == MARKER_MODEL:
            yield (
                f"model_list entry '{entry.get('model_name')}': without the callback, LiteLLM "
                f"would send its requests to api.openai.com: write litellm_params: {PLACEHOLDER}"
            )
