"""LlamaIndex adapter: an LLM that hands each call to a strong or a weak LLM.

Use ``RouteLLM`` wherever an LLM goes: ``Settings.llm``, an engine's or an agent's ``llm=``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routellm_core import MissingExtraError, route_on

if TYPE_CHECKING:
    from .events import RouteDecisionEvent
    from .llm import RouteLLM

__all__ = ["RouteDecisionEvent", "RouteLLM", "route_on"]


def __getattr__(name: str) -> Any:
    # On first use, because importing LlamaIndex takes seconds and `route_on` needs none of it.
    if name not in ("RouteDecisionEvent", "RouteLLM"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import events, llm
    except ImportError as error:
        if not (error.name or "").startswith("llama_index"):
            raise
        raise MissingExtraError(
            'LlamaIndex is missing or too old: run pip install "routellm-plugins[llama-index]"'
        ) from error
    return getattr(llm if name == "RouteLLM" else events, name)
