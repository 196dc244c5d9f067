"""LiteLLM adapter: routed aliases in a proxy's config.yaml or a ``litellm.Router``.

In a proxy, list ``routellm_plugins.litellm.proxy_handler`` under ``litellm_settings.callbacks``.
In an application, call ``install(router)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import RouteLLMClassifier
    from .proxy import proxy_handler
    from .strategy import RouteLLMRoutingStrategy, install

__all__ = ["RouteLLMClassifier", "RouteLLMRoutingStrategy", "install", "proxy_handler"]


def __getattr__(name: str) -> Any:
    # On first use, because importing litellm takes seconds and `routellm check` needs none of it.
    if name == "proxy_handler":
        from .proxy import proxy_handler

        return proxy_handler
    if name == "RouteLLMClassifier":
        from .classifier import RouteLLMClassifier

        return RouteLLMClassifier
    if name in ("RouteLLMRoutingStrategy", "install"):
        from . import strategy

        return getattr(strategy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
