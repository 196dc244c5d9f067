"""An LLM for LlamaIndex that sends each call to a strong or a weak LLM."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.bridge.pydantic import ConfigDict, PrivateAttr, field_serializer
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM
from pydantic import BaseModel, computed_field

from routellm_core import ConfigError, Tier, validate_settings
from routellm_core.policy.policies import policy_of
from routellm_core.traffic.shadow.other_model import two_models
from routellm_core.traffic.shadow.settings import ShadowSettings, shadow_settings

from ..model_pair import check_pair, is_for_models, settings_of_pair
from .calls import RoutedCalls
from .needs import calls_tools
from .settings import RouteSettings
from .shadow import listen
from .structured import SHARED, RoutedStructuredLLM

_CREDENTIAL = re.compile(r"(key|secret|token|password|headers|credentials)$")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""In the repr of objects, and of another value in every process."""

_FORWARDED = ("callback_manager", "rate_limiter", *SHARED)
"""What is set on both LLMs when it is assigned here."""


class RouteLLM(RoutedCalls):
    """An LLM that scores the question of each call and sends the call to one of two LLMs.

    The chosen LLM gets what it would get without the router, and keeps its own formats, tools,
    retries, callbacks and token counts. If scoring fails, the call goes to ``on_error``.

    Args:
        strong: the LLM for prompts that need it.
        weak: the cheap LLM for all others.
        router: name of a router, as in ``routellm_core.load_router``.
        callback_manager: set on both LLMs, now and whenever it is assigned. The same holds for
            later assignments to ``system_prompt``, ``output_parser`` and the like.
        shadow: store decisions, and call the other LLM too for a sample of calls, as in
            ``{"sample": 0.05, "budget_usd": 10, "store": "traffic.db"}``.
        **settings: ``threshold``, ``strong_share``, ``saving``, ``max_cost_per_1k_requests`` or
            ``calibration``, prices, ``adapt``, ``on_error``, ``on_no_text``,
            ``timeout_ms``, ``concurrency``, ``sticky`` and ``router_options`` as in
            ``routellm_core.RoutingPolicy``;
            ``query_keys``: template variables that hold a question, best first;
            ``utility``: where templates without a question go, as extraction, indexing and HyDE
            use them: ``weak`` (default), ``strong``, or ``score`` to score the whole text, which
            says little about the task;
            ``fallback``: ``strong`` calls the strong LLM if the weak one fails before it answers.

    Raises:
        ConfigError: a setting is unknown, out of range or contradicts another, or strong and
            weak are not two different LLMs.
        CheckpointError: the router's weights are missing or damaged.
    """

    # Without it, LlamaIndex's base ignores what it does not know.
    model_config = ConfigDict(extra="forbid")

    _threshold: float = PrivateAttr()

    def __init__(
        self,
        strong: LLM,
        weak: LLM,
        router: str = "mf",
        *,
        callback_manager: CallbackManager | None = None,
        shadow: ShadowSettings | Mapping[str, Any] | None = None,
        **settings: object,
    ) -> None:
        _check_models(strong, weak)
        for name in settings.keys() & LLM.model_fields.keys():
            raise ConfigError(f"'{name}' is a setting of the models: set it on strong and weak")
        for name in settings.keys() - RouteSettings.model_fields.keys():
            if is_for_models(name, strong, weak):
                raise ConfigError(
                    f"unknown key '{name}': it is for the models, so set it on strong and weak"
                )
        route = validate_settings(RouteSettings, {"router": router, **settings})
        route = settings_of_pair(route, _name(strong), _name(weak))
        policy = policy_of(route)
        keeping = shadow_settings(shadow) if shadow is not None else None
        # What both have in common holds for callers that ask the router in their place.
        shared = {name: getattr(strong, name) for name in SHARED}
        shared = {name: value for name, value in shared.items() if value == getattr(weak, name)}
        manager = callback_manager or strong.callback_manager
        super().__init__(
            strong=strong, weak=weak, settings=route, callback_manager=manager, **shared
        )
        self._threshold = policy.threshold
        if keeping is not None:
            names: dict[Tier, str | None] = {"strong": _name(strong), "weak": _name(weak)}
            self._two_models = two_models("RouteLLM", keeping, names, route)
            listen()
        if callback_manager is not None:
            self.callback_manager = callback_manager

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _FORWARDED:
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

    @computed_field  # type: ignore[prop-decorator]
    @property
    def digest(self) -> str:
        """Tells apart what else is set, but for credentials.

        What an LLM serializes to is a part of the key of LlamaIndex's ingestion caches, so that it
        has to differ whenever an answer may.
        """
        parts = (self.strong.to_dict(), self.weak.to_dict(), self.settings.router_options)
        return _digest(*parts)

    def as_structured_llm(self, output_cls: type[BaseModel], **kwargs: Any) -> StructuredLLM:
        return RoutedStructuredLLM(llm=self, output_cls=output_cls, **kwargs)

    @classmethod
    def class_name(cls) -> str:
        return "RouteLLM"

    @property
    def threshold(self) -> float:
        """Least strong win rate that goes to the strong LLM, in [0, 1]."""
        return self._threshold

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
            is_function_calling_model=calls_tools(self.strong) and calls_tools(self.weak),
            model_name=f"router-{self.settings.router}-{self.threshold:g}",
            system_role=strong.system_role if same_role else MessageRole.USER,
        )


def _check_models(strong: LLM, weak: LLM) -> None:
    for name, llm in (("strong", strong), ("weak", weak)):
        if isinstance(llm, RouteLLM) or isinstance(getattr(llm, "llm", None), RouteLLM):
            raise ConfigError(
                f"'{name}' is a RouteLLM itself, and routing does not nest: name one of its models"
            )
        if not isinstance(llm, LLM):
            raise ConfigError(
                f"'{name}' is {_shown(llm)}, which is not a LlamaIndex LLM: write "
                f'{name}=OpenAI("...") of llama_index.llms.openai, or the like'
            )
    check_pair(strong, strong if _same(strong, weak) else weak, _name(strong), _name(weak))


def _digest(*parts: Mapping[str, Any]) -> str:
    shown = [{k: v for k, v in part.items() if not _CREDENTIAL.search(k)} for part in parts]
    return hashlib.sha256(_ADDRESS.sub("", repr(shown)).encode()).hexdigest()


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else f"of type {type(value).__name__}"


def _same(strong: LLM, weak: LLM) -> bool:
    known = _name(strong) is not None and type(strong) is type(weak)
    return known and strong.model_dump() == weak.model_dump()


def _name(llm: LLM) -> str | None:
    name = llm.metadata.model_name
    return None if name == LLMMetadata.model_fields["model_name"].default else name
