"""A chat model that routes each call to one of two chat models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast

from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import ConfigDict, Field, PrivateAttr

from routellm_core import ConfigError, Tier, validate_settings
from routellm_core.overrides import PER_CALL
from routellm_core.policy.policies import policy_of
from routellm_core.rules.fits import Abilities
from routellm_core.settings import unknown
from routellm_core.traffic.shadow.other_model import TwoModels, two_models
from routellm_core.traffic.shadow.settings import ShadowSettings, shadow_settings

from ..model_pair import is_for_models, settings_of_pair
from .asking.needs import known_abilities
from .asking.questions import watch_prompts
from .models.bound_tools import BoundTools
from .models.inner import (
    InnerModel,
    as_model,
    check_models,
    common_profile,
    common_provider,
    derived,
    for_models,
    name_of,
    with_fields,
)
from .models.wrappers import unwrapped
from .routed.generating import Generating
from .routed.output import RoutedOutput
from .settings import QUESTION_KEYS, RouteSettings

_HANDED_ON = {
    "temperature": None,
    "max_tokens": None,
    "stop": None,
    "streaming": None,
    "cache": None,
    "rate_limiter": None,
    "disable_streaming": False,
    "output_version": None,
    "verbose": False,
    "custom_get_token_ids": None,
}
"""What is set here in both models, unless it has this value. LangChain obeys these inside the
model that makes the call."""


_Given = tuple[dict[str, Any], InnerModel, InnerModel]
"""Values of settings, and the strong and the weak model."""


class ChatRouteLLM(Generating, BaseChatModel):
    """A chat model that sends each call to a strong or a weak chat model.

    The user's last message is scored, or, for a follow-up, the message that it refers to. The
    chosen model itself makes the call: callbacks and traces show that model, with the decision in
    the run's metadata (``routellm_tier``, ...) and in the answer's
    ``response_metadata["routellm"]``.

    ::

        llm = ChatRouteLLM(strong="openai:gpt-4o", weak="openai:gpt-4o-mini", strong_share=0.3)
        chain = prompt | llm.bind_tools([search]) | parser

    One call can override ``router``, or how much goes to the strong model (``threshold``,
    ``strong_share``, ``saving``, ``max_cost_per_1k_requests``, ``calibration``): as an argument, as
    ``config["configurable"]["routellm_threshold"]`` and so on, or with a model name of RouteLLM's
    form, ``model="router-mf-0.63"``.

    Args:
        strong: a chat model, or a name that ``init_chat_model`` understands.
        weak: likewise.
        router: name of a router, as in ``routellm_core.load_router``.
        threshold: calls with at least this strong win rate go to the strong model, in [0, 1].
        strong_share: instead of a threshold, the share of usual traffic for the strong
            model, in [0, 1].
        saving: instead of a threshold, how much cheaper usual traffic should be than always using
            the strong model, in [0, 1].
        max_cost_per_1k_requests: instead of a threshold, the maximum cost of 1,000 usual requests,
            in dollars.
        strong_price: dollars per million tokens read and written, or the model's name in LiteLLM's
            price table; if left out, the name that the model has is looked up there.
        weak_price: the same for the weak model.
        tokens_per_request: mean numbers of tokens that a request reads and writes.
        calibration: instead of a threshold, the path of a file from ``routellm calibrate``.
        adapt: whether to move the threshold to keep the share; a path: also keep it in this file.
        router_options: options of ``load_router`` for this router.
        on_error: tier of a call whose scoring failed.
        on_no_text: tier of a call without user text.
        timeout_ms: time limit for a score in milliseconds, of a router that is not instant.
        concurrency: number of scoring threads, for a router that is not instant.
        turns: how many of the user's last turns are considered; 1: only the last.
        sticky: ``turn`` decides each turn of the user separately; with ``conversation``, a
            conversation stays with the strong model once that has answered.
        hold: with ``cache``, a conversation stays on the strong model while it is in that
            provider's prompt cache, unless going to the weak model pays.
        scored: what is scored: the user's ``last`` message, ``system+last``, or ``all``.
        ignore: patterns, or names of clients, of text in user messages that the user did not
            write.
        extract: patterns, or names of clients, with a group that holds the user's own words.
        utility: where calls go that serve the application, such as summaries or the rewriting of
            a question; ``score`` scores them like all others.
        explore: share of scored calls that go to the other model at random, in [0, 0.5].
        question_keys: variables of a chain's prompt that hold the question, best first; the
            question is scored instead of the whole prompt.
        shadow: store decisions, and call the other model too for a sample of calls, as in
            ``{"sample": 0.05, "budget_usd": 10, "store": "traffic.db"}``.
        temperature: set in both models, as are ``max_tokens``, ``stop``, ``streaming``, ``cache``,
            ``rate_limiter``, ``disable_streaming`` and ``output_version``.
        name: of the runs in traces, for each model that has no name of its own.

    Raises:
        ConfigError: an argument is unknown, out of range or contradicts another, a model is not a
            chat model, or both models are the same.
        CheckpointError: the router's weights are missing or damaged.
        MissingExtraError: a model is given by name and langchain is not installed.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    strong: InnerModel
    weak: InnerModel
    router: str = "mf"
    threshold: float | None = None
    strong_share: float | None = None
    saving: float | None = None
    max_cost_per_1k_requests: float | None = None
    strong_price: tuple[float, float] | str | None = None
    weak_price: tuple[float, float] | str | None = None
    tokens_per_request: tuple[float, float] | None = None
    calibration: str | None = None
    adapt: bool | str = False
    router_options: dict[str, Any] = Field(default_factory=dict)
    on_error: Tier = "strong"
    on_no_text: Tier = "strong"
    timeout_ms: float = 1000.0
    concurrency: int = 32
    turns: int = 20
    sticky: Literal["turn", "conversation"] = "turn"
    hold: Literal["off", "cache"] = "off"
    scored: Literal["last", "system+last", "all"] = "last"
    ignore: tuple[str, ...] = ()
    extract: tuple[str, ...] = ()
    utility: Literal["weak", "strong", "score"] = "weak"
    explore: float = 0.0
    question_keys: tuple[str, ...] = QUESTION_KEYS
    shadow: ShadowSettings | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    streaming: bool | None = None
    output_version: str | None = None
    _two_models: TwoModels | None = PrivateAttr(default=None)
    _checked: tuple[tuple[dict[str, Any], InnerModel, InnerModel], RouteSettings] | None = (
        PrivateAttr(default=None)
    )

    def __init__(self, strong: InnerModel | str, weak: InnerModel | str, **arguments: Any) -> None:
        known, settings = type(self).model_fields, arguments
        for name in settings:
            if name == "model":
                raise ConfigError(
                    "'model' names one model, but two are needed: write strong='openai:gpt-4o', "
                    "weak='openai:gpt-4o-mini', and for the routing router=, threshold="
                )
            if name not in known and is_for_models(name, unwrapped(strong), unwrapped(weak)):
                raise ConfigError(for_models(name))
            if name not in known:
                raise ConfigError(unknown("argument", name, known))
        given = {key: settings[key] for key in RouteSettings.model_fields if key in settings}
        routing = validate_settings(RouteSettings, given)
        models = {"strong": as_model("strong", strong), "weak": as_model("weak", weak)}
        check_models(**models)
        priced = _priced(routing, models["strong"], models["weak"])
        policy_of(priced)
        shadow = settings.get("shadow")
        if shadow is not None:
            settings["shadow"] = shadow = shadow_settings(shadow)
        if routing.question_keys:
            watch_prompts()
        super().__init__(**{**settings, **routing.model_dump(), **models})
        for tier in ("strong", "weak"):
            self._target(tier)  # raises now if a model lacks what is passed on
        if shadow is not None:
            names: dict[Tier, str | None] = {
                "strong": name_of(models["strong"]),
                "weak": name_of(models["weak"]),
            }
            self._two_models = two_models(self.name or "ChatRouteLLM", shadow, names, priced)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: Any = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return a routed model whose models can call tools, each described in its provider's form.

        As with a plain model, the binding's ``bound`` is without the tools, and its ``kwargs`` tell
        them, in the form of the strong model's provider.

        Args:
            tools: as any chat model takes them.
            tool_choice: which tool must be called.
            kwargs: for both models; ``threshold`` and the like are for the routing.

        Raises:
            NotImplementedError: one of the models does not support tools.
        """
        routing = {key: kwargs.pop(key) for key in PER_CALL if key in kwargs}
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        bound = BoundTools(tools, kwargs, self.strong, self.weak)
        return self.bind(**bound.arguments, **routing)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return a runnable that routes between the two models' own structured outputs.

        Args:
            schema: as any chat model takes it.
            include_raw: also return the message.
            kwargs: for both models, such as ``method``.

        Raises:
            NotImplementedError: one of the models does not support it.
        """
        method, kwargs = "with_structured_output", {"include_raw": include_raw, **kwargs}
        strong = derived("strong", self._target("strong"), method, schema, **kwargs)
        weak = derived("weak", self._target("weak"), method, schema, **kwargs)
        return RoutedOutput(self, strong, weak)

    def get_token_ids(self, text: str) -> list[int]:
        return self._counting.get_token_ids(text)

    def get_num_tokens(self, text: str) -> int:
        return self._counting.get_num_tokens(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        return self._counting.get_num_tokens_from_messages(messages, tools)

    @property
    def _counting(self) -> BaseChatModel:
        """The strong model, by which tokens are counted before it is known who will read them."""
        model = unwrapped(self._target("strong"))
        if not hasattr(model, "get_num_tokens"):
            raise NotImplementedError(
                f"the strong model, a {type(model).__name__}, cannot count tokens: "
                "set custom_get_token_ids on it"
            )
        return cast("BaseChatModel", model)

    def _settings(self) -> RouteSettings:
        values = {name: getattr(self, name) for name in RouteSettings.model_fields}
        given = values, self.strong, self.weak
        if self._checked is None or not _same(self._checked[0], given):
            settings = validate_settings(RouteSettings, values)
            self._checked = given, _priced(settings, self.strong, self.weak)
        return self._checked[1]

    def _target(self, tier: Tier, kwargs: dict[str, Any] | None = None) -> InnerModel:
        model = self.strong if tier == "strong" else self.weak
        tools = (kwargs or {}).get("tools")
        if kwargs and isinstance(tools, BoundTools):
            model = tools.on(tier, model, kwargs)
        values = {name: getattr(self, name) for name in _HANDED_ON}
        fields = {name: value for name, value in values.items() if value != _HANDED_ON[name]}
        core = unwrapped(model)
        if self.name and isinstance(core, BaseChatModel) and core.name is None:
            fields["name"] = self.name  # what the run is called
        return with_fields(tier, model, fields)

    def _abilities(self) -> dict[Tier, Abilities]:
        return known_abilities(self.strong, self.weak)

    def _shadowed(self) -> TwoModels | None:
        return self._two_models

    def _own_config(self) -> RunnableConfig:
        # Which packages are involved is for the model that is called to say.
        metadata = {k: v for k, v in (self.metadata or {}).items() if k != "lc_versions"}
        return {"callbacks": self.callbacks, "tags": self.tags or [], "metadata": metadata}

    def _resolve_model_profile(self) -> Any:
        return common_profile(self.strong, self.weak)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params.setdefault("ls_model_name", self._route_name)
        # Middleware reads there what the models can do and whose token counts to trust.
        if provider := common_provider(self.strong, self.weak):
            params["ls_provider"] = provider
        return params

    @property
    def _route_name(self) -> str:
        return f"router-{self.router}-{policy_of(self._settings()).threshold:.5g}"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        models = {"strong": name_of(self.strong), "weak": name_of(self.weak)}
        return {"model": self._route_name, **models}

    @property
    def _llm_type(self) -> str:
        return "routellm-chat"


def _priced(settings: RouteSettings, strong: InnerModel, weak: InnerModel) -> RouteSettings:
    return settings_of_pair(settings, name_of(strong), name_of(weak))


def _same(one: _Given, other: _Given) -> bool:
    return one[1] is other[1] and one[2] is other[2] and one[0] == other[0]
