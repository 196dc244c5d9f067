"""Finding out what a request needs of a model: of a short one, and of an agent's."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("litellm")

from routellm_plugins.litellm.deciding.needs import needs_of

from .measure import race

WORDS = "word " * 100


def short(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def agents(text: str) -> dict[str, Any]:
    """Return a request with 200 messages and 30 tools."""
    call = {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"a": 1}'}}
    schema = {"type": "object", "properties": {"path": {"type": "string", "description": WORDS}}}
    tool = {"type": "function", "function": {"name": "read", "parameters": schema}}
    steps = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": WORDS}]},
    ]
    return {"messages": [*steps * 100, {"role": "user", "content": text}], "tools": [tool] * 30}


def test_needs_of_a_request(benchmark: Any, report: Any) -> None:
    contestants = {
        "a short request": lambda text: needs_of(short(text)),
        "an agent's, 200 messages, 30 tools": lambda text: needs_of(agents(text)),
    }
    texts = [f"{number} {WORDS}" for number in range(1_000)]
    times = benchmark.pedantic(race, (contestants, texts, 5), rounds=1)
    for name, value in times.items():
        report("needs of a request", f"{value * 1000:.0f} us", name)
