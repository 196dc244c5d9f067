"""The keyword arguments that LangChain's users set, for type checkers and editors."""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import TypedDict

from routellm_core import Tier


class PolicyArguments(TypedDict, total=False):
    """What ``RoutingPolicy`` takes."""

    router: str
    router_options: dict[str, Any]
    threshold: float
    strong_share: float
    on_error: Tier
    on_no_text: Tier
    timeout_ms: float
    concurrency: int


class AgentArguments(PolicyArguments, total=False):
    """What ``RouteLLMMiddleware`` takes beside its models."""

    sticky: Literal["turn", "conversation"]
