"""Parts of LiteLLM configs."""

from __future__ import annotations

from typing import Any

from tests.fakes.openai_upstream import Upstream

KEY = "sk-tests-3f9d2c71b5"
HANDLER = "routellm_plugins.litellm.proxy_handler"
MARKER = {
    "model": "openai/routellm",
    "api_base": "routellm://never-called",
    "api_key": "unused",
}


def group(name: str, upstream: Upstream) -> dict[str, Any]:
    """Return the model_list entry of an ordinary model group."""
    model = f"openai/{upstream.model}"
    params = {"model": model, "api_base": upstream.url, "api_key": "unused"}
    return {"model_name": name, "litellm_params": params}


def alias(name: str, **settings: object) -> dict[str, Any]:
    """Return the model_list entry of a routed alias."""
    routellm = {"strong": "gpt-4o", "weak": "gpt-4o-mini", **settings}
    return {"model_name": name, "litellm_params": MARKER, "model_info": {"routellm": routellm}}
