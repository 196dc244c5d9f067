"""What a user can set on a ``ChatRouteLLM``, beyond what every adapter takes."""

from __future__ import annotations

from pydantic import Field

from routellm_core import PolicySettings

QUESTION_KEYS = ("question", "query", "input")
"""The variables under which LangChain's prompts usually have the question."""


class RouteSettings(PolicySettings):
    """How the calls of a ``ChatRouteLLM`` become tiers."""

    question_keys: tuple[str, ...] = Field(
        default=QUESTION_KEYS, description="prompt variables that hold the question, best first"
    )
