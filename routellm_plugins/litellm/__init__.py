"""LiteLLM adapter: routed aliases in a proxy's config.yaml or a ``litellm.Router``.

In a proxy, list ``routellm_plugins.litellm.proxy_handler`` under ``litellm_settings.callbacks``.
In an application, call ``install(router)``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from routellm_core import MissingExtraError

if TYPE_CHECKING:
    from .classifier import RouteLLMClassifier
    from .proxy import proxy_handler
    from .strategy import RouteLLMRoutingStrategy, install

__all__ = ["RouteLLMClassifier", "RouteLLMRoutingStrategy", "install", "proxy_handler"]


_HOMES = {
    "RouteLLMClassifier": "classifier",
    "RouteLLMRoutingStrategy": "strategy",
    "install": "strategy",
    "proxy_handler": "proxy",
}
"""Module of each name."""


def __getattr__(name: str) -> Any:
    # On first use, because importing litellm takes seconds and `routellm check` needs none of it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("routellm_core", "routellm_plugins"):
            raise
        raise MissingExtraError(
            f'{name} needs {package}: pip install "routellm-plugins[litellm]"'
        ) from error
