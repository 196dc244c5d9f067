"""An LLM for LlamaIndex that hands each call, whole, to a strong or a weak LLM."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    SerializeAsAny,
    field_serializer,
)
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import BasePromptTemplate, PromptTemplate
from llama_index.core.types import Model, TokenAsyncGen, TokenGen

from routellm_core import ConfigError, Decision, validate_settings

from ..model_pair import check_pair
from .deciding import Decider
from .events import Trace, tier_of
from .question import Asked, asked_in_chat, asked_in_template, asked_in_text, asked_of_tools
from .settings import RouteSettings

if TYPE_CHECKING:
    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.program.utils import FlexibleModel
    from llama_index.core.tools.types import BaseTool

T = TypeVar("T")
Read = Callable[[], Asked]

_SHARED = LLM.model_fields.keys() - BaseLLM.model_fields.keys()


class RouteLLM(FunctionCallingLLM):
    """An LLM that scores the question of each call and hands the call to one of two LLMs.

    What reaches the picked LLM is what it would get without the router: its own formats, tools,
    retries, callbacks and token counts. A router that fails sends the call to ``on_error``.

    Args:
        strong: the LLM for what needs it.
        weak: the cheap LLM for the rest.
        router: name of a router, as in ``routellm_core.load_router``.
        callback_manager: set on both LLMs, now and whenever it is assigned.
        **settings: ``threshold`` or ``strong_share``, ``on_error``, ``on_no_text``,
            ``timeout_ms`` and ``router_options`` as in ``routellm_core.RoutingPolicy``;
            ``query_keys``: the template variables that hold a question, best first;
            ``utility``: where filled templates without a question go, which extraction,
            indexing and HyDE use: ``weak`` (default), ``strong``, or ``score`` to score the whole
            text. Long texts score high whatever they say: of LlamaIndex's own templates, filled
            with its default chunks of documentation, the bundled router sends 86 % or more to the
            strong LLM even with ``strong_share=0.1``.

    Raises:
        ConfigError: a setting is unknown, out of range or contradicts another, or strong and
            weak are no two LLMs.
        CheckpointError: the router's weights are missing or damaged.
    """

    # Without it, LlamaIndex's base ignores what it does not know.
    model_config = ConfigDict(extra="forbid")

    # Frozen, because what is assigned later would be neither checked nor obeyed.
    strong: SerializeAsAny[LLM] = Field(frozen=True)
    weak: SerializeAsAny[LLM] = Field(frozen=True)
    settings: RouteSettings = Field(frozen=True)
    _decider: Decider = PrivateAttr()

    def __init__(
        self,
        strong: LLM,
        weak: LLM,
        router: str = "mf",
        *,
        callback_manager: CallbackManager | None = None,
        **settings: object,
    ) -> None:
        _check_models(strong, weak)
        for name in settings.keys() & LLM.model_fields.keys():
            raise ConfigError(f"'{name}' is a setting of the models: set it on strong and weak")
        route = validate_settings(RouteSettings, {"router": router, **settings})
        decider = Decider(route)
        # What both have in common holds for callers that ask the router in their place.
        shared = {name: getattr(strong, name) for name in _SHARED}
        shared = {name: value for name, value in shared.items() if value == getattr(weak, name)}
        manager = callback_manager or strong.callback_manager
        super().__init__(
            strong=strong, weak=weak, settings=route, callback_manager=manager, **shared
        )
        self._decider = decider
        if callback_manager is not None:
            self.callback_manager = callback_manager

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("callback_manager", "rate_limiter"):
            setattr(self.strong, name, value)
            setattr(self.weak, name, value)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        # Not the LLMs themselves, nor the router's options: they show keys.
        yield "strong", _name(self.strong)
        yield "weak", _name(self.weak)
        yield "router", self.settings.router
        yield "threshold", self.threshold

    @field_serializer("strong", "weak")
    def _without_keys(self, llm: LLM) -> dict[str, str]:
        return {"class_name": llm.class_name(), "model_name": llm.metadata.model_name}

    @field_serializer("settings")
    def _without_options(self, settings: RouteSettings) -> dict[str, Any]:
        return settings.model_dump(exclude={"router_options"})

    @classmethod
    def class_name(cls) -> str:
        return "RouteLLM"

    @property
    def threshold(self) -> float:
        """Least strong win rate that goes to the strong LLM, in [0, 1]."""
        return self._decider.threshold

    @property
    def metadata(self) -> LLMMetadata:
        """What holds for both LLMs: callers size and shape a prompt before one is picked."""
        strong, weak = self.strong.metadata, self.weak.metadata
        same_role = strong.system_role == weak.system_role
        return LLMMetadata(
            context_window=min(strong.context_window, weak.context_window),
            # Callers keep this many tokens of the window free for the answer.
            num_output=max(strong.num_output, weak.num_output),
            is_chat_model=strong.is_chat_model and weak.is_chat_model,
            is_function_calling_model=_calls_tools(self.strong) and _calls_tools(self.weak),
            model_name=f"router-{self.settings.router}-{self.threshold:g}",
            system_role=strong.system_role if same_role else MessageRole.USER,
        )

    # -- chat and completion

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self._call(
            partial(asked_in_chat, messages), lambda llm: llm.chat(messages, **kwargs)
        )

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return await self._acall(
            partial(asked_in_chat, messages), lambda llm: llm.achat(messages, **kwargs)
        )

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        return self._stream(
            partial(asked_in_chat, messages), lambda llm: llm.stream_chat(messages, **kwargs)
        )

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        return await self._astream(
            partial(asked_in_chat, messages), lambda llm: llm.astream_chat(messages, **kwargs)
        )

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._call(
            partial(asked_in_text, prompt),
            lambda llm: llm.complete(prompt, formatted=formatted, **kwargs),
        )

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        return await self._acall(
            partial(asked_in_text, prompt),
            lambda llm: llm.acomplete(prompt, formatted=formatted, **kwargs),
        )

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        return self._stream(
            partial(asked_in_text, prompt),
            lambda llm: llm.stream_complete(prompt, formatted=formatted, **kwargs),
        )

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        return await self._astream(
            partial(asked_in_text, prompt),
            lambda llm: llm.astream_complete(prompt, formatted=formatted, **kwargs),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: _with_tools(llm).chat_with_tools(
                tools, user_msg, chat_history, *args, **kwargs
            ),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: _with_tools(llm).achat_with_tools(
                tools, user_msg, chat_history, *args, **kwargs
            ),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: _with_tools(llm).stream_chat_with_tools(
                tools, user_msg, chat_history, *args, **kwargs
            ),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: _with_tools(llm).astream_chat_with_tools(
                tools, user_msg, chat_history, *args, **kwargs
            ),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: llm.predict_and_call(list(tools), user_msg, chat_history, *args, **kwargs),
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
            partial(asked_of_tools, user_msg, chat_history),
            lambda llm: llm.apredict_and_call(list(tools), user_msg, chat_history, *args, **kwargs),
        )

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Abstract in the base class, whose *_with_tools call it; ours go to the picked LLM's.
        raise NotImplementedError(
            "tools take the form of the LLM that is picked: use chat_with_tools"
        )

    # -- templates

    def predict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return self._call(
            self._in_template(prompt, prompt_args), lambda llm: llm.predict(prompt, **prompt_args)
        )

    async def apredict(self, prompt: BasePromptTemplate, **prompt_args: Any) -> str:
        return await self._acall(
            self._in_template(prompt, prompt_args), lambda llm: llm.apredict(prompt, **prompt_args)
        )

    def stream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenGen:
        return self._stream(
            self._in_template(prompt, prompt_args), lambda llm: llm.stream(prompt, **prompt_args)
        )

    async def astream(self, prompt: BasePromptTemplate, **prompt_args: Any) -> TokenAsyncGen:
        return await self._astream(
            self._in_template(prompt, prompt_args), lambda llm: llm.astream(prompt, **prompt_args)
        )

    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        answer: Model = self._call(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.structured_predict(output_cls, prompt, llm_kwargs, **prompt_args),
        )
        return answer

    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        return await self._acall(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args),
        )

    def stream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | FlexibleModel, None, None]:
        return self._stream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.stream_structured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            ),
        )

    async def astream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        return await self._astream(
            self._in_template(prompt, prompt_args),
            lambda llm: llm.astream_structured_predict(
                output_cls, prompt, llm_kwargs, **prompt_args
            ),
        )

    # -- the way of every call

    def _in_template(self, prompt: BasePromptTemplate, arguments: dict[str, Any]) -> Read:
        return partial(asked_in_template, prompt, arguments, self.strong, self.settings)

    def _call(self, read: Read, call: Callable[[LLM], T]) -> T:
        llm, trace = self._picked(self._decider.decide(read))
        with trace.tags():
            return trace.marked(call(llm))

    async def _acall(self, read: Read, call: Callable[[LLM], Awaitable[T]]) -> T:
        llm, trace = self._picked(await self._decider.adecide(read))
        with trace.tags():
            return trace.marked(await call(llm))

    def _stream(self, read: Read, call: Callable[[LLM], Iterator[T]]) -> Generator[T, None, None]:
        llm, trace = self._picked(self._decider.decide(read))
        with trace.tags():
            chunks = call(llm)
        return trace.marked_stream(chunks)

    async def _astream(
        self, read: Read, call: Callable[[LLM], Awaitable[AsyncIterator[T]]]
    ) -> AsyncGenerator[T, None]:
        llm, trace = self._picked(await self._decider.adecide(read))
        with trace.tags():
            chunks = await call(llm)
        return trace.marked_astream(chunks)

    def _picked(self, decision: Decision) -> tuple[LLM, Trace]:
        return (self.strong if decision.tier == "strong" else self.weak), Trace(decision)


def _check_models(strong: LLM, weak: LLM) -> None:
    for name, llm in (("strong", strong), ("weak", weak)):
        if isinstance(llm, RouteLLM):
            raise ConfigError(f"'{name}' is a RouteLLM itself: name one of its models")
        if not isinstance(llm, LLM):
            raise ConfigError(
                f"'{name}' is {_shown(llm)}, and no LLM of LlamaIndex: write "
                f'{name}=OpenAI("...") of llama_index.llms.openai, or the like'
            )
    check_pair(strong, strong if _same(strong, weak) else weak, _name(strong), _name(weak))


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else f"of type {type(value).__name__}"


def _same(strong: LLM, weak: LLM) -> bool:
    known = _name(strong) is not None and type(strong) is type(weak)
    return known and strong.model_dump() == weak.model_dump()


def _name(llm: LLM) -> str | None:
    name = llm.metadata.model_name
    return None if name == LLMMetadata.model_fields["model_name"].default else name


def _calls_tools(llm: LLM) -> bool:
    return isinstance(llm, FunctionCallingLLM) and llm.metadata.is_function_calling_model


def _with_tools(llm: LLM) -> FunctionCallingLLM:
    if not isinstance(llm, FunctionCallingLLM):
        raise ConfigError(
            f"{llm.class_name()} takes no tools: give RouteLLM two models that do, "
            "or use predict_and_call or ReActAgent"
        )
    return llm
