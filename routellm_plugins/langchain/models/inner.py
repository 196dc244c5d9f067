"""The two models behind a routed one: made from names, checked, and derived from.

Either may be wrapped by ``bind``, ``with_config``, ``with_retry`` or ``with_fallbacks``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from routellm_core import ConfigError, MissingExtraError, Tier

from ...model_pair import check_pair
from .wrappers import unwrapped

InnerModel = Runnable[LanguageModelInput, AIMessage]

TOOL_ARGUMENTS = ("tools", "tool_choice", "parallel_tool_calls")
"""What ``bind_tools`` binds."""
_REPLACED = {
    "bind_tools": TOOL_ARGUMENTS,
    "with_structured_output": (
        *TOOL_ARGUMENTS,
        "response_format",
        "strict",
        "ls_structured_output_format",
    ),
}
"""What each method binds, so that none of it may stay from before."""


def as_model(tier: Tier, given: object) -> InnerModel:
    """Return a chat model from what a user gave for a tier.

    Args:
        tier: ``strong`` or ``weak``, for messages.
        given: a chat model, wrapped or not, or a name that ``init_chat_model`` understands.

    Raises:
        ConfigError: it is neither.
        MissingExtraError: it is a name, and langchain is not installed.
    """
    if isinstance(given, str):
        if not given.strip():
            raise ConfigError(f"'{tier}' is an empty name: write one such as 'openai:gpt-4o'")
        try:
            from langchain.chat_models import init_chat_model
        except ImportError as error:
            raise MissingExtraError(
                f"{tier}='{given}': to make a model from its name needs langchain: pip install "
                '"routellm-plugins[langchain-agents]", or give a chat model such as ChatOpenAI(...)'
            ) from error
        model: InnerModel = init_chat_model(given)
        return model
    core = unwrapped(given)
    if isinstance(given, Runnable) and (
        isinstance(core, BaseChatModel) or hasattr(core, "bind_tools")
    ):
        return given
    raise ConfigError(
        f"'{tier}' is {_described(given)}, which is not a chat model: give one such as "
        "ChatOpenAI(...) or 'openai:gpt-4o', and put prompts, parsers and the like around the "
        "routed model"
    )


def for_models(name: str) -> str:
    """Return what is wrong where an argument is given to the routing that is for the models."""
    return (
        f"'{name}' is for the models: give them as objects that have it, such as "
        f"strong=init_chat_model('openai:gpt-4o', {name}=...)"
    )


def check_models(strong: InnerModel, weak: InnerModel) -> None:
    """Check a pair of models, as ``check_pair``; also for two objects that are set up alike.

    Raises:
        ConfigError: both are the same model.
    """
    name = name_of(strong)
    check_pair(strong, strong if _alike(strong, weak) else weak, name, name_of(weak))


def _alike(strong: InnerModel, weak: InnerModel) -> bool:
    if not (isinstance(strong, BaseChatModel) and isinstance(weak, BaseChatModel)):
        return False
    return (
        type(strong) is type(weak)
        and strong.is_lc_serializable()
        and name_of(strong) == name_of(weak)
        and dumpd(strong) == dumpd(weak)
    )


class AgentModel(RunnableBinding[LanguageModelInput, AIMessage]):
    """A wrapped chat model that takes tools and forms, as agents and their middleware need it,
    which most wrappers do not.
    """

    def bind_tools(
        self, tools: Sequence[Any], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with tools bound inside its wrappers.

        Args:
            tools: as any chat model takes them.
            kwargs: of the model's own ``bind_tools``.

        Raises:
            NotImplementedError: the model does not support tools.
        """
        return derived(None, self, "bind_tools", tools, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Return what gives this model's answers a form, inside its wrappers.

        Args:
            schema: as any chat model takes it.
            kwargs: of the model's own ``with_structured_output``.

        Raises:
            NotImplementedError: the model does not support it.
        """
        return derived(None, self, "with_structured_output", schema, **kwargs)


def unbound(model: InnerModel) -> tuple[BaseChatModel | None, dict[str, Any], list[Any]]:
    """Return a model without what was bound to it, the arguments and the configs bound.

    Returns:
        None for the model if there is a wrapper that does more than bind.
    """
    kwargs: dict[str, Any] = {}
    configs: list[Any] = []
    current: object = model
    while isinstance(current, RunnableBinding) and not current.config_factories:
        kwargs = {**current.kwargs, **kwargs}
        configs.insert(0, current.config)
        current = current.bound
    return (current if isinstance(current, BaseChatModel) else None), kwargs, configs


def name_of(model: object) -> str | None:
    """Return what a model is called at its provider, where it says so."""
    core = unwrapped(model)
    for attribute in ("model_name", "model", "model_id"):
        name = _attribute_of(core, attribute)
        if isinstance(name, str) and name:
            return name
    return None


def _attribute_of(model: object, attribute: str) -> Any:
    """Return an attribute of a model; None if it has none, or would first have to be set up.

    A configurable model is made anew whenever it is asked, for which its key may not be there yet.
    """
    try:
        return getattr(model, attribute, None)
    except Exception:  # whatever making the model raises: the call itself will say it
        return None


def derived(
    tier: Tier | None, model: InnerModel, method: str, /, *args: Any, **kwargs: Any
) -> InnerModel:
    """Return ``model.method(...)`` inside the same wrappers.

    LangChain's own forwarding loses what was bound and fails for ``with_retry``. What is bound
    now wins over what was bound before; tools of before are replaced, as by a plain model.

    Args:
        tier: for messages; None if it is not known.
        model: the model.
        method: ``bind_tools`` or ``with_structured_output``.
        args: of the method.
        kwargs: of the method.

    Raises:
        NotImplementedError: the model has no such method.
    """
    if isinstance(model, RunnableBindingBase):
        inner = derived(tier, model.bound, method, *args, **kwargs)
        anew = inner.kwargs if isinstance(inner, RunnableBinding) else {}
        replaced = {*anew, *_REPLACED[method]}
        kept = {key: value for key, value in model.kwargs.items() if key not in replaced}
        return model.model_copy(update={"bound": inner, "kwargs": kept})
    try:
        result: InnerModel = getattr(model, method)(*args, **kwargs)
    except NotImplementedError as error:
        which = f"{tier} model" if tier else "model"
        raise NotImplementedError(
            f"the {which} {_described(unwrapped(model))} has no {method}: "
            f"give a {which} that supports tools"
        ) from error
    return result


def with_fields(tier: Tier, model: InnerModel, fields: Mapping[str, Any]) -> InnerModel:
    """Return a copy of a model with some of its fields set, inside the same wrappers.

    Args:
        tier: for messages.
        model: the model.
        fields: values by field name or alias, such as ``{"temperature": 0}``.

    Raises:
        ConfigError: the model has no such field.
    """
    if not fields:
        return model
    if isinstance(model, RunnableBindingBase):
        return model.model_copy(update={"bound": with_fields(tier, model.bound, fields)})
    if isinstance(model, RunnableWithFallbacks):
        fallbacks = [with_fields(tier, fallback, fields) for fallback in model.fallbacks]
        first = with_fields(tier, model.runnable, fields)
        return model.model_copy(update={"runnable": first, "fallbacks": fallbacks})
    known = type(model).model_fields if isinstance(model, BaseChatModel) else {}
    names = {field.alias: name for name, field in known.items() if field.alias}
    names.update({name: name for name in known})
    unknown = [name for name in fields if name not in names]
    if unknown:
        raise ConfigError(
            f"the {tier} model {_described(model)} has no '{unknown[0]}': "
            "leave it out here, and set the field that this model has on the model itself"
        )
    assert isinstance(model, BaseChatModel)
    return _copied(model, {names[name]: value for name, value in fields.items()})


def _copied(model: BaseChatModel, fields: Mapping[str, Any]) -> BaseChatModel:
    """Return a copy with other values of fields, and without what was computed from the old ones.

    LangChain keeps a model's serialized form, which is part of the key in caches of answers.
    """
    copy = model.model_copy(update=fields)
    for name in list(vars(copy)):
        if isinstance(getattr(type(copy), name, None), cached_property):
            delattr(copy, name)
    return copy


def common_profile(strong: object, weak: object) -> dict[str, Any] | None:
    """Return what both models can do, by their profiles; None if one of them has none.

    Of two limits the smaller, of two abilities the one both have; what only one profile speaks
    of is left out.
    """
    first, second = (_attribute_of(unwrapped(model), "profile") for model in (strong, weak))
    if not first or not second:
        return None
    common: dict[str, Any] = {}
    for key in first.keys() & second.keys():
        a, b = first[key], second[key]
        if isinstance(a, bool) and isinstance(b, bool):
            common[key] = a and b
        elif isinstance(a, (int, float)) and isinstance(b, (int, float)):
            common[key] = min(a, b)
        elif a == b:
            common[key] = a
    return common


def common_provider(strong: object, weak: object) -> str | None:
    """Return the provider of both models, as LangSmith names it; None if they have two, or one
    does not tell.
    """
    first, second = (_provider_of(unwrapped(model)) for model in (strong, weak))
    return first if first == second else None


def _provider_of(model: object) -> str | None:
    told = _attribute_of(model, "_get_ls_params")
    provider = told().get("ls_provider") if callable(told) else None
    return provider if isinstance(provider, str) else None


def _described(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
