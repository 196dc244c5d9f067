"""Shadow mode: a callback keeps each call of a model, and calls the other model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig

from routellm_core import Decision, Tier, human_turns
from routellm_core.traffic.shadow.other_model import TwoModels
from routellm_core.traffic.shadow.shadow import OTHER, OtherCall
from routellm_core.traffic.store.kept import Answer, Request

_ARGUMENTS = ("tools", "tool_choice", "parallel_tool_calls", "response_format")

CallOther = Callable[[Tier, RunnableConfig], Any]
"""Makes the same call of the model of a tier, with a config."""


class ShadowCallback(BaseCallbackHandler):
    """Keeps one call, and makes it of the other model too if it is sampled.

    Args:
        models: the two models, and where it is kept.
        decision: on the call.
        question: that was scored instead of the last message, if one was.
        call_other: makes the call of the other model.
        takes_arguments: whether the other model takes this one's tools and response format as
            they are. Else calls with any are not sampled.
    """

    run_inline = True  # in async calls too: it does not wait for anything

    def __init__(
        self,
        models: TwoModels,
        decision: Decision,
        question: str | None,
        call_other: CallOther,
        takes_arguments: bool = True,
    ) -> None:
        self._models = models
        self._decision = decision
        self._question = question
        self._call_other = call_other
        self._takes_arguments = takes_arguments
        self.messages: list[BaseMessage] = []
        """What the model is asked."""
        self.arguments: dict[str, Any] = {}
        """Its tools and response format, in its provider's form."""
        self._at, self._start = time.time(), time.perf_counter()
        self._kept = False

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[BaseMessage]], **kwargs: Any
    ) -> None:
        """Note what the model is asked."""
        self.messages = messages[0]
        given = kwargs.get("invocation_params") or {}
        self.arguments = {name: given[name] for name in _ARGUMENTS if given.get(name) is not None}

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Keep the call."""
        message = _message(response)
        if self._kept or message is None:
            return
        self._kept = True
        shadow, tier = self._models.shadow, self._decision.tier
        is_askable = self._takes_arguments or not self.arguments
        propensity = shadow.settings.sample if is_askable else 0.0
        sampled = shadow.draws(propensity)
        messages, other, prompt = [], None, None
        if sampled:
            messages = convert_to_openai_messages(self.messages)
            prompt = self._question or next(iter(human_turns(messages)[-1:]), None)
            other = self._other(OTHER[tier], len(json.dumps(messages, default=str)))
        request = Request(
            request_id=str(run_id),
            at=self._at,
            route=shadow.route,
            decision=self._decision,
            answer_id=message.id,
            turns=sum(each.type == "human" for each in self.messages),
            prompt=prompt,
            messages=messages,
            sampled=sampled,
            propensity=propensity,
        )
        elapsed_ms = (time.perf_counter() - self._start) * 1000
        self._models.keep(request, self._models.priced(_answer(tier, message, elapsed_ms)), other)

    def _other(self, tier: Tier, size: int) -> OtherCall:
        def make() -> Answer:
            collected, start = _Collected(), time.perf_counter()
            # A thread of the background has no parent run, so the user's traces do not show it.
            self._call_other(tier, {"callbacks": [collected], "tags": ["routellm:shadow"]})
            elapsed_ms = (time.perf_counter() - start) * 1000
            return self._models.priced(_answer(tier, collected.message, elapsed_ms))

        estimate = self._models.estimate_usd(tier, size)
        return OtherCall(tier, self._models.models[tier], make, size, estimate)


class _Collected(BaseCallbackHandler):
    """Holds the message with which a call ended, whatever a chain made of it."""

    message: AIMessage = AIMessage("")

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.message = _message(response) or self.message


def _message(response: LLMResult) -> AIMessage | None:
    generations = response.generations[0] if response.generations else []
    message = getattr(generations[0], "message", None) if generations else None
    return message if isinstance(message, AIMessage) else None


def _answer(tier: Tier, message: AIMessage, elapsed_ms: float) -> Answer:
    usage = message.usage_metadata
    given = written = cached = None
    if usage is not None:
        given, written = usage["input_tokens"], usage["output_tokens"]
        cached = usage.get("input_token_details", {}).get("cache_read")
    calls = json.dumps(message.tool_calls, default=str) if message.tool_calls else None
    text = str(message.text) or calls
    return Answer(tier, None, text, None, None, given, cached, written, None, elapsed_ms)
