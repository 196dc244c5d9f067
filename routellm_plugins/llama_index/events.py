"""How a decision travels: with the answer, and in LlamaIndex's events and spans."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse, TextBlock
from llama_index.core.instrumentation.events import BaseEvent
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags

from routellm_core import Decision, Tier

from ..streams import HandedStream
from .answers import note
from .shadow import ShadowRecord
from .thinking import sign

KEY = "routellm"
"""Where a response's ``additional_kwargs`` hold the decision."""

T = TypeVar("T")

dispatcher = get_dispatcher(__name__)


class RouteDecisionEvent(BaseEvent):
    """Where a call went, and why; the attributes are those of ``routellm_core.Decision``."""

    tier: Tier
    score: float | None
    threshold: float | None
    router: str
    cause: str
    elapsed_ms: float
    propensity: float | None = None
    draw: str | None = None

    @classmethod
    def class_name(cls) -> str:
        return "RouteDecisionEvent"


class Trace:
    """Leaves a decision on what a call gives back, and on what it causes.

    Sends a ``RouteDecisionEvent``. Events and spans inside ``tags()`` have the decision as flat
    tags, ``routellm_tier`` and so on. A response has it in ``additional_kwargs["routellm"]``, and
    never on its message, whose ``additional_kwargs`` clients send to the provider in later turns.

    Args:
        decision: the decision.
        record: keeps the call, if there is shadow mode.
    """

    def __init__(self, decision: Decision, record: ShadowRecord | None = None) -> None:
        self.decision = decision
        self._record = record
        self._metadata = decision.as_metadata()
        self._tags = {f"{KEY}_{name}": value for name, value in self._metadata.items()}
        dispatcher.event(RouteDecisionEvent.model_validate(self._metadata))

    @contextmanager
    def tags(self) -> Iterator[None]:
        """Return a context in which events and spans are tagged."""
        keeping = self._record.listening() if self._record else nullcontext()
        with instrument_tags({**active_instrument_tags.get(), **self._tags}), keeping:
            yield

    def marked(self, answer: T) -> T:
        """Return the answer, with the decision if it is a response."""
        note(answer, self.decision.tier)
        return self.marked_chunk(answer)

    def marked_stream(self, chunks: Iterator[T]) -> Generator[T, None, None]:
        """Yield the chunks, each marked, because consumers pick any of them."""
        chunk: object = None
        end = object()
        while True:
            last = chunk
            # Not around the yield: tags would reach what the consumer does in between.
            with self.tags():
                chunk = next(chunks, end)
            if chunk is end:
                note(last, self.decision.tier)  # which has the whole answer
                return
            yield self.marked_chunk(chunk)  # type: ignore[misc]

    def marked_astream(self, chunks: AsyncIterator[T]) -> MarkedStream[T]:
        """Like ``marked_stream``."""
        return MarkedStream(self, chunks)

    def marked_chunk(self, answer: T) -> T:
        """Return an answer or a chunk, with the decision if it is a response."""
        if isinstance(answer, (ChatResponse, CompletionResponse)):
            # Assigned: a field that is only changed is left out of dumps of what was set, as traces
            # have them.
            answer.additional_kwargs = {**answer.additional_kwargs, KEY: dict(self._metadata)}
            sign(answer, self.decision.tier)
        return answer


class MarkedStream(HandedStream[T]):
    """The chunks of a stream, each marked."""

    def __init__(self, trace: Trace, chunks: AsyncIterator[T]) -> None:
        async def opened() -> AsyncIterator[T]:
            return chunks

        super().__init__(opened, None)
        self._trace = trace
        self._last: object = None

    async def _next(self) -> T:
        with self._trace.tags():
            try:
                self._last = chunk = await super()._next()
            except StopAsyncIteration:
                note(self._last, self._trace.decision.tier)
                raise
        return self._trace.marked_chunk(chunk)


def tier_of(response: ChatResponse) -> Any:
    """Return the tier that gave a response or chunk; None for one of another origin."""
    decision = response.additional_kwargs.get(KEY)
    return decision.get("tier") if isinstance(decision, dict) else None


def has_begun(chunk: object) -> bool:
    """Return whether a chunk of a stream brings something of the answer.

    Providers begin with chunks that hold a role and no words.
    """
    if isinstance(chunk, ChatResponse):
        message = chunk.message
        words = chunk.delta or message.content or message.additional_kwargs
        return bool(words) or not all(isinstance(block, TextBlock) for block in message.blocks)
    if isinstance(chunk, CompletionResponse):
        return bool(chunk.delta or chunk.text)
    return chunk != ""
