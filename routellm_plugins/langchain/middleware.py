"""Routing inside ``create_agent``: one decision per user turn, kept through the tool loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.runtime import Runtime
from typing_extensions import NotRequired, Unpack

from routellm_core import ConfigError, Decision, RoutingPolicy
from routellm_core.plugins import plugins
from routellm_core.settings import PolicySettings, validate_settings

from ..model_pair import check_pair
from ..policies import policies
from ..route_on import text_to_route_on
from .arguments import AgentArguments, Sticky
from .message_text import human_text

Kept = dict[str, str | float | None]
"""``Decision.as_metadata()``: scalars, which every checkpointer can keep."""


def _trace_policy() -> Any:
    """Keep the conversation out of our own spans: it is in that of the model's run."""
    try:
        from langgraph.types import TracePolicy, omit_payload
    except ImportError:  # langgraph before 1.2 traces everything
        return None
    return TracePolicy(process_inputs=omit_payload)


class AgentSettings(PolicySettings):
    """How an agent's turns are routed."""

    sticky: Sticky = "turn"


class RoutedState(AgentState[Any]):
    """The agent's state with the decision on the turn, which is in neither input nor output."""

    routellm: NotRequired[Annotated[Kept, PrivateStateAttr]]


class RouteLLMMiddleware(AgentMiddleware[RoutedState, Any]):
    """Sends each turn of an agent to its strong or its weak model.

    The human's last message is scored once, before the agent starts; every model call of that
    turn, whatever tools are called in between, goes to the same model. The decision is in the
    metadata of the model's run (``routellm_tier``, ...) and in
    ``message.response_metadata["routellm"]`` of each answer.

    Args:
        weak: the cheap chat model, or its name as ``init_chat_model`` takes it.
        strong: likewise; None: the agent's own model.
        **settings: ``router``, ``threshold`` or ``strong_share``, ``router_options``,
            ``on_error``, ``on_no_text`` and ``timeout_ms`` as ``RoutingPolicy`` takes them, and
            ``sticky``: ``"turn"`` decides on every turn anew, with ``"conversation"`` a
            conversation that went to the strong model stays there.

    Raises:
        ConfigError: a model is no chat model, or a setting is unknown, out of range, or
            contradicts another.
        CheckpointError: the router's weights are missing or damaged.
    """

    state_schema = RoutedState
    trace_policy = _trace_policy()

    def __init__(
        self,
        weak: str | BaseChatModel,
        strong: str | BaseChatModel | None = None,
        **settings: Unpack[AgentArguments],
    ) -> None:
        super().__init__()
        self._settings = validate_settings(AgentSettings, dict(settings))
        self._weak = _chat_model("weak", weak)
        self._strong = None if strong is None else _chat_model("strong", strong)
        if self._strong is not None:
            check_pair(strong, weak, _name(self._strong), _name(self._weak))
        policies.get(self._settings)  # tells mistakes, and loads the router, before traffic

    def before_agent(self, state: RoutedState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Decide on the turn."""
        return {"routellm": self._decide(state).as_metadata()}

    async def abefore_agent(self, state: RoutedState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Like ``before_agent``, without holding up the event loop."""
        return {"routellm": (await self._adecide(state)).as_metadata()}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model that the turn goes to."""
        kept = _kept(request.state) or self._decide(request.state).as_metadata()
        return _annotated(handler(self._routed(request, kept)), kept)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Like ``wrap_model_call``."""
        kept = _kept(request.state) or (await self._adecide(request.state)).as_metadata()
        return _annotated(await handler(self._routed(request, kept)), kept)

    def _decide(self, state: AgentState[Any]) -> Decision:
        policy = policies.get(self._settings)
        if self._stays_strong(state):
            return _stayed(policy)
        return policy.decide(_text(state))

    async def _adecide(self, state: AgentState[Any]) -> Decision:
        policy = await policies.aget(self._settings)
        if self._stays_strong(state):
            return _stayed(policy)
        return await policy.adecide(_text(state))

    def _stays_strong(self, state: AgentState[Any]) -> bool:
        if self._settings.sticky == "turn":
            return False
        # The state remembers across turns where there is a checkpointer, and survives a summary
        # of the messages; the messages remember where the application keeps them itself.
        turns = [_kept(state), *(m.response_metadata.get("routellm") for m in state["messages"])]
        return any(isinstance(turn, dict) and turn.get("tier") == "strong" for turn in turns)

    def _routed(self, request: ModelRequest[Any], kept: Kept) -> ModelRequest[Any]:
        model = self._weak if kept["tier"] == "weak" else self._strong or request.model
        # In a copy, because the metadata is this call's and the model is shared by all.
        metadata = {**(model.metadata or {}), **{f"routellm_{k}": v for k, v in kept.items()}}
        return request.override(model=model.model_copy(update={"metadata": metadata}))


def _text(state: AgentState[Any]) -> str | None:
    return text_to_route_on() or human_text(state["messages"])


def _stayed(policy: RoutingPolicy) -> Decision:
    decision = Decision("strong", None, policy.threshold, policy.settings.router, "conversation", 0)
    plugins.decided(decision)
    return decision


def _kept(state: AgentState[Any]) -> Kept | None:
    return cast("RoutedState", state).get("routellm")


def _annotated(response: ModelResponse[Any], kept: Kept) -> ModelResponse[Any]:
    return replace(response, result=[_marked(message, kept) for message in response.result])


def _marked(message: BaseMessage, kept: Kept) -> BaseMessage:
    if not isinstance(message, AIMessage):
        return message
    # In a copy, because LangChain's cache may hand the same message to others.
    metadata = {**message.response_metadata, "routellm": kept}
    return message.model_copy(update={"response_metadata": metadata})


def _chat_model(name: str, model: object) -> BaseChatModel:
    if isinstance(model, str):
        model = init_chat_model(model)
    if isinstance(model, BaseChatModel):
        return model
    raise ConfigError(
        f"'{name}' is a {type(model).__name__}, and an agent calls chat models: write one such as "
        "ChatOpenAI(model=...), or its name such as 'openai:gpt-4o-mini'. Settings go into the "
        "model; retries and fallbacks are for LangChain's middleware"
    )


def _name(model: BaseChatModel) -> str | None:
    name = getattr(model, "model_name", None) or getattr(model, "model", None)
    return name if isinstance(name, str) else None
