"""Reasoning that its author alone can read does not reach the other model."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain")

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import ChatPromptValue

from routellm_plugins.langchain import ChatRouteLLM, RouteLLMMiddleware
from routellm_plugins.langchain.reporting import with_tier_alone
from tests.fakes.routers import EASY, HARD
from tests.langchain.agents import LENGTH

pytestmark = pytest.mark.usefixtures("fresh")

FORMS: dict[str, dict[str, Any]] = {
    "anthropic": {
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "signed by {}"},
            {"type": "redacted_thinking", "data": "signed by {}"},
            {"type": "text", "text": "Said."},
        ]
    },
    "openai responses": {
        "id": "msg_{}",
        "content": [
            {"type": "reasoning", "id": "rs_{}", "encrypted_content": "signed by {}"},
            {"type": "text", "text": "Said.", "id": "msg_{}"},
        ],
        "response_metadata": {"id": "resp_{}"},
    },
    "openai, older": {
        "content": "Said.",
        "additional_kwargs": {
            "reasoning": {"id": "rs_{}"},
            "__openai_function_call_ids__": {"call_1": "fc_{}"},
        },
    },
    "langchain's own": {
        "content": [
            {"type": "reasoning", "reasoning": "Hm.", "extras": {"signature": "signed by {}"}},
            {"type": "non_standard", "value": {"type": "redacted_thinking", "data": "by {}"}},
            {"type": "text", "text": "Said.", "extras": {"signature": "by {}", "kept": 1}},
        ]
    },
}


_answers = itertools.count()


def _filled(value: Any, name: str) -> Any:
    if isinstance(value, str):
        return value.replace("{}", name)
    if isinstance(value, dict):
        return {key: _filled(each, name) for key, each in value.items()}
    return [_filled(each, name) for each in value] if isinstance(value, list) else value


class Thinking(BaseChatModel):
    """Refuses a conversation with reasoning that is not its own, as providers do."""

    name: str = ""
    form: dict[str, Any]

    @property
    def _llm_type(self) -> str:
        return "thinking"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind()

    def _said(self, messages: list[BaseMessage], chunk: bool = False) -> Any:
        other = "mini" if self.name == "large" else "large"
        for message in messages:
            shown = (message.content, message.additional_kwargs, message.id)
            if other in str(shown) or other in str(message.response_metadata.get("id")):
                raise ValueError(f"400: {other} wrote {shown}")
        kind = AIMessageChunk if chunk else AIMessage
        return kind(**_filled(self.form, f"{self.name}{next(_answers)}"))

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._said(messages))])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:
        yield ChatGenerationChunk(message=self._said(messages, chunk=True))


def _joined(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


async def _collected(chunks: Any) -> Any:
    return _joined([chunk async for chunk in chunks])


WAYS: dict[str, Callable[[Any, list[Any]], Any]] = {
    "invoke": lambda llm, m: llm.invoke(m),
    "prompt": lambda llm, m: llm.invoke(ChatPromptValue(messages=m)),
    "ainvoke": lambda llm, m: llm.ainvoke(m),
    "stream": lambda llm, m: _joined(list(llm.stream(m))),
    "astream": lambda llm, m: _collected(llm.astream(m)),
    "batch": lambda llm, m: llm.batch([m])[0],
    "generate": lambda llm, m: llm.generate([m]).generations[0][0].message,
    "bind_tools": lambda llm, m: llm.bind_tools([]).invoke(m),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", [*WAYS, "agent"])
async def test_a_conversation_that_goes_back_and_forth(form: str, way: str) -> None:
    large, mini = (Thinking(name=name, form=FORMS[form]) for name in ("large", "mini"))
    llm = ChatRouteLLM(large, mini, **LENGTH)
    agent = create_agent(large, middleware=[RouteLLMMiddleware(mini, **LENGTH)])
    history: list[Any] = []
    for text in (HARD, EASY, HARD, EASY):
        history.append(HumanMessage(text))
        if way == "agent":
            history = agent.invoke({"messages": history})["messages"]
            continue
        before = copy.deepcopy(history)
        answer = WAYS[way](llm, history)
        answer = await answer if hasattr(answer, "__await__") else answer
        assert history == before  # the application's own messages stay whole
        history.append(answer)
    answers = [message for message in history if isinstance(message, AIMessage)]
    assert [("large" in str(each), "mini" in str(each)) for each in answers] == [
        (True, False),
        (False, True),
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("form", FORMS)
def test_a_conversation_of_one_model_stays_whole(form: str) -> None:
    seen: list[Any] = []

    class Seeing(Thinking):
        def _said(self, messages: list[BaseMessage], chunk: bool = False) -> Any:
            seen.append(messages)
            return super()._said(messages, chunk)

    large, mini = (Seeing(name=name, form=FORMS[form]) for name in ("large", "mini"))
    llm = ChatRouteLLM(large, mini, **LENGTH)
    first = llm.invoke([HumanMessage(HARD)])
    unknown = AIMessage(**_filled(FORMS[form], "large"))
    history = [HumanMessage(HARD), first, HumanMessage(HARD), unknown, HumanMessage(HARD)]
    llm.invoke(history)
    assert seen[-1] == [with_tier_alone(message) for message in history]
