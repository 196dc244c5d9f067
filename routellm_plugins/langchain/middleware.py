"""Routing inside ``create_agent``: one decision per user turn, kept through the tool loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Optional, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs
from langgraph.runtime import Runtime
from typing_extensions import NotRequired

from routellm_core import Asked, ConfigError, Decision, PolicySettings, Tier, validate_settings
from routellm_core.policy.policies import adecide, decide, policy_of
from routellm_core.policy.policy import Call
from routellm_core.rules.fits import lacking, only_able
from routellm_core.traffic.shadow.other_model import TwoModels, two_models
from routellm_core.traffic.shadow.settings import ShadowSettings, shadow_settings

from ..model_pair import is_for_models, settings_of_pair
from .asking.calls import asked_in, asked_in_thread
from .asking.needs import known_abilities, needs_of
from .asking.overrides import take_settings
from .asking.reasoning import readable_by
from .models.inner import AgentModel, InnerModel, as_model, check_models, for_models, name_of
from .models.wrappers import inside, unwrapped
from .reporting import LEVEL, trace_metadata, with_decision
from .routed.runnable import Routed
from .shadow import ShadowCallback

_FIRST_MODEL = "routellm_first_model"
"""Under which the state of a step tells the model that was first given to be routed."""


class RoutedState(AgentState[Any]):
    """The agent's state and the decision on its turn, which is in neither input nor output."""

    # Plain scalars, which every checkpointer can keep.
    routellm: NotRequired[Annotated[dict[str, Any], PrivateStateAttr]]


def _trace_policy() -> Any:
    try:
        from langgraph.types import TracePolicy, omit_payload
    except ImportError:  # before langgraph 1.2
        return None
    # The conversation is in the trace of the model's run: once is enough.
    return TracePolicy(process_inputs=omit_payload)


