"""An LLM whose metadata say that it cannot serve a call is not chosen."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import CitableBlock, TextBlock
from llama_index.core.llms import ChatMessage, MockLLM
from llama_index.core.tools import FunctionTool

from routellm_plugins.llama_index import RouteLLM
from tests.llama_index.calls import TOOL, add
from tests.llama_index.routed import EASY, Routed, index

LONG = "word " * 2_000


def _llm(pair: Routed, **windows: int) -> RouteLLM:
    models: dict[str, Any] = {tier: pair.bare(tier) for tier in ("strong", "weak")}
    for tier, window in windows.items():
        models[tier].context_window = window
    return RouteLLM(**models, router="recording", threshold=0.5)


async def test_a_conversation_that_does_not_fit(pair: Routed):
    llm = _llm(pair, weak=1_000, strong=100_000)
    history = [ChatMessage(LONG), ChatMessage("Yes.", role="assistant"), ChatMessage(EASY)]
    for response in (
        llm.chat(history),
        await llm.achat(history),
        list(llm.stream_chat(history))[-1],
        llm.complete(LONG),
        llm.chat_with_tools([TOOL], EASY, chat_history=history),
    ):
        decision = response.additional_kwargs["routellm"]
        assert (decision["tier"], decision["cause"]) == ("strong", "context_window")
    assert pair.answered() == {"strong": 5, "weak": 0}
    assert llm.chat(history[2:]).additional_kwargs["routellm"]["tier"] == "weak"


def test_what_is_beside_the_words_counts(pair: Routed):
    llm = _llm(pair, weak=1_000, strong=100_000)
    earlier = {"tool_calls": [{"id": "1", "function": {"name": "add", "arguments": LONG}}]}
    cited = CitableBlock(title="", source="", content=[TextBlock(text=LONG)])
    result = ChatMessage("seen", role="tool", additional_kwargs={"tool_call_id": "1"})
    answer = {"role": "assistant"}
    messages = [
        ChatMessage("", additional_kwargs=earlier, **answer),
        ChatMessage(blocks=[TextBlock(text=EASY), cited]),
    ]
    if hasattr(types, "ToolCallBlock"):  # not in older releases
        called = types.ToolCallBlock(tool_call_id="1", tool_name="add", tool_kwargs={"a": LONG})
        messages.append(ChatMessage(blocks=[called], **answer))
    for message in messages:
        asked = llm._in_chat([ChatMessage(EASY), message, result])()
        assert asked.lacking == {"weak": "context_window"}
    verbose = FunctionTool.from_defaults(add, description=LONG)
    decision = llm.chat_with_tools([verbose], EASY).additional_kwargs["routellm"]
    assert (decision["tier"], decision["cause"]) == ("strong", "context_window")


def test_windows_that_are_alike_or_unknown_decide_nothing(pair: Routed):
    for windows in ({"weak": 1_000, "strong": 1_000}, {"weak": 3_900}, {}):
        llm = _llm(pair, **windows)
        response = llm.chat([ChatMessage("word " * 700)])
        assert response.additional_kwargs["routellm"]["cause"] == "score"


def test_tools_go_to_the_llm_that_takes_them(pair: Routed):
    for threshold in (0.1, 0.9):
        llm = RouteLLM(pair.bare("strong"), MockLLM(), router="recording", threshold=threshold)
        decision = llm.chat_with_tools([TOOL], EASY).additional_kwargs["routellm"]
        assert (decision["tier"], decision["cause"]) == ("strong", "tools")
    assert llm.chat([ChatMessage(EASY)]).additional_kwargs["routellm"]["tier"] == "weak"


@pytest.mark.parametrize("mode", ["compact", "tree_summarize"])
def test_an_engine_fills_the_window_and_is_routed_by_its_question(pair: Routed, mode: str):
    llm = _llm(pair, weak=2_304, strong=100_000)
    index().as_query_engine(llm=llm, response_mode=mode, similarity_top_k=3).query(EASY)
    assert pair.answered()["strong"] == 0
