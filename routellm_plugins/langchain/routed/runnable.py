"""Runnables whose every call is handed, whole, to one of two runnables.

The public methods are handed on, not the hooks behind them: what the caller sees, callbacks,
traces and token usage included, is one call of the model that was chosen.
"""

# ruff: noqa: A002  # `input` is what LangChain calls it
from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, get_config_list, merge_configs

from routellm_core import Asked, Decision, PolicySettings, Tier
from routellm_core.overrides import PREFIX
from routellm_core.policy.policies import adecide, adecide_each, decide, decide_each
from routellm_core.policy.policy import Call
from routellm_core.policy.route_on import held, text_to_route_on, texts_to_route_on
from routellm_core.rules.fits import Abilities
from routellm_core.traffic.shadow.other_model import TwoModels

from ...streams import HandedStream
from ..asking.calls import asked_by
from ..asking.overrides import take_settings
from ..asking.questions import question_in_call
from ..asking.reasoning import readable_by
from ..models.wrappers import inside
from ..reporting import LEVEL, level_of, trace_metadata
from ..settings import RouteSettings
from ..shadow import ShadowCallback
from .call import CALLS, RoutedCall


class Routed:
    """Mixin before a Runnable class: every call goes to the runnable of one tier."""

    @abstractmethod
    def _settings(self) -> RouteSettings:
        """Return how it is decided."""

    @abstractmethod
    def _target(
        self, tier: Tier, kwargs: dict[str, Any] | None = None
    ) -> Runnable[LanguageModelInput, Any]:
        """Return what serves a tier.

        Args:
            tier: the tier.
            kwargs: of the call; what is bound to the returned runnable is removed.
        """

    @abstractmethod
    def _abilities(self) -> dict[Tier, Abilities]:
        """Return what is known of each model, of which anything is."""

    def _bound_arguments(self) -> Mapping[str, Any]:
        """Return arguments of every call that are bound to what serves it."""
        return {}

    @abstractmethod
    def _shadowed(self) -> TwoModels | None:
        """Return where calls are kept, if there is shadow mode."""

    @abstractmethod
    def _own_config(self) -> RunnableConfig:
        """Return callbacks, tags and metadata of every call."""

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        return self._route(input, config, kwargs).invoke()

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        return await (await self._aroute(input, config, kwargs)).ainvoke()

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        # Taken down now: a stream may be consumed when route_on has ended.
        return self._streamed(text_to_route_on(), input, config, kwargs)

    def _streamed(
        self,
        text: str | None,
        model_input: LanguageModelInput,
        config: RunnableConfig | None,
        kwargs: dict[str, Any],
    ) -> Iterator[Any]:
        with held(text):
            call = self._route(model_input, config, kwargs)
        yield from call.stream()

    def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        return self._astreamed(text_to_route_on(), input, config, kwargs)

    def _astreamed(
        self,
        text: str | None,
        model_input: LanguageModelInput,
        config: RunnableConfig | None,
        kwargs: dict[str, Any],
    ) -> AsyncIterator[Any]:
        async def opened() -> AsyncIterator[Any]:
            with held(text):
                call = await self._aroute(model_input, config, kwargs)
            return call.astream()

        return HandedStream(opened)

    def stream_events(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        version: str = "v2",
        **kwargs: Any,
    ) -> Any:
        parent: Any = super()
        if version != "v3":
            return parent.stream_events(input, config, version=version, **kwargs)
        call = self._route(input, config, kwargs)
        target: Any = call.target
        return target.stream_events(call.model_input, call.config, version=version, **call.kwargs)

    def astream_events(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        version: str = "v2",
        **kwargs: Any,
    ) -> Any:
        if version != "v3":
            parent: Any = super()
            return parent.astream_events(input, config, version=version, **kwargs)
        return self._astream_events_v3(input, config, kwargs)

    async def _astream_events_v3(
        self, input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> Any:
        call = await self._aroute(input, config, kwargs)
        target: Any = call.target
        return await target.astream_events(
            call.model_input, call.config, version="v3", **call.kwargs
        )

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        configs = get_config_list(config, len(inputs))
        calls = self._route_many(inputs, configs, kwargs)
        return CALLS.batch(calls, configs, return_exceptions=return_exceptions)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        configs = get_config_list(config, len(inputs))
        calls = await self._aroute_many(inputs, configs, kwargs)
        return await CALLS.abatch(calls, configs, return_exceptions=return_exceptions)

    def batch_as_completed(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> Iterator[Any]:
        configs = get_config_list(config, len(inputs))
        calls = self._route_many(inputs, configs, kwargs)
        handed: Any = {"return_exceptions": return_exceptions}
        yield from CALLS.batch_as_completed(calls, configs, **handed)

    def abatch_as_completed(
        self,
        inputs: Sequence[LanguageModelInput],
        config: RunnableConfig | Sequence[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        async def opened() -> AsyncIterator[Any]:
            configs = get_config_list(config, len(inputs))
            calls = await self._aroute_many(inputs, configs, kwargs)
            handed: Any = {"return_exceptions": return_exceptions}
            return CALLS.abatch_as_completed(calls, configs, **handed)

        return HandedStream(opened)

    def _route(
        self, model_input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> RoutedCall:
        config, kwargs, text = ensure_config(config), dict(kwargs), text_to_route_on()
        decision = decide(*self._asking(model_input, config, kwargs))
        return self._call(model_input, config, kwargs, decision, text)

    async def _aroute(
        self, model_input: LanguageModelInput, config: RunnableConfig | None, kwargs: dict[str, Any]
    ) -> RoutedCall:
        config, kwargs, text = ensure_config(config), dict(kwargs), text_to_route_on()
        decision = await adecide(*self._asking(model_input, config, kwargs))
        return self._call(model_input, config, kwargs, decision, text)

    def _route_many(
        self, inputs: Sequence[LanguageModelInput], configs: list[RunnableConfig], kwargs: Any
    ) -> list[RoutedCall | Exception]:
        batch = _Batch(self, inputs, configs, kwargs)
        with held(None):  # each call has its own text
            return batch.calls(decide_each(batch.asking))

    async def _aroute_many(
        self, inputs: Sequence[LanguageModelInput], configs: list[RunnableConfig], kwargs: Any
    ) -> list[RoutedCall | Exception]:
        batch = _Batch(self, inputs, configs, kwargs)
        with held(None):
            return batch.calls(await adecide_each(batch.asking))

    def _asking(
        self, model_input: LanguageModelInput, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> tuple[PolicySettings, Callable[[], Asked]]:
        """Return the settings of a call, taken out of its arguments, and what reads the call."""
        configurable = config.get("configurable") or {}
        if level_of(configurable):
            # What overrides the routing is for the outermost router.
            configurable = {k: v for k, v in configurable.items() if not k.startswith(PREFIX)}
        settings = take_settings(self._settings(), configurable, kwargs)
        question = question_in_call(config, settings.question_keys)
        models = self._abilities()
        needed = {**self._bound_arguments(), **kwargs}
        return settings, partial(
            asked_by, model_input, settings, configurable, question, models, needed
        )

    def _call(
        self,
        model_input: LanguageModelInput,
        config: RunnableConfig,
        kwargs: dict[str, Any],
        decision: Decision,
        text: str | None,
    ) -> RoutedCall:
        own = self._own_config()
        level = level_of(config.get("configurable", {}))
        tags = own.get("tags", [])
        config["tags"] = [*(tag for tag in config.get("tags", []) if tag not in tags), *tags]
        config["metadata"] = {
            **config.get("metadata", {}),
            **own.get("metadata", {}),
            **trace_metadata(decision, level),
        }
        if own.get("callbacks"):
            callbacks: RunnableConfig = {"callbacks": config.get("callbacks")}
            merged = merge_configs({"callbacks": own["callbacks"]}, callbacks)["callbacks"]
            if isinstance(merged, list):  # a manager has each handler once
                merged = [each for at, each in enumerate(merged) if each not in merged[:at]]
            config["callbacks"] = merged
        if (models := self._shadowed()) is not None:
            self._keep(models, model_input, config, kwargs, decision)
        target = self._target(decision.tier, kwargs)
        nested = any(isinstance(each, Routed) for each in inside(target))
        if nested:
            config["configurable"] = {**config.get("configurable", {}), LEVEL: level + 1}
        model_input = readable_by(decision.tier, model_input, level)
        return RoutedCall(target, model_input, config, kwargs, decision, nested, text)

    def _keep(
        self,
        models: TwoModels,
        model_input: LanguageModelInput,
        config: RunnableConfig,
        kwargs: dict[str, Any],
        decision: Decision,
    ) -> None:
        """Have a call kept by a callback, which is added to its config."""
        given, level = dict(kwargs), level_of(config.get("configurable", {}))

        def call_other(tier: Tier, other: RunnableConfig) -> Any:
            left = dict(given)
            target = self._target(tier, left)
            return target.invoke(readable_by(tier, model_input, level), other, **left)

        question = question_in_call(config, self._settings().question_keys)
        keeping = ShadowCallback(models, decision, question, call_other)
        added: RunnableConfig = {"callbacks": [keeping]}
        before: RunnableConfig = {"callbacks": config.get("callbacks")}
        config["callbacks"] = merge_configs(before, added)["callbacks"]


class _Batch:
    """Calls that are decided together. A call whose settings are wrong fails alone."""

    def __init__(
        self,
        routed: Routed,
        inputs: Sequence[LanguageModelInput],
        configs: Sequence[RunnableConfig],
        kwargs: dict[str, Any],
    ) -> None:
        self._routed = routed
        self._inputs = list(zip(inputs, configs, [dict(kwargs) for _ in inputs], strict=True))
        self._texts = texts_to_route_on(len(self._inputs))
        self._wrong: dict[int, Exception] = {}
        self.asking: list[tuple[PolicySettings, Call]] = []
        for at, one in enumerate(self._inputs):
            try:
                settings, call = routed._asking(*one)
                self.asking.append((settings, partial(_about, self._texts[at], call)))
            except Exception as error:
                self._wrong[at] = error

    def calls(self, outcomes: Sequence[Decision | Exception]) -> list[RoutedCall | Exception]:
        """Return each call, or why it cannot be made, given what was decided on ``asking``."""
        remaining = iter(outcomes)
        calls: list[RoutedCall | Exception] = []
        for at, one in enumerate(self._inputs):
            outcome = self._wrong.get(at) or next(remaining)
            calls.append(
                outcome
                if isinstance(outcome, Exception)
                else self._routed._call(*one, outcome, self._texts[at])
            )
        return calls


def _about(text: str | None, call: Callable[[], Asked]) -> Asked:
    """Return what a call asks, or what ``route_on`` says of it."""
    asked = call()
    return asked if text is None else asked.about(text)