class RouteLLMMiddleware(AgentMiddleware[RoutedState, Any]):
    """Sends each turn of an agent to its strong or its weak model.

    The human's last message is scored once, before the agent starts; every model call of that
    turn, whatever tools are called in between, goes to the same model. The decision is in the
    metadata of the model's run (``routellm_tier``, ...) and in
    ``message.response_metadata["routellm"]`` of each answer.

    Put it first in the agent's list of middleware, so that later middleware sees the model that is
    called.

    Args:
        weak: the cheap chat model, possibly wrapped by ``with_retry`` or similar, or a name that
            ``init_chat_model`` understands.
        strong: the strong chat model, likewise; None: the agent's own model.
        shadow: store decisions, and call the other model too for a sample of the agent's calls, as
            in ``{"sample": 0.05, "budget_usd": 10, "store": "traffic.db"}``.
        **settings: the settings of ``RoutingPolicy``, such as ``router``, ``threshold``,
            ``strong_share``, ``on_error`` and ``sticky``.

    Raises:
        ConfigError: a model is not a chat model, both models are the same (for the agent's own
            model: when the agent is first used), or a setting is unknown, out of range, or
            contradicts another.
        CheckpointError: the router's weights are missing or damaged.
        MissingExtraError: shadow mode needs a package that is not installed.
    """

    state_schema = RoutedState
    trace_policy = _trace_policy()

    def __init__(
        self,
        weak: str | InnerModel,
        strong: str | InnerModel | None = None,
        *,
        shadow: ShadowSettings | Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        for name in settings:
            if name not in PolicySettings.model_fields and is_for_models(name, weak, strong):
                raise ConfigError(for_models(name))
        self._settings = validate_settings(PolicySettings, dict(settings))
        self._weak = as_model("weak", weak)
        self._strong = None if strong is None else as_model("strong", strong)
        self._agents_is_checked = False
        if self._strong is not None:
            check_models(self._strong, self._weak)
        names = (None if model is None else name_of(model) for model in (self._strong, self._weak))
        self._settings = settings_of_pair(self._settings, *names)
        policy_of(self._settings)  # reports mistakes, and loads the router, before traffic
        self._shadow = None if shadow is None else shadow_settings(shadow)
        self._two_models: TwoModels | None = None
        if self._strong is not None:
            self._shadowed(self._strong)

    def before_agent(
        self,
        state: RoutedState,
        runtime: Runtime[Any],
        config: Optional[RunnableConfig] = None,  # noqa: UP045  # as LangGraph recognises it
    ) -> dict[str, Any] | None:
        """Decide on the turn.

        Args:
            state: of the agent.
            runtime: of the agent.
            config: of the run; LangGraph hands it over.

        Raises:
            ConfigError: the config's ``configurable`` overrides the routing with what is invalid.
        """
        if self._reads_system:
            return None
        return {"routellm": decide(*self._asking(state, config)).as_metadata()}

    async def abefore_agent(
        self,
        state: RoutedState,
        runtime: Runtime[Any],
        config: Optional[RunnableConfig] = None,  # noqa: UP045
    ) -> dict[str, Any] | None:
        """Like ``before_agent``, without blocking the event loop."""
        if self._reads_system:
            return None
        decision = await adecide(*self._asking(state, config))
        return {"routellm": decision.as_metadata()}

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model that the turn goes to."""
        decision = self._made(request) or decide(*self._asking_step(request))
        decision = self._able(request, decision)
        routed = self._routed(request, decision)
        return _annotated(handler(routed), decision, _is_router(routed.model))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Like ``wrap_model_call``."""
        decision = self._made(request) or await adecide(*self._asking_step(request))
        decision = self._able(request, decision)
        routed = self._routed(request, decision)
        return _annotated(await handler(routed), decision, _is_router(routed.model))

    @property
    def _reads_system(self) -> bool:
        """Whether the system prompt is scored, which is not known before a model is called."""
        return self._settings.scored != "last"

    def _made(self, request: ModelRequest[Any]) -> Decision | None:
        """Return the decision on the turn, if it was made before the agent started."""
        return None if self._reads_system else _kept(request.state)

    def _asking_step(self, request: ModelRequest[Any]) -> tuple[PolicySettings, Call]:
        """Return the settings of a step, and what it asks."""
        state = request.state
        if self._reads_system and request.system_prompt:
            messages = [SystemMessage(request.system_prompt), *state["messages"]]
            state = cast("AgentState[Any]", {**state, "messages": messages})
        return self._asking(state)

    def _asking(
        self, state: AgentState[Any], config: RunnableConfig | None = None
    ) -> tuple[PolicySettings, Call]:
        """Return the settings of a turn, and what it asks."""
        configurable = ensure_config(config).get("configurable", {})
        settings = take_settings(self._settings, configurable, {})
        last = _kept(state)
        if settings.sticky == "conversation" and last is not None and last.tier == "strong":
            # Also after the messages that say so were summarised away.
            return settings, Asked(settled="strong", cause="conversation")
        messages = state["messages"]
        is_kept = "thread_id" in configurable and not self._reads_system
        if settings.sticky == "conversation" and is_kept:
            # A checkpointer keeps the decisions of the thread, and no others count.
            return settings, partial(asked_in_thread, messages, settings)
        return settings, partial(asked_in, messages, settings, configurable)

    def _able(self, request: ModelRequest[Any], decision: Decision) -> Decision:
        """Return the decision on a step: that of its turn, unless only the other model can serve
        it, since what a turn needs shows in its steps.
        """
        models = known_abilities(self._strong or request.model, self._weak)
        if not models:
            return decision
        system = [SystemMessage(request.system_prompt)] if request.system_prompt else []
        arguments: dict[str, Any] = {"tools": request.tools}
        if isinstance(request.response_format, ProviderStrategy):
            arguments["response_format"] = {"type": "json_schema"}
        needs = needs_of([*system, *request.messages], arguments)
        able = only_able(lacking(needs, models))
        if able is None or able[0] == decision.model:
            return decision
        return replace(decision, model=able[0], cause=able[1])

    def _shadowed(self, strong: object) -> TwoModels | None:
        """Return where calls are kept, if there is shadow mode."""
        if self._two_models is None and self._shadow is not None:
            names: dict[Tier, str | None] = {"strong": name_of(strong), "weak": name_of(self._weak)}
            self._two_models = two_models(self.name, self._shadow, names, self._settings)
        return self._two_models

    def _keeping(self, request: ModelRequest[Any], decision: Decision) -> list[BaseCallbackHandler]:
        """Return what keeps a call: a callback of the model, if there is shadow mode."""
        models = self._shadowed(self._strong or request.model)
        if models is None:
            return []
        pair: dict[Tier, Any] = {"strong": self._strong or request.model, "weak": self._weak}
        options = dict(request.model_settings)

        def call_other(tier: Tier, config: RunnableConfig) -> Any:
            asked = readable_by(tier, callback.messages)
            return pair[tier].invoke(asked, config, **options, **callback.arguments)

        of_one_class = type(unwrapped(pair["strong"])) is type(unwrapped(pair["weak"]))
        callback = ShadowCallback(models, decision, None, call_other, of_one_class)
        return [callback]

    def _routed(self, request: ModelRequest[Any], decision: Decision) -> ModelRequest[Any]:
        model: Any = self._weak if decision.tier == "weak" else self._strong or request.model
        messages: Any = readable_by(decision.tier, request.messages)
        keeping: list[BaseCallbackHandler] = []
        if _is_given_instead(request):
            model, messages = request.model, request.messages
        else:
            self._check_agents(request)
            keeping = self._keeping(request, decision)
        if _is_router(model) or not isinstance(model, BaseChatModel):
            own = RunnableConfig(metadata=trace_metadata(decision))
            if keeping:
                own["callbacks"] = keeping
            if _is_router(model):
                own["configurable"] = {LEVEL: 1}
            # With the run's, which LangChain would leave out where a model brings some of its own.
            model = AgentModel(bound=model, config=merge_configs(ensure_config(), own))
        else:
            # A copy: the metadata is this call's, the model is shared by all.
            metadata = {**(model.metadata or {}), **trace_metadata(decision)}
            copied: dict[str, Any] = {"metadata": metadata}
            if keeping:
                own = RunnableConfig(callbacks=keeping)
                before = RunnableConfig(callbacks=model.callbacks)
                copied["callbacks"] = merge_configs(before, own).get("callbacks")
            model = model.model_copy(update=copied)
        return request.override(model=model, messages=messages)

    def _check_agents(self, request: ModelRequest[Any]) -> None:
        """Check the agent's own model, which is not known before. Once, since what middleware
        around ours may choose later is no mistake in how the agent is set up.
        """
        if self._strong is None and not self._agents_is_checked:
            check_models(as_model("strong", request.model), self._weak)
            self._agents_is_checked = True


def _is_given_instead(request: ModelRequest[Any]) -> bool:
    """Whether middleware around ours calls again in this step, with another model than before.

    One that retries hands the same model again; one that falls back hands another, and routing
    that away would undo it.
    """
    # The state is this step's own copy, read by its middleware and dropped when it ends.
    first = cast("dict[str, Any]", request.state).setdefault(_FIRST_MODEL, id(request.model))
    return bool(first != id(request.model))


def _kept(state: AgentState[Any]) -> Decision | None:
    """Return the decision in the state; None if a turn began without it, or in another version."""
    try:
        return Decision.from_metadata(cast("RoutedState", state)["routellm"])
    except (KeyError, TypeError):
        return None


def _is_router(model: object) -> bool:
    return any(isinstance(each, Routed) for each in inside(model))


def _annotated(
    response: ModelResponse[Any], decision: Decision, nested: bool
) -> ModelResponse[Any]:
    result = [
        with_decision(message, decision, nested) if isinstance(message, AIMessage) else message
        for message in response.result
    ]
    return replace(response, result=result)
