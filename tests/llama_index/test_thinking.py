"""Thinking that its author alone can read does not reach the other LLM."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llama_index.core.base.llms import types
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, TextBlock
from llama_index.core.prompts import ChatPromptTemplate

from routellm_plugins.llama_index import RouteLLM
from tests.llama_index.routed import EASY, HARD, Routed

if not hasattr(types, "ThinkingBlock"):
    pytest.skip("this llama-index-core has no thinking", allow_module_level=True)

from llama_index.core.base.llms.types import ThinkingBlock
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.mock import MockLLM

_answers = itertools.count()


class Thinking(MockLLM, FunctionCallingLLM):
    """Refuses a conversation with thinking that is not its own, as providers do."""

    called: str = ""

    def __init__(self, called: str) -> None:
        super().__init__()
        self.called = called

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self.called, is_chat_model=True, is_function_calling_model=True
        )

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        user = [ChatMessage(user_msg)] if isinstance(user_msg, str) else []
        return {"messages": [*(chat_history or []), *user]}

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        for message in messages:
            for block in message.blocks:
                if isinstance(block, ThinkingBlock):
                    known = block.additional_information
                    if not known["signature"].startswith(self.called) or len(known) > 1:
                        raise ValueError(f"400: {self.called} cannot read {known}")
        signature = f"{self.called} {next(_answers)}"
        thinking = ThinkingBlock(content="Hm.", additional_information={"signature": signature})
        said = ChatMessage(blocks=[thinking, TextBlock(text="Said.")], role="assistant")
        return ChatResponse(message=said, delta="Said.")

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self.chat(messages)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        yield self.chat(messages)

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        async def chunks() -> Any:
            yield self.chat(messages)

        return chunks()


async def _last(chunks: Any) -> Any:
    return [chunk async for chunk in await chunks][-1]


WAYS: dict[str, Callable[[RouteLLM, list[ChatMessage]], Any]] = {
    "chat": lambda llm, m: llm.chat(m),
    "achat": lambda llm, m: llm.achat(m),
    "stream_chat": lambda llm, m: list(llm.stream_chat(m))[-1],
    "astream_chat": lambda llm, m: _last(llm.astream_chat(m)),
    "chat_with_tools": lambda llm, m: llm.chat_with_tools([], chat_history=m),
    "achat_with_tools": lambda llm, m: llm.achat_with_tools([], chat_history=m),
    "stream_chat_with_tools": lambda llm, m: list(llm.stream_chat_with_tools([], chat_history=m))[
        -1
    ],
    "astream_chat_with_tools": lambda llm, m: _last(
        llm.astream_chat_with_tools([], chat_history=m)
    ),
}


@pytest.fixture
def llm(pair: Routed) -> RouteLLM:
    strong, weak = Thinking("large"), Thinking("mini")
    return RouteLLM(strong, weak, router="recording", threshold=0.5)


def _authors(messages: list[ChatMessage]) -> list[str]:
    return [
        block.additional_information["signature"].split()[0]
        for message in messages
        for block in message.blocks
        if isinstance(block, ThinkingBlock)
    ]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stored", [False, True], ids=["kept", "stored and loaded"])
async def test_a_conversation_that_goes_back_and_forth(llm: RouteLLM, way: str, stored: bool):
    history: list[ChatMessage] = []
    for question in (HARD, EASY, HARD, EASY, HARD):
        history.append(ChatMessage(question))
        answer = WAYS[way](llm, history)
        answer = await answer if hasattr(answer, "__await__") else answer
        history.append(answer.message)
        if stored:
            history = [ChatMessage.model_validate(m.model_dump()) for m in history]
    # The application's own messages stay whole.
    assert _authors(history) == ["large", "mini", "large", "mini", "large"]


async def test_the_template_of_a_chat_engine(llm: RouteLLM):
    history = [ChatMessage(HARD), llm.chat([ChatMessage(HARD)]).message, ChatMessage(EASY)]
    template = ChatPromptTemplate(message_templates=history)
    assert llm.predict(template) == "Said."
    assert await llm.apredict(template) == "Said."
    assert "".join(llm.stream(template)) == "Said."
    assert _authors(template.message_templates) == ["large"]


def test_thinking_of_no_known_author_is_handed_on(llm: RouteLLM):
    known = {"signature": "mini 0"}
    unknown = ThinkingBlock(content="Hm.", additional_information=known)
    history = [ChatMessage(EASY), ChatMessage(blocks=[unknown], role="assistant")]
    assert llm.chat([*history, ChatMessage(EASY)]).message.content == "Said."
    with pytest.raises(ValueError, match="400: large cannot read"):
        llm.chat([*history, ChatMessage(HARD)])
