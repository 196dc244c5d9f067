"""What a call through a ``RouteLLM`` takes beside the same call of the LLM alone.

Both in one process, in turn, on an LLM of LlamaIndex's own that answers at once. Times are p50s
in the quietest of some rounds. The time that the decision itself took in the call is taken off; it
is more than that of one decision after the other, because the call empties the CPU's caches.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.llms import LLM, ChatMessage, MockLLM
from llama_index.core.prompts import PromptTemplate

from routellm_core import Decision, hookimpl
from routellm_plugins.llama_index import RouteLLM

from .measure import race
from .prompts import make_prompts

TEMPLATE = PromptTemplate("Context: {context_str}\nQuestion: {query_str}")
PROMPTS = 2000
ROUNDS = 5
MOST_US = 1000.0
"""Five times the target of 200 microseconds, so that a busy machine does not fail."""


def complete(llm: LLM, words: str) -> object:
    return llm.complete(words)


def chat(llm: LLM, words: str) -> object:
    return llm.chat([ChatMessage(words)])


def stream_chat(llm: LLM, words: str) -> object:
    return list(llm.stream_chat([ChatMessage(words)]))


def predict(llm: LLM, words: str) -> object:
    return llm.predict(TEMPLATE, context_str="None.", query_str=words)


def achat(llm: LLM, words: str) -> object:
    return LOOP.run_until_complete(llm.achat([ChatMessage(words)]))


LOOP = asyncio.new_event_loop()


@pytest.fixture(scope="module", autouse=True)
def _close_loop() -> Iterator[None]:
    yield
    LOOP.close()


class Decisions:
    """Notes how long each decision took, in milliseconds."""

    def __init__(self) -> None:
        self.times: list[float] = []

    @hookimpl
    def routellm_decided(self, decision: Decision) -> None:
        self.times.append(decision.elapsed_ms)


@pytest.mark.parametrize("call", [complete, chat, achat, stream_chat, predict])
def test_overhead_of_a_call(
    call: Callable[[LLM, str], object],
    benchmark: Any,
    report: Callable[[str, str, str], None],
    plugin: Callable[[object], object],
):
    bare = MockLLM(max_tokens=2)
    routed = RouteLLM(MockLLM(max_tokens=3), bare, threshold=1.0)
    prompts = make_prompts(20, PROMPTS, lambda text: len(text.split()), seed=7)
    for prompt in prompts[:100]:
        call(routed, prompt)
        call(bare, prompt)
    decisions = Decisions()
    plugin(decisions)
    contestants: dict[str, Callable[[str], object]] = {
        "bare": lambda prompt: call(bare, prompt),
        "routed": lambda prompt: call(routed, prompt),
    }
    times = benchmark.pedantic(race, (contestants, prompts, ROUNDS), rounds=1)
    rounds = [
        decisions.times[at : at + PROMPTS // ROUNDS] for at in range(0, PROMPTS, PROMPTS // ROUNDS)
    ]
    decide = min(statistics.median(each) for each in rounds)
    overhead_us = 1000 * (times["routed"] - times["bare"] - decide)
    report(
        f"llama_index {call.__name__}",
        f"{overhead_us:.0f} us",
        f"beside {1000 * times['bare']:.0f} us of the LLM, {1000 * decide:.0f} us to decide",
    )
    assert overhead_us <= MOST_US
