"""Record the events and spans of LlamaIndex's instrumentation."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.span import BaseSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from pydantic import Field


class _Events(BaseEventHandler):
    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        self.seen.append(event)


class _Spans(BaseSpanHandler[BaseSpan]):
    seen: list[tuple[str, dict[str, Any]]] = Field(default_factory=list)

    def span_enter(self, id_: str, *args: Any, tags: dict[str, Any], **kwargs: Any) -> None:
        self.seen.append((id_.partition("-")[0], tags))

    def new_span(self, *args: Any, **kwargs: Any) -> None: ...

    def prepare_to_exit_span(self, *args: Any, **kwargs: Any) -> None: ...

    def prepare_to_drop_span(self, *args: Any, **kwargs: Any) -> None: ...


class Recorder:
    """Takes events and spans.

    Attributes:
        events_handler, spans_handler: to be attached to a dispatcher.
        spans: the name (class and method) and the tags of each span, in order.
    """

    def __init__(self) -> None:
        self.events_handler = _Events()
        self.spans_handler = _Spans()
        self.spans = self.spans_handler.seen

    def events(self, kind: type[BaseEvent] = BaseEvent) -> list[Any]:
        """Return the events of a kind, in order."""
        return [event for event in self.events_handler.seen if isinstance(event, kind)]
