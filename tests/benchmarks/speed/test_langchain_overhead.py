"""What ChatRouteLLM adds to a call, beside the bare model in one process.

The models answer at once, so that everything measured is LangChain's and ours. Times are p50s in
microseconds, in the quietest of some rounds.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("langchain_core")

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from routellm_core import RoutingPolicy
from routellm_plugins.langchain import ChatRouteLLM

from .measure import race

PROMPTS = [f"Why is the sky blue, and not green, on day {number}?" for number in range(3000)]

TARGET_US = 150
"""Wanted of a quiet machine."""

MOST_TIMES_BARE = 3.0
"""What a call without its score takes at most, in calls of the bare model; a busy machine slows
both alike. Twice is usual."""


class Instant(BaseChatModel):
    """A model that answers before it is asked."""

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("42"))])


def test_overhead_of_a_call(benchmark, report):
    # By a router that does next to nothing: beside LangChain, mf finds the CPU's caches emptied,
    # and what it takes here cannot be told from what it takes alone.
    contestants = {
        "bare": Instant().invoke,
        "random": ChatRouteLLM(Instant(), Instant(), router="random", threshold=0.5).invoke,
        "score": RoutingPolicy("random", threshold=0.5).decide,
        "mf": ChatRouteLLM(Instant(), Instant(), threshold=0.5).invoke,
    }
    race(contestants, PROMPTS[:100])  # every word is seen before
    times = benchmark.pedantic(race, (contestants, PROMPTS), rounds=1)
    bare, whole, score, mf = (times[name] * 1000 for name in contestants)
    report("LangChain, bare model", f"{bare:.0f} us", "invoke, answered at once")
    report("ChatRouteLLM adds", f"{whole - bare - score:.0f} us", f"target: {TARGET_US}")
    report("ChatRouteLLM adds with mf", f"{mf - bare:.0f} us", f"{mf / bare:.2f} times as long")
    assert whole - score <= MOST_TIMES_BARE * bare
