"""LlamaIndex: a ``RouteLLM`` over two real clients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai.utils import from_openai_message_dicts
from llama_index.llms.openai_like import OpenAILike
from openai import DefaultHttpxClient

from routellm_plugins.llama_index import RouteLLM

from .cases import RETURNED, TOOL, Content, Said, messages_of


class LlamaIndexAdapter:
    """Sends real calls through a ``RouteLLM``.

    Args:
        strong_url: base URL of the stand-in for the strong model.
        weak_url: base URL of the stand-in for the weak model, which is called ``weak``.
        strong: what the strong model is called.
        settings: of the ``RouteLLM``.
    """

    name = "llama_index"
    settles = False

    def __init__(
        self, strong_url: str, weak_url: str, strong: str = "strong", **settings: Any
    ) -> None:
        # One client that verifies nothing, because others read all certificates of the machine.
        self._http = DefaultHttpxClient(verify=False)
        models = (
            OpenAILike(
                model=model,
                api_base=url,
                api_key="unused",
                is_chat_model=True,
                is_function_calling_model=True,
                max_retries=0,
                http_client=self._http,
            )
            for model, url in ((strong, strong_url), ("weak", weak_url))
        )
        self._llm = RouteLLM(*models, **settings)

    def ask(
        self,
        text: Content | None,
        *,
        history: Sequence[Said] = (),
        override: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send one call.

        Args:
            text: what the human writes, or the parts of it; None sends a system message instead.
            history: the messages before it.
            override: settings of this call only.

        Returns:
            The decision as the response carries it, and ``served``: the name of the stand-in
            that answered.
        """
        messages = from_openai_message_dicts(messages_of(text, history))
        given = {f"routellm_{name}": value for name, value in (override or {}).items()}
        return _report(self._llm.chat(messages, **given))

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        """Not supported: no call of LlamaIndex is bound to a model by an earlier answer."""
        raise NotImplementedError

    def trimmed(self, text: str) -> dict[str, Any]:
        answer = self._llm.chat([ChatMessage(text)], tools=[TOOL]).message
        (call,) = (block for block in answer.blocks if block.block_type == "tool_call")
        told = {"tool_call_id": call.tool_call_id}
        result = ChatMessage(RETURNED, role="tool", additional_kwargs=told)
        return _report(self._llm.chat([answer, result], tools=[TOOL]))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _report(response: Any) -> dict[str, Any]:
    # The stand-in's answer begins with its name.
    served = str(response.message.content).split(" ")[0]
    return {**response.additional_kwargs["routellm"], "served": served}
