"""LangChain's older way to call a chat model: prompts in, an LLMResult out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import CallbackManagerForLLMRun, Callbacks
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, convert_to_messages
from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, merge_configs

from ..models.inner import unbound
from .call import RoutedCall
from .runnable import Routed

_USAGE = "token_usage"


class Generating(Routed):
    """Mixin before a chat model: what is asked for an LLMResult is routed too."""

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        run_id: UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        configs = _run_configs(len(messages), callbacks, run_id, kwargs)
        calls = self._route_many(messages, configs, _with_stop(kwargs, stop))
        return combined([generated(_made(call)) for call in calls])

    async def agenerate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        *,
        run_id: UUID | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        configs = _run_configs(len(messages), callbacks, run_id, kwargs)
        calls = await self._aroute_many(messages, configs, _with_stop(kwargs, stop))
        # Every call ends before the first failure is raised, as in LangChain's own agenerate.
        results = await asyncio.gather(
            *(agenerated(_made(call)) for call in calls), return_exceptions=True
        )
        failed = next((each for each in results if isinstance(each, BaseException)), None)
        if failed is not None:
            raise failed
        return combined([each for each in results if isinstance(each, LLMResult)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """For code that has opened a run itself; the public methods do not call this."""
        call = self._route(messages, None, _with_stop(kwargs, stop))
        model, bound, _ = unbound(call.target)
        if model is None:
            return ChatResult(generations=[ChatGeneration(message=call.invoke())])
        readable: Any = call.model_input
        result = model._generate(readable, run_manager=run_manager, **{**bound, **call.kwargs})
        return ChatResult(
            generations=carrying(result.generations, call), llm_output=result.llm_output
        )


def generated(call: RoutedCall) -> LLMResult:
    """Make a call, keeping what ``invoke`` drops: further candidates and the provider's output."""
    model, messages, kwargs = _generating(call)
    if model is None:
        return LLMResult(generations=[[ChatGeneration(message=call.invoke())]])
    if isinstance(model, Routed):
        return _decided(generated(model._route(*_handed_on(call))), call)
    return _decided(model.generate([messages], **kwargs), call)


async def agenerated(call: RoutedCall) -> LLMResult:
    """Like ``generated``."""
    model, messages, kwargs = _generating(call)
    if model is None:
        return LLMResult(generations=[[ChatGeneration(message=await call.ainvoke())]])
    if isinstance(model, Routed):
        return _decided(await agenerated(await model._aroute(*_handed_on(call))), call)
    return _decided(await model.agenerate([messages], **kwargs), call)


def combined(results: Sequence[LLMResult]) -> LLMResult:
    """Return results of one prompt each as one; token usage is added up, and of the provider's
    other output what all have stays, such as the name of the model if one answered all.
    """
    if len(results) == 1:
        return results[0]
    outputs = [result.llm_output or {} for result in results]
    usage = _sum([output[_USAGE] for output in outputs if output.get(_USAGE)])
    first, *others = outputs or [{}]
    common = {
        key: value
        for key, value in first.items()
        if key != _USAGE and all(key in other and other[key] == value for other in others)
    }
    return LLMResult(
        generations=[generations for result in results for generations in result.generations],
        llm_output={**common, **({_USAGE: usage} if usage else {})},
        run=[run for result in results for run in result.run or []] or None,
    )


def carrying(candidates: Iterable[Generation], call: RoutedCall) -> list[ChatGeneration]:
    """Return copies of the candidates of one prompt that carry the decision."""
    return [
        candidate.model_copy(update={"message": call.carried(candidate.message)})
        for candidate in candidates
        if isinstance(candidate, ChatGeneration)
    ]


def _decided(result: LLMResult, call: RoutedCall) -> LLMResult:
    return result.model_copy(update={"generations": [carrying(result.generations[0], call)]})


def _handed_on(call: RoutedCall) -> tuple[Any, Any, dict[str, Any]]:
    """Return a call as the router takes it that was chosen."""
    _, bound, configs = unbound(call.target)
    return call.model_input, merge_configs(*configs, call.config), {**bound, **call.kwargs}


def _generating(call: RoutedCall) -> tuple[BaseChatModel | None, list[BaseMessage], dict[str, Any]]:
    model, bound, configs = unbound(call.target)
    config = merge_configs(*configs, call.config)
    kwargs = {
        **bound,
        **call.kwargs,
        **{key: config.get(key) for key in ("callbacks", "tags", "metadata", "run_name", "run_id")},
    }
    assert isinstance(call.model_input, Sequence)
    return model, convert_to_messages(call.model_input), kwargs


def _sum(usages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total: dict[str, Any] = {}
    for usage in usages:
        for key, value in usage.items():
            if isinstance(value, Mapping):
                total[key] = _sum([total.get(key, {}), value])
            elif isinstance(value, int):
                total[key] = total.get(key, 0) + value
    return total


def _run_configs(
    length: int, callbacks: Callbacks, run_id: UUID | None, kwargs: dict[str, Any]
) -> list[RunnableConfig]:
    """Return the configs of so many runs; what belongs there is taken out of ``kwargs``."""
    config = RunnableConfig(callbacks=callbacks)
    for key in ("tags", "metadata", "run_name"):
        config[key] = kwargs.pop(key, None)
    configs = [ensure_config(config) for _ in range(length)]
    if run_id is not None and configs:
        configs[0]["run_id"] = run_id
    return configs


def _with_stop(kwargs: dict[str, Any], stop: list[str] | None) -> dict[str, Any]:
    return kwargs if stop is None else {**kwargs, "stop": stop}


def _made(call: RoutedCall | Exception) -> RoutedCall:
    if isinstance(call, Exception):
        raise call
    return call
