"""LlamaIndex: ``RouteLLM`` over two OpenAI-compatible LLMs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from routellm_plugins.llama_index import RouteLLM

from .cases import messages_of


class LlamaIndexAdapter:
    name = "llama_index"
    overrides = True
    settles = False

    def __init__(self, strong_url: str, weak_url: str, **settings: Any) -> None:
        self._llm = RouteLLM(_llm("strong", strong_url), _llm("weak", weak_url), **settings)

    def ask(
        self,
        text: str | None,
        *,
        history: Sequence[tuple[str, str]] = (),
        override: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        messages = [ChatMessage(**message) for message in messages_of(text, history)]
        own = {f"routellm_{name}": value for name, value in (override or {}).items()}
        answer = self._llm.chat(messages, **own)
        served = (answer.message.content or "").split(" ")[0]
        return {**answer.additional_kwargs["routellm"], "served": served}

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        raise NotImplementedError("no call of LlamaIndex is bound to the model of an earlier one")

    def close(self) -> None:
        pass


def _llm(name: str, url: str) -> OpenAILike:
    return OpenAILike(model=name, api_base=url, api_key="unused", is_chat_model=True, max_retries=0)
