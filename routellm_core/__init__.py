"""RouteLLM routers: from a prompt to the strong win rate, and from there to a decision."""

from typing import TYPE_CHECKING, Any

from .contracts import Encoder, Router
from .decision import Asked, Decision, Tier
from .errors import (
    CheckpointError,
    ConfigError,
    DataError,
    MissingExtraError,
    PluginError,
    RouteLLMError,
    ScoringError,
    ScoringTimeoutError,
)
from .hookspecs import hookimpl
from .model_names import parse_model_name
from .policy.policy import RoutingPolicy
from .policy.route_on import route_on
from .prompt.turns import human_turns, scored_text
from .registry.loading import load_encoder, load_router
from .registry.plugins import register_plugin, unregister_plugin
from .version import __version__

if TYPE_CHECKING:
    from .settings import PolicySettings, validate_settings

__all__ = [
    "Asked",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "Decision",
    "Encoder",
    "MissingExtraError",
    "PluginError",
    "PolicySettings",
    "RouteLLMError",
    "Router",
    "RoutingPolicy",
    "ScoringError",
    "ScoringTimeoutError",
    "Tier",
    "__version__",
    "hookimpl",
    "human_turns",
    "load_encoder",
    "load_router",
    "parse_model_name",
    "register_plugin",
    "route_on",
    "scored_text",
    "unregister_plugin",
    "validate_settings",
]


def __getattr__(name: str) -> Any:
    # On first use, because importing pydantic takes longer than importing all the rest.
    if name in ("PolicySettings", "validate_settings"):
        from . import settings

        return getattr(settings, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
