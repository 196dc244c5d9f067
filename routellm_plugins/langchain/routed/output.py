"""Structured output of two models, routed like the model that it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.runnables import Runnable, RunnableConfig

from routellm_core import Tier
from routellm_core.rules.fits import Abilities
from routellm_core.traffic.shadow.other_model import TwoModels

from ..asking.needs import arguments_of
from ..settings import RouteSettings
from .runnable import Routed


class RoutedOutput(Routed, Runnable[LanguageModelInput, Any]):
    """What two models' ``with_structured_output`` returned, routed like the model it came from."""

    def __init__(
        self,
        model: Routed,
        strong: Runnable[LanguageModelInput, Any],
        weak: Runnable[LanguageModelInput, Any],
    ) -> None:
        self._model = model
        self._strong = strong
        self._weak = weak

    @property
    def InputType(self) -> Any:  # noqa: N802  # LangChain's name
        return self._strong.InputType

    @property
    def OutputType(self) -> Any:  # noqa: N802
        return self._strong.OutputType

    def _settings(self) -> RouteSettings:
        return self._model._settings()

    def _target(
        self, tier: Tier, kwargs: dict[str, Any] | None = None
    ) -> Runnable[LanguageModelInput, Any]:
        return self._strong if tier == "strong" else self._weak

    def _abilities(self) -> dict[Tier, Abilities]:
        return self._model._abilities()

    def _shadowed(self) -> TwoModels | None:
        return self._model._shadowed()

    def _bound_arguments(self) -> Mapping[str, Any]:
        return arguments_of(self._strong)

    def _own_config(self) -> RunnableConfig:
        return self._model._own_config()
