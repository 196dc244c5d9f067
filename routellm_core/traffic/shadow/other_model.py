"""What adapters of frameworks have in common: names, prices and costs of the two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...decision import Tier
from ...errors import ConfigError, RouteLLMError
from ...policy.policy import RoutingPolicy
from ...rules.prices import Price, price_of, price_of_model
from ..store.kept import Answer
from .about import about
from .settings import ShadowSettings
from .shadow import Shadow, shadow_of

_BYTES_PER_TOKEN = 4
_ANSWER_TOKENS = 500
"""Tokens of an answer that is not there yet, for an estimate of its cost."""


class TwoModels:
    """Shadow mode between two models of an application, with what their tokens cost.

    Args:
        shadow: the shadow mode.
        models: by tier, the names of the models.
        prices: by tier.
    """

    def __init__(
        self, shadow: Shadow, models: Mapping[Tier, str | None], prices: Mapping[Tier, Price]
    ) -> None:
        self.shadow = shadow
        self.models = models
        self._prices = prices

    def priced(self, answer: Answer) -> Answer:
        """Return an answer with its model's name and, if its tokens are known, with its cost."""
        cost = None
        if answer.input_tokens is not None:
            price = self._prices[answer.tier]
            written = (answer.output_tokens or 0) * price.answered
            cost = (answer.input_tokens * price.given + written) / 1e6
        return replace(answer, model=self.models[answer.tier], cost_usd=cost)

    def estimate_usd(self, tier: Tier, size: int) -> float:
        """Return about what a call costs whose request has so many bytes."""
        price = self._prices[tier]
        return (size / _BYTES_PER_TOKEN * price.given + _ANSWER_TOKENS * price.answered) / 1e6


def two_models(
    name: str, settings: ShadowSettings, models: Mapping[Tier, str | None], policy: RoutingPolicy
) -> TwoModels:
    """Return shadow mode between two models.

    Args:
        name: of the application, if ``settings.route`` does not say.
        settings: of shadow mode.
        models: by tier, the names of the models at their providers, where they are known.
        policy: decides.

    Raises:
        ConfigError: the price of a model is not known, or ``redact`` names no function.
    """
    given: dict[Tier, str | None] = {"strong": settings.strong_price, "weak": settings.weak_price}
    prices = {tier: _price(tier, text, models.get(tier)) for tier, text in given.items()}
    shadow = shadow_of(name, settings)
    known = {
        tier: {"input": each.given, "cached": each.given, "output": each.answered}
        for tier, each in prices.items()
    }
    shadow.describe(about(policy, models, known))
    return TwoModels(shadow, models, prices)


def _price(tier: Tier, given: str | None, model: str | None) -> Price:
    if given is not None:
        return price_of(given)
    try:
        return price_of_model(str(model))
    except RouteLLMError:
        raise ConfigError(
            f"shadow: the price of '{model}' is not known, so that 'budget_usd' cannot be held: "
            f"set {tier}_price, such as 2.5,10"
        ) from None
