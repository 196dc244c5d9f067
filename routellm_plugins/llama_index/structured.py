"""A ``RouteLLM`` whose answers take the form of a class."""

from __future__ import annotations

from typing import Any, cast

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.types import TokenAsyncGen, TokenGen

from .calls import RoutedCalls

SHARED = LLM.model_fields.keys() - BaseLLM.model_fields.keys()
"""What every LLM has beside its callback manager: system prompt, output parser and the like."""


class RoutedStructuredLLM(StructuredLLM):
    """What ``RouteLLM.as_structured_llm`` returns.

    LlamaIndex's own fills templates before it asks its LLM, which then cannot tell the question
    from its context. Here the template goes, whole, to the structured form of the LLM that is
    picked.
    """

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
