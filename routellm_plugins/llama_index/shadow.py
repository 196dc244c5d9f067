"""Shadow mode of a ``RouteLLM``: LlamaIndex's events tell what a model was asked and said."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import LLM
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags

from routellm_core import Asked, Decision, Tier
from routellm_core.traffic.shadow.other_model import TwoModels
from routellm_core.traffic.shadow.shadow import OTHER, OtherCall
from routellm_core.traffic.store.kept import Answer, Request

from .thinking import readable_by

_FORMED = ("tools", "tool_choice", "response_format", "functions")
"""Arguments that have the form of one provider."""

Response = ChatResponse | CompletionResponse


class ShadowRecord:
    """Keeps one call, and makes it of the other LLM too if it is sampled.

    Args:
        models: the two models, and where it is kept.
        decision: on the call.
        read: returns what the call asks.
        llms: by tier.
    """

    def __init__(
        self,
        models: TwoModels,
        decision: Decision,
        read: Callable[[], Asked],
        llms: Mapping[Tier, LLM],
    ) -> None:
        self._models = models
        self._decision = decision
        self._read = read
        self._llms = llms
        self._at, self._start = time.time(), time.perf_counter()
        self._begun: list[LLMChatStartEvent | LLMCompletionStartEvent] = []
        self._kept = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Return a context in which the call's events are noted."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def note(self, event: BaseEvent) -> None:
        """Note what the LLM is asked, and keep the call when it has answered."""
        if isinstance(event, (LLMChatStartEvent, LLMCompletionStartEvent)):
            self._begun.append(event)
        elif isinstance(event, (LLMChatEndEvent, LLMCompletionEndEvent)) and self._begun:
            # Some LLMs complete by a chat of their own: the outer event is the call.
            begun = self._begun.pop()
            if not self._begun and not self._kept and event.response is not None:
                self._kept = True
                self._keep(begun, event.response)

    def _keep(self, begun: LLMChatStartEvent | LLMCompletionStartEvent, response: Response) -> None:
        shadow, tier = self._models.shadow, self._decision.tier
        propensity = shadow.settings.sample if self._can_be_other(begun) else 0.0
        sampled = shadow.draws(propensity)
        messages: list[dict[str, Any]] = []
        turns: tuple[str, ...] = ()
        other = None
        if sampled:
            messages, turns = _messages(begun), self._read().turns
            other = self._other(OTHER[tier], begun, len(json.dumps(messages, default=str)))
        request = Request(
            request_id=str(uuid.uuid4()),
            at=self._at,
            route=shadow.route,
            decision=self._decision,
            answer_id=_id(response),
            turns=len(turns),
            prompt=turns[-1] if turns else None,
            messages=messages,
            sampled=sampled,
            propensity=propensity,
        )
        elapsed_ms = (time.perf_counter() - self._start) * 1000
        self._models.keep(request, self._models.priced(_answer(tier, response, elapsed_ms)), other)

    def _can_be_other(self, begun: LLMChatStartEvent | LLMCompletionStartEvent) -> bool:
        """Whether the other LLM takes the arguments of the call."""
        same = type(self._llms["strong"]) is type(self._llms["weak"])
        return same or not any(begun.additional_kwargs.get(name) for name in _FORMED)

    def _other(
        self, tier: Tier, begun: LLMChatStartEvent | LLMCompletionStartEvent, size: int
    ) -> OtherCall:
        kwargs = dict(begun.additional_kwargs)

        def make() -> Answer:
            # Its own callbacks count tokens and the like for the application.
            llm = self._llms[tier].model_copy(update={"callback_manager": CallbackManager()})
            start = time.perf_counter()
            with instrument_tags({"routellm_shadow": True}):
                response: Response
                if isinstance(begun, LLMChatStartEvent):
                    response = llm.chat(readable_by(tier, begun.messages), **kwargs)
                else:
                    response = llm.complete(begun.prompt, **kwargs)
            elapsed_ms = (time.perf_counter() - start) * 1000
            return self._models.priced(_answer(tier, response, elapsed_ms))

        estimate = self._models.estimate_usd(tier, size)
        return OtherCall(tier, self._models.models[tier], make, size, estimate)


_current: ContextVar[ShadowRecord | None] = ContextVar("routellm_shadow", default=None)


class _Events(BaseEventHandler):
    """Hands each event to the record of the call that it belongs to."""

    @classmethod
    def class_name(cls) -> str:
        return "RouteLLMShadow"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        record = _current.get()
        if record is not None:
            record.note(event)


_listening = threading.Event()


def listen() -> None:
    """Have LlamaIndex tell its events, in this process from now on."""
    if not _listening.is_set():
        _listening.set()
        get_dispatcher().add_event_handler(_Events())


def _messages(begun: LLMChatStartEvent | LLMCompletionStartEvent) -> list[dict[str, Any]]:
    """Return what the LLM was asked in OpenAI's form, texts alone."""
    if isinstance(begun, LLMCompletionStartEvent):
        return [{"role": "user", "content": begun.prompt}]
    return [{"role": each.role.value, "content": each.content} for each in begun.messages]


def _answer(tier: Tier, response: Response, elapsed_ms: float) -> Answer:
    message: ChatMessage | None = None
    if isinstance(response, ChatResponse):
        message = response.message
        text = message.content
    else:
        text = response.text
    usage = _mapping(_of(response.raw, "usage"))
    given = usage.get("prompt_tokens", usage.get("input_tokens"))
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    cached = _mapping(usage.get("prompt_tokens_details")).get("cached_tokens")
    return Answer(
        tier,
        None,
        text or _tool_calls(message),
        None,
        None,
        given,
        cached,
        written,
        None,
        elapsed_ms,
    )


def _tool_calls(message: ChatMessage | None) -> str | None:
    if message is None:
        return None
    calls = [each.model_dump() for each in message.blocks if each.block_type == "tool_call"]
    found = calls or message.additional_kwargs.get("tool_calls")
    return json.dumps(found, default=_plain) if found else None


def _id(response: Response) -> str | None:
    found = _of(response.raw, "id")
    return found if isinstance(found, str) else None


def _of(raw: Any, name: str) -> Any:
    return raw.get(name) if isinstance(raw, Mapping) else getattr(raw, name, None)


def _mapping(value: Any) -> Mapping[str, Any]:
    plain = _plain(value)
    return plain if isinstance(plain, Mapping) else {}


def _plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value
