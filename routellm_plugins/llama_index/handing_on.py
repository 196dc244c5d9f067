"""The way of every call: decide on it, and make it of the LLM that is picked."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from dataclasses import replace
from typing import Any, TypeVar

from llama_index.core.bridge.pydantic import Field, PrivateAttr, SerializeAsAny
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM

from routellm_core import Asked, Decision, RouteLLMError, Tier
from routellm_core.overrides import overridden, take_overrides
from routellm_core.policy.policies import adecide, decide
from routellm_core.policy.route_on import text_to_route_on
from routellm_core.traffic.shadow.other_model import TwoModels

from ..streams import HandedStream
from .events import Trace, has_begun
from .settings import RouteSettings
from .shadow import ShadowRecord
from .thinking import M, readable_by, template_readable_by

T = TypeVar("T")
Read = Callable[[], Asked]


class HandedOn(FunctionCallingLLM):
    """Two LLMs, and how a call goes to one of them, or to the strong one after the weak failed."""

    # Frozen, because what is assigned later would be neither checked nor obeyed.
    strong: SerializeAsAny[LLM] = Field(frozen=True)
    weak: SerializeAsAny[LLM] = Field(frozen=True)
    settings: RouteSettings = Field(frozen=True)
    _two_models: TwoModels | None = PrivateAttr(default=None)

    def _call(self, read: Read, call: Callable[[LLM], T], *given: dict[str, Any]) -> T:
        """Decide on a call, and make it.

        Args:
            read: finds what the call asks.
            call: makes it of the LLM that was picked.
            given: its keyword arguments. What is about routing is taken out of them before
                ``read`` and ``call`` see them.
        """
        llm, trace = self._pick(read, given)
        try:
            with trace.tags():
                return trace.marked(call(llm))
        except Exception as error:
            trace = self._instead(trace, error, read)
        with trace.tags():
            return trace.marked(call(self.strong))

    async def _acall(
        self, read: Read, call: Callable[[LLM], Awaitable[T]], *given: dict[str, Any]
    ) -> T:
        llm, trace = await self._apick(read, given)
        try:
            with trace.tags():
                return trace.marked(await call(llm))
        except Exception as error:
            trace = self._instead(trace, error, read)
        with trace.tags():
            return trace.marked(await call(self.strong))

    def _stream(
        self, read: Read, call: Callable[[LLM], Iterator[T]], *given: dict[str, Any]
    ) -> Generator[T, None, None]:
        llm, trace = self._pick(read, given)
        try:
            with trace.tags():
                chunks = call(llm)
        except Exception as error:
            trace = self._instead(trace, error, read)
            with trace.tags():
                chunks = call(self.strong)
        return self._chunks(trace, chunks, call, read)

    def _chunks(
        self, trace: Trace, chunks: Iterator[T], call: Callable[[LLM], Iterator[T]], read: Read
    ) -> Generator[T, None, None]:
        marked = trace.marked_stream(chunks)
        if not self._falls_back(trace):
            yield from marked
            return
        held: list[T] = []
        try:
            for chunk in marked:
                held.append(chunk)
                if has_begun(chunk):
                    break
        except Exception as error:
            trace, held = self._instead(trace, error, read), []
            with trace.tags():
                marked = trace.marked_stream(call(self.strong))
        yield from held
        yield from marked

    async def _astream(
        self, read: Read, call: Callable[[LLM], Awaitable[AsyncIterator[T]]], *given: dict[str, Any]
    ) -> AsyncGenerator[T, None]:
        llm, trace = await self._apick(read, given)
        try:
            with trace.tags():
                chunks = await call(llm)
        except Exception as error:
            trace = self._instead(trace, error, read)
            with trace.tags():
                chunks = await call(self.strong)
        return self._achunks(trace, chunks, call, read)

    def _achunks(
        self,
        trace: Trace,
        chunks: AsyncIterator[T],
        call: Callable[[LLM], Awaitable[AsyncIterator[T]]],
        read: Read,
    ) -> AsyncGenerator[T, None]:
        marked = trace.marked_astream(chunks)
        if not self._falls_back(trace):
            return marked

        async def begun() -> AsyncIterator[T]:
            held: list[T] = []
            try:
                async for chunk in marked:
                    held.append(chunk)
                    if has_begun(chunk):
                        break
            except Exception as error:
                other = self._instead(trace, error, read)
                with other.tags():
                    return other.marked_astream(await call(self.strong))
            marked.put_back(held)
            return marked

        return HandedStream(begun)

    def _falls_back(self, trace: Trace) -> bool:
        return self.settings.fallback is not None and trace.decision.tier == "weak"

    def _instead(self, trace: Trace, error: Exception, read: Read) -> Trace:
        """Return the trace of the call of the strong LLM that stands for one that failed.

        Raises:
            Exception: ``error``, if it is not to be called.
        """
        if not self._falls_back(trace) or isinstance(error, RouteLLMError):
            raise error
        cause = f"fallback:{type(error).__name__}"
        return self._trace(replace(trace.decision, model="strong", cause=cause), read)

    def _pick(self, read: Read, given: Iterable[dict[str, Any]]) -> tuple[LLM, Trace]:
        text_to_route_on()  # raises if it cannot be meant for one call
        settings = overridden(self.settings, *map(take_overrides, given))
        decision = decide(settings, read, checked=settings is self.settings)
        return self._llm(decision.tier), self._trace(decision, read)

    async def _apick(self, read: Read, given: Iterable[dict[str, Any]]) -> tuple[LLM, Trace]:
        text_to_route_on()  # raises if it cannot be meant for one call
        settings = overridden(self.settings, *map(take_overrides, given))
        decision = await adecide(settings, read, checked=settings is self.settings)
        return self._llm(decision.tier), self._trace(decision, read)

    def _trace(self, decision: Decision, read: Read) -> Trace:
        if self._two_models is None:
            return Trace(decision)
        llms: dict[Tier, LLM] = {"strong": self.strong, "weak": self.weak}
        return Trace(decision, ShadowRecord(self._two_models, decision, read, llms))

    def _llm(self, tier: Tier) -> LLM:
        return self.strong if tier == "strong" else self.weak

    def _for(self, llm: LLM, messages: M) -> M:
        """Return the messages that an LLM of the two is sent."""
        return readable_by(self._tier(llm), messages)

    def _filled_for(self, llm: LLM, prompt: Any) -> Any:
        """Return the template that an LLM of the two is sent."""
        return template_readable_by(self._tier(llm), prompt)

    def _tier(self, llm: LLM) -> Tier:
        return "weak" if llm is self.weak else "strong"
