"""What a user can set on a ``RouteLLM``, beyond what every adapter takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from routellm_core import PolicySettings

QUERY_KEYS = ("query_str", "question", "query", "user_msg")
"""The template variables under which LlamaIndex's own engines hand over the question."""


class RouteSettings(PolicySettings):
    """How the calls of a ``RouteLLM`` become tiers."""

    query_keys: tuple[str, ...] = Field(
        default=QUERY_KEYS, description="template variables that hold the question, best first"
    )
    fallback: Literal["strong"] | None = Field(
        default=None, description="the LLM that is called if the weak one fails before its answer"
    )
