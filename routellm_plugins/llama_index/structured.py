"""A ``RouteLLM`` whose answers take the form of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import TokenAsyncGen, TokenGen

from .calls import RoutedCalls, if_formatted

SHARED = LLM.model_fields.keys() - BaseLLM.model_fields.keys()
"""What every LLM has beside its callback manager: system prompt, output parser and the like."""


class RoutedStructuredLLM(StructuredLLM):
    """What ``RouteLLM.as_structured_llm`` returns.

    LlamaIndex's own fills templates before it asks its LLM, which then cannot tell the question
    from its context. Here each call goes, whole, to the structured form of the LLM that is picked:
    events name that LLM, and responses have the decision.
    """

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        answer: ChatResponse = self._routed._call(
            self._routed._in_chat(messages),
            lambda llm: self._of(llm).chat(self._routed._for(llm, messages), **kwargs),
            kwargs,
        )
        return answer

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._routed._acall(
            self._routed._in_chat(messages),
            lambda llm: self._of(llm).achat(self._routed._for(llm, messages), **kwargs),
            kwargs,
        )

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return self._routed._stream(
            self._routed._in_chat(messages),
            lambda llm: self._of(llm).stream_chat(self._routed._for(llm, messages), **kwargs),
            kwargs,
        )

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        return await self._routed._astream(
            self._routed._in_chat(messages),
            lambda llm: self._of(llm).astream_chat(self._routed._for(llm, messages), **kwargs),
            kwargs,
        )

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        answer: CompletionResponse = self._routed._call(
            self._routed._in_text(prompt),
            lambda llm: self._of(llm).complete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )
        return answer

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        return await self._routed._acall(
            self._routed._in_text(prompt),
            lambda llm: self._of(llm).acomplete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )

    def predict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return self._routed._call(
            self._routed._in_template(prompt, prompt_args),
            lambda llm: self._of(llm).predict(self._routed._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    async def apredict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return await self._routed._acall(
            self._routed._in_template(prompt, prompt_args),
            lambda llm: self._of(llm).apredict(
                self._routed._filled_for(llm, prompt), **prompt_args
            ),
            prompt_args,
        )

    def stream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenGen:
        return self._routed._stream(
            self._routed._in_template(prompt, prompt_args),
            lambda llm: self._of(llm).stream(self._routed._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    async def astream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenAsyncGen:
        return await self._routed._astream(
            self._routed._in_template(prompt, prompt_args),
            lambda llm: self._of(llm).astream(self._routed._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    @property
    def _routed(self) -> RoutedCalls:
        return cast("RoutedCalls", self.llm)

    def _of(self, llm: LLM) -> StructuredLLM:
        own = {name: getattr(self, name) for name in (*SHARED, "callback_manager")}
        return StructuredLLM(llm=llm, output_cls=self.output_cls, **own)
