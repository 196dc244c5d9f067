"""From the input of a LangChain call to a decision, and from there into traces and messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage

from routellm_core import Asked, Decision, RoutingPolicy
from routellm_core.policies import apolicy_of, policy_of
from routellm_core.route_on import text_to_route_on

from .message_text import human_text, input_messages
from .settings import ChatSettings

METADATA_KEY = "routellm"
"""Under which an answer's ``response_metadata`` holds the decision."""

T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """What is to be decided."""

    settings: ChatSettings
    text: str | None
    stays_strong: bool

    @classmethod
    def about(cls, model_input: LanguageModelInput, settings: ChatSettings) -> Question:
        """Return the question that a call raises.

        Raises:
            ValueError: a message has a form that no chat model takes.
        """
        said = text_to_route_on()
        if isinstance(model_input, str):  # needs no message made of it
            return cls(settings, model_input if said is None else said, stays_strong=False)
        messages: list[BaseMessage] = []
        if said is None or settings.sticky == "conversation":
            messages = input_messages(model_input)
        stays = settings.sticky == "conversation" and was_strong(messages)
        return cls(settings, human_text(messages) if said is None else said, stays)

    def decide(self) -> Decision:
        """Decide.

        Raises:
            RouteLLMError: there is no such router, or it cannot be loaded.
        """
        return self._by(policy_of(self.settings))

    async def adecide(self) -> Decision:
        """Like ``decide``, without holding up the event loop."""
        policy = await apolicy_of(self.settings)
        return self._by(policy) if self.stays_strong else await policy.adecide(self.text)

    def _by(self, policy: RoutingPolicy) -> Decision:
        if self.stays_strong:
            return policy.decide(Asked(settled="strong", cause="conversation"))
        return policy.decide(self.text)


def decide_many(questions: Sequence[Question]) -> list[Decision | Exception]:
    """Decide with one call of the router for all questions of equal settings.

    Returns:
        For each the decision, or what kept it from being made.
    """
    outcomes: dict[int, Decision | Exception] = {}
    alike: dict[RoutingPolicy, list[int]] = {}
    for at, question in enumerate(questions):
        try:
            if question.stays_strong:
                outcomes[at] = question.decide()
            else:
                alike.setdefault(policy_of(question.settings), []).append(at)
        except Exception as error:  # of one call's settings; the others are to go on
            outcomes[at] = error
    for policy, places in alike.items():
        decisions = policy.decide_many([questions[at].text for at in places])
        outcomes.update(zip(places, decisions, strict=True))
    return [outcomes[at] for at in range(len(questions))]


async def adecide_many(questions: Sequence[Question]) -> list[Decision | Exception]:
    """Like ``decide_many``, without holding up the event loop."""
    return await asyncio.to_thread(decide_many, questions)


def was_strong(messages: Iterable[BaseMessage]) -> bool:
    """Whether an answer among messages came from the strong model."""
    return any(
        isinstance(message, AIMessage)
        and isinstance(made := message.response_metadata.get(METADATA_KEY), dict)
        and made.get("tier") == "strong"
        for message in messages
    )


def trace_metadata(decision: Decision) -> dict[str, str | float]:
    """Return a decision as a run's metadata: flat scalars, ``routellm_tier`` and so on."""
    values = decision.as_metadata().items()
    return {f"{METADATA_KEY}_{key}": value for key, value in values if value is not None}


def with_decision(output: T, decision: Decision) -> T:
    """Return a message, or a mapping with one under ``raw``, that carries the decision.

    A copy: the message may be shared with a cache. Other outputs are returned as they are.
    """
    if isinstance(output, BaseMessage):
        metadata = {**output.response_metadata, METADATA_KEY: decision.as_metadata()}
        return output.model_copy(update={"response_metadata": metadata})
    if isinstance(output, dict) and isinstance(output.get("raw"), BaseMessage):
        carrying: Any = {**output, "raw": with_decision(output["raw"], decision)}
        return carrying  # type: ignore[no-any-return]
    return output
