"""LangChain: ``ChatRouteLLM`` over two of LangChain's own OpenAI clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_openai import ChatOpenAI

from routellm_plugins.langchain import ChatRouteLLM

from .cases import RETURNED, TOOL, Content, Said, messages_of


class LangChainAdapter:
    name = "langchain"
    settles = True

    def __init__(
        self, strong_url: str, weak_url: str, strong: str = "strong", **settings: Any
    ) -> None:
        self._model = ChatRouteLLM(
            ChatOpenAI(model=strong, base_url=strong_url, api_key="unused", max_retries=0),
            ChatOpenAI(model="weak", base_url=weak_url, api_key="unused", max_retries=0),
            **settings,
        )
        self._sticky = self._model.model_copy(update={"sticky": "conversation"})

    def ask(
        self,
        text: Content | None,
        *,
        history: Sequence[Said] = (),
        override: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return _report(self._model.invoke(messages_of(text, history), **(override or {})))

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        # An answer of the strong model, in the conversation of a sticky router, settles it.
        answer = self._sticky.invoke([("user", first)])
        messages = [("user", first), answer, ("user", then)]
        return [_report(answer), _report(self._sticky.invoke(messages))]

    def trimmed(self, text: str) -> dict[str, Any]:
        model = self._model.bind_tools([TOOL])
        answer = model.invoke(text)
        result = ToolMessage(RETURNED, tool_call_id=answer.tool_calls[0]["id"])
        return _report(model.invoke([answer, result]))

    def close(self) -> None:
        pass


def _report(answer: Any) -> dict[str, Any]:
    return {**answer.response_metadata["routellm"], "served": answer.text.split(" ")[0]}
