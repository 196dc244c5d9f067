"""What a driver does, and the keys of the decision it reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pytest

from tests.fakes.openai_upstream import Upstream

WARNINGS = [
    # LiteLLM's own, about its TypedDicts and about how this suite closes its Router.
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Router.discard is deprecated"),
]

LENGTH = {"router": "length", "threshold": 0.6}

KEYS = ("tier", "score", "threshold", "router", "cause", "elapsed_ms")
"""Of ``Decision.as_metadata()``."""


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "see", "parameters": {"type": "object", "properties": {}}},
}
RETURNED = "What the tool returned has words, and none of them is of the human."

Content = str | list[dict[str, Any]]
"""What a user message holds: a text, or parts in OpenAI's form."""
Said = tuple[str, str] | dict[str, Any]
"""An earlier message: role and text, or all of it in OpenAI's form."""


class Adapter(Protocol):
    """Sends real calls through one framework.

    Args:
        strong_url: base URL of the stand-in for the strong model.
        weak_url: base URL of the stand-in for the weak model.
        strong: what the strong model is called.
        settings: of the policy, as the framework's users write them.
    """

    name: str
    settles: bool
    """Whether a call can continue an answer that binds it to a model."""

    def __init__(
        self, strong_url: str, weak_url: str, strong: str = "strong", **settings: Any
    ) -> None: ...

    def ask(
        self,
        text: Content | None,
        *,
        history: Sequence[Said] = (),
        override: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send one call.

        Args:
            text: what the human writes, or the parts of it; None sends a system message alone.
            history: the messages before it.
            override: settings of this call only, by their names in the policy.

        Returns:
            The decision as the framework reports it, with all of ``KEYS``, and ``served``:
            which model, ``strong`` or ``weak``, received the call.
        """

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        """Send a call and one that continues its answer; returns the report on each."""

    def trimmed(self, text: str) -> dict[str, Any]:
        """Send a call with ``TOOL``, and then its answer and what the tool returned alone, as an
        agent whose history is trimmed; returns the report on the second.
        """

    def close(self) -> None:
        """Release what the framework holds."""


def messages_of(text: Content | None, history: Sequence[Said]) -> list[dict[str, Any]]:
    """Return a call's messages in OpenAI's form."""
    messages = [
        said if isinstance(said, dict) else {"role": said[0], "content": said[1]}
        for said in history
    ]
    last: dict[str, Any] = {"role": "system", "content": "Say something."}
    return [*messages, last if text is None else {"role": "user", "content": text}]


class Asking:
    """An adapter between two stand-ins; its reports say which of them was really called."""

    def __init__(self, adapter: Adapter, upstreams: dict[str, Upstream]) -> None:
        self._adapter = adapter
        self._upstreams = upstreams

    def ask(self, text: Content | None, **call: Any) -> dict[str, Any]:
        before = self._counts()
        report = self._adapter.ask(text, **call)
        after = self._counts()
        called = [name for name in after if after[name] != before[name]]
        assert called == [report["served"]]
        assert set(KEYS) <= set(report)
        assert report["elapsed_ms"] >= 0
        return report

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        return self._adapter.settled(first, then)

    def trimmed(self, text: str) -> dict[str, Any]:
        return self._adapter.trimmed(text)

    def _counts(self) -> dict[str, int]:
        return {name: len(upstream.requests) for name, upstream in self._upstreams.items()}


def outcome(report: dict[str, Any]) -> tuple[Any, ...]:
    return report["served"], report["tier"], report["score"], report["cause"]
