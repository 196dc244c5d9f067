"""Which spans are of one call: those within each other, as of a model and of the client in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .json_values import mapped

Row = Mapping[str, Any]

_SPAN = frozenset(("attributes", "span_kind"))
"""Keys by which a span is told from a log's row that only names the span it was written in."""

_IDS = ("spanId", "span_id", "context.span_id")
_TRACES = ("traceId", "trace_id", "context.trace_id")
_PARENTS = ("parentSpanId", "parent_span_id", "parent_id")


class NestedSpans:
    """The spans of models that were read, in any order, so that a call is counted once."""

    def __init__(self) -> None:
        self._read: set[str] = set()
        self._around: set[str] = set()

    def has_read(self, span: Row) -> bool:
        """Return whether a span was read before, as where two exports overlap."""
        return is_span(span) and span_id(span) in self._read

    def has_call(self, span: Row, *, is_call: bool = True) -> bool:
        """Return whether a span around this one, or within it, was read as a call.

        Args:
            span: of a model; none is any other row.
            is_call: whether it can be read as a call; else what is around it and what is within it
                are still of one call.
        """
        own = span_id(span) if is_span(span) else None
        if own is None:
            return False
        parent = _first(span, _PARENTS)
        is_within, is_around = parent in self._read, own in self._around
        if is_call or is_within:
            self._read.add(own)
        if parent is not None and (is_call or is_around):
            self._around.add(parent)
        return is_within or is_around


def is_span(row: Row) -> bool:
    """Whether a row is a span, and does not only name one."""
    return not _SPAN.isdisjoint(row)


def span_id(span: Row) -> str | None:
    """Return the id of a span; None if it has none."""
    return _first(span, _IDS) or _first(mapped(span.get("context")), _IDS)


def trace_id(span: Row) -> str | None:
    """Return the id of the trace of a span; None if it has none."""
    return _first(span, _TRACES) or _first(mapped(span.get("context")), _TRACES)


def _first(row: Row, names: tuple[str, ...]) -> str | None:
    found = (row.get(name) for name in names)
    return next((each for each in found if isinstance(each, str) and each), None)
