"""The calls of an LLM of LlamaIndex, each handed on whole to the LLM that a decision picks."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Sequence,
)
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.types import Model, TokenAsyncGen, TokenGen

from routellm_core import Asked, ConfigError

from .events import tier_of
from .handing_on import HandedOn, Read
from .needs import lacking_for
from .question import asked_in_chat, asked_in_template, asked_in_text, with_last

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.program.utils import FlexibleModel
    from llama_index.core.tools.types import BaseTool


class RoutedCalls(HandedOn):
    """What an LLM can be asked, by chat, completion, tools and templates.

    Each method reads what the call asks, takes ``routellm_*`` out of the call's keyword
    arguments, and makes the same call of one of the two LLMs.
    """

    # -- chat and completion

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._call(
            self._in_chat(messages),
            lambda llm: llm.chat(self._for(llm, messages), **kwargs),
            kwargs,
        )

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._acall(
            self._in_chat(messages),
            lambda llm: llm.achat(self._for(llm, messages), **kwargs),
            kwargs,
        )

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return self._stream(
            self._in_chat(messages),
            lambda llm: llm.stream_chat(self._for(llm, messages), **kwargs),
            kwargs,
        )

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        return await self._astream(
            self._in_chat(messages),
            lambda llm: llm.astream_chat(self._for(llm, messages), **kwargs),
            kwargs,
        )

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._call(
            self._in_text(prompt),
            lambda llm: llm.complete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        return await self._acall(
            self._in_text(prompt),
            lambda llm: llm.acomplete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        return self._stream(
            self._in_text(prompt),
            lambda llm: llm.stream_complete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        return await self._astream(
            self._in_text(prompt),
            lambda llm: llm.astream_complete(prompt, **if_formatted(formatted), **kwargs),
            kwargs,
        )

    # -- tools

    def chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> ChatResponse:
        return self._call(
            self._of_tools(user_msg, chat_history, tools),
            lambda llm: _with_tools(llm).chat_with_tools(
                tools, user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    async def achat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> ChatResponse:
        return await self._acall(
            self._of_tools(user_msg, chat_history, tools),
            lambda llm: _with_tools(llm).achat_with_tools(
                tools, user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    def stream_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> ChatResponseGen:
        return self._stream(
            self._of_tools(user_msg, chat_history, tools),
            lambda llm: _with_tools(llm).stream_chat_with_tools(
                tools, user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    async def astream_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> ChatResponseAsyncGen:
        return await self._astream(
            self._of_tools(user_msg, chat_history, tools),
            lambda llm: _with_tools(llm).astream_chat_with_tools(
                tools, user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Let the LLM that gave the response read it."""
        llm = self.weak if tier_of(response) == "weak" else self.strong
        return _with_tools(llm).get_tool_calls_from_response(
            response, error_on_no_tool_call=error_on_no_tool_call, **kwargs
        )

    def predict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> AgentChatResponse:
        return self._call(
            self._of_tools(user_msg, chat_history),
            lambda llm: llm.predict_and_call(
                list(tools), user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    async def apredict_and_call(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> AgentChatResponse:
        return await self._acall(
            self._of_tools(user_msg, chat_history),
            lambda llm: llm.apredict_and_call(
                list(tools), user_msg, self._for(llm, chat_history), *args, **kwargs
            ),
            kwargs,
        )

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Abstract in the base class, whose *_with_tools call it; ours go to the picked LLM's.
        raise NotImplementedError(
            "the LLM that is chosen sets the format of the tools: use chat_with_tools"
        )

    # -- templates

    def predict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return self._call(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.predict(self._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    async def apredict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return await self._acall(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.apredict(self._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    def stream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenGen:
        return self._stream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.stream(self._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    async def astream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenAsyncGen:
        return await self._astream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.astream(self._filled_for(llm, prompt), **prompt_args),
            prompt_args,
        )

    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        options = dict(llm_kwargs or {})
        answer: Model = self._call(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.structured_predict(
                output_cls, self._filled_for(llm, prompt), options, **prompt_args
            ),
            prompt_args,
            options,
        )
        return answer

    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        options = dict(llm_kwargs or {})
        return await self._acall(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.astructured_predict(
                output_cls, self._filled_for(llm, prompt), options, **prompt_args
            ),
            prompt_args,
            options,
        )

    def stream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | FlexibleModel, None, None]:
        options = dict(llm_kwargs or {})
        return self._stream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.stream_structured_predict(
                output_cls, self._filled_for(llm, prompt), options, **prompt_args
            ),
            prompt_args,
            options,
        )

    async def astream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        options = dict(llm_kwargs or {})
        return await self._astream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.astream_structured_predict(
                output_cls, self._filled_for(llm, prompt), options, **prompt_args
            ),
            prompt_args,
            options,
        )

    # -- what a call asks

    def _in_text(self, prompt: str) -> Read:
        read = partial(asked_in_text, prompt, self.settings)
        return partial(self._fitting, read, lambda: [ChatMessage(prompt)])

    def _in_chat(self, messages: Sequence[ChatMessage]) -> Read:
        read = partial(asked_in_chat, messages, self.settings)
        return partial(self._fitting, read, lambda: messages)

    def _of_tools(
        self,
        user_msg: str | ChatMessage | None,
        chat_history: list[ChatMessage] | None,
        tools: Sequence[BaseTool] = (),
    ) -> Read:
        def messages() -> Sequence[ChatMessage]:
            return with_last(user_msg, chat_history)

        def read() -> Asked:
            return asked_in_chat(messages(), self.settings)

        return partial(self._fitting, read, messages, tools)

    def _fitting(
        self,
        read: Read,
        messages: Callable[[], Sequence[ChatMessage]],
        tools: Sequence[BaseTool] = (),
    ) -> Asked:
        """Return what a call asks, with what each LLM lacks for it.

        Not for templates: LlamaIndex sizes what it puts into them by this LLM's metadata, which
        tells the smaller of the two context windows.
        """
        return replace(read(), lacking=lacking_for(self.strong, self.weak, messages(), tools))

    def _in_template(self, prompt: BasePromptTemplate, arguments: dict[str, Any]) -> Read:
        return partial(asked_in_template, prompt, arguments, self.strong, self.settings)


def if_formatted(formatted: bool) -> dict[str, Any]:
    """Return the argument ``formatted`` of a completion, as the LLM's events would have it: they
    tell what is given, and a caller that has nothing to say leaves it out.
    """
    return {"formatted": True} if formatted else {}


def _with_tools(llm: LLM) -> FunctionCallingLLM:
    if not isinstance(llm, FunctionCallingLLM):
        raise ConfigError(
            f"{llm.class_name()} takes no tools: give RouteLLM two models that do, "
            "or use predict_and_call or ReActAgent"
        )
    return llm
