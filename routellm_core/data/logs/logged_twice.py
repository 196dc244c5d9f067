"""Which spans are of one call that two instrumentations logged side by side, as of LangChain and of
the client that it calls: neither is within the other, so only what they say is alike.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from .call_facts import seconds

Row = Mapping[str, Any]

_BEGINS = ("startTimeUnixNano", "start_time_unix_nano", "start_time", "startTime")
_ENDS = ("endTimeUnixNano", "end_time_unix_nano", "end_time", "endTime")

_KEPT = 10_000
"""Calls that are remembered: spans of one call are near each other in a log."""

_KEPT_ALIKE = 100
"""Of these, those that ask the same of one model."""

_Time = tuple[str, float, float]
"""Name of a span, when it began and when it ended."""


class LoggedTwice:
    """The spans of models that were read, so that a call is counted once."""

    def __init__(self) -> None:
        self._read: OrderedDict[int, list[_Time]] = OrderedDict()

    def has_call(self, span: Row, turns: Sequence[str], model: object) -> bool:
        """Return whether a span of another name asked the same of the same model, the one during
        the other. Each is of one call at the most.

        Args:
            span: of a call that has not been read yet.
            turns: what it asks.
            model: that it asks for.
        """
        name, began, ended = span.get("name"), _first(span, _BEGINS), _first(span, _ENDS)
        if not isinstance(name, str) or began is None or ended is None:
            return False
        key = hash((tuple(turns), model))
        times = self._read.setdefault(key, [])
        self._read.move_to_end(key)
        if len(self._read) > _KEPT:
            self._read.popitem(last=False)
        for at, (other, start, end) in enumerate(times):
            is_during = (start <= began and ended <= end) or (began <= start and end <= ended)
            if other != name and is_during:
                del times[at]
                return True
        times.append((name, began, ended))
        del times[:-_KEPT_ALIKE]
        return False


def _first(span: Row, names: Sequence[str]) -> float | None:
    return next((seconds(span[name]) for name in names if span.get(name) is not None), None)
