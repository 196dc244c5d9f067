"""A loop whose history was trimmed to its last step stays with the LLM that answered before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool

from tests.llama_index.routed import EASY, HARD, TIER, Routed


def look_up(city: str) -> str:
    """Look a city up."""
    return "Prove it."


TOOL = FunctionTool.from_defaults(fn=look_up)
OTHER = {"strong": "weak", "weak": "strong"}


async def _chat(llm: Any, messages: list[ChatMessage]) -> Any:
    return llm.chat_with_tools([TOOL], chat_history=messages)


async def _achat(llm: Any, messages: list[ChatMessage]) -> Any:
    return await llm.achat_with_tools([TOOL], chat_history=messages)


async def _stream(llm: Any, messages: list[ChatMessage]) -> Any:
    return list(llm.stream_chat_with_tools([TOOL], chat_history=messages))[-1]


async def _astream(llm: Any, messages: list[ChatMessage]) -> Any:
    stream = await llm.astream_chat_with_tools([TOOL], chat_history=messages)
    return [chunk async for chunk in stream][-1]


@pytest.mark.parametrize("question", [EASY, HARD])
@pytest.mark.parametrize("ask", [_chat, _achat, _stream, _astream])
async def test_a_loop_stays_with_its_llm(
    pair: Routed, ask: Callable[[Any, list[ChatMessage]], Awaitable[Any]], question: str
) -> None:
    tier = TIER[question]
    llm = pair.llm(on_no_text=OTHER[tier])
    answer = (await ask(llm, [ChatMessage(question)])).message
    (call,) = llm.get_tool_calls_from_response(await ask(llm, [ChatMessage(question)]))
    told = {"tool_call_id": call.tool_id}
    result = ChatMessage("Prove it.", role=MessageRole.TOOL, additional_kwargs=told)
    pair.forget()
    last = await ask(llm, [answer, result])
    assert pair.answered() == {tier: 1, OTHER[tier]: 0}
    assert last.additional_kwargs["routellm"]["cause"] == "conversation"


async def test_the_words_of_an_answer_tell_as_well(pair: Routed) -> None:
    pair.reply({"prove": "Thought: I look it up.\nAction: look_up"})
    llm = pair.llm(on_no_text="weak")
    answer = llm.chat([ChatMessage("Please prove it.")]).message
    pair.forget()
    llm.chat([answer, ChatMessage("Observation: seen")])
    assert pair.answered() == {"strong": 1, "weak": 0}


def test_answers_of_another_origin_tell_nothing(pair: Routed) -> None:
    said = ChatMessage("Of nobody that is known here.", role=MessageRole.ASSISTANT)
    for tier in ("strong", "weak"):
        pair.llm(on_no_text=tier).chat([said])
        assert pair.answered() == {tier: 1, OTHER[tier]: 0}
