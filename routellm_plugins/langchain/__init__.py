"""LangChain adapter: routing as a chat model, as agent middleware, or as a decision model.

``ChatRouteLLM`` stands wherever a chat model does, ``RouteLLMMiddleware`` goes into
``create_agent``, and ``RouteLLMDecisionModel`` answers LangChain's own model router.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from routellm_core import MissingExtraError, route_on

if TYPE_CHECKING:
    from .chat_model import ChatRouteLLM
    from .decision_model import RouteLLMDecisionModel
    from .middleware import RouteLLMMiddleware

__all__ = ["ChatRouteLLM", "RouteLLMDecisionModel", "RouteLLMMiddleware", "route_on"]

_HOMES = {
    "ChatRouteLLM": ("chat_model", "langchain"),
    "RouteLLMDecisionModel": ("decision_model", "langchain"),
    "RouteLLMMiddleware": ("middleware", "langchain-agents"),
}
"""Module and extra of each name."""

_PACKAGES = ("langchain", "langchain_core", "langgraph")


def __getattr__(name: str) -> Any:
    # On first use, so that what needs langchain-core alone does not import langchain.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, extra = _HOMES[name]
    try:
        return getattr(import_module(f".{module}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name not in _PACKAGES:
            raise
        raise MissingExtraError(
            f'{name} needs {error.name}: pip install "routellm-plugins[{extra}]"'
        ) from error
