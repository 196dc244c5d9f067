"""What adapters of frameworks have in common: names, prices and costs of the two models."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from ...decision import Tier
from ...errors import ConfigError, RouteLLMError
from ...policy.policies import policy_of
from ...policy.policy import RoutingPolicy
from ...rules.prices import Price, price_of, price_of_model
from ...settings import PolicySettings
from ..store.kept import Answer, Request
from .about import about
from .settings import ShadowSettings
from .shadow import OtherCall, Shadow, shadow_of

_BYTES_PER_TOKEN = 4
_ANSWER_TOKENS = 500
"""Tokens of an answer that is not there yet, for an estimate of its cost."""


class TwoModels:
    """Shadow mode between two models of an application, with what their tokens cost.

    Args:
        shadow: the shadow mode.
        models: by tier, the names of the models.
        prices: by tier.
        routing: settings of the policy that decides.
    """

    def __init__(
        self,
        shadow: Shadow,
        models: Mapping[Tier, str | None],
        prices: Mapping[Tier, Price],
        routing: PolicySettings,
    ) -> None:
        self.shadow = shadow
        self.models = models
        self._prices = prices
        self._routing = routing
        self._described = 0
        """``id`` of the policy that the store was told of."""
        self._describe(policy_of(routing))

    def keep(self, request: Request, served: Answer, other: OtherCall | None) -> None:
        """Keep a call, as ``Shadow.keep`` does, and what decides since its files changed."""
        with contextlib.suppress(Exception):  # of a plugin that is gone the store was told before
            policy = policy_of(self._routing)
            if id(policy) != self._described:
                self._describe(policy)
        self.shadow.keep(request, served, other)

    def _describe(self, policy: RoutingPolicy) -> None:
        prices = {
            tier: {"input": each.given, "cached": each.given, "output": each.answered}
            for tier, each in self._prices.items()
        }
        self.shadow.describe(about(policy, self.models, prices))
        self._described = id(policy)

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
    name: str, settings: ShadowSettings, models: Mapping[Tier, str | None], routing: PolicySettings
) -> TwoModels:
    """Return shadow mode between two models.

    Args:
        name: of the application, if ``settings.route`` does not say.
        settings: of shadow mode.
        models: by tier, the names of the models at their providers, where they are known.
        routing: settings of the policy that decides.

    Raises:
        ConfigError: the price of a model is not known, or ``redact`` names no function.
    """
    given: dict[Tier, str | None] = {"strong": settings.strong_price, "weak": settings.weak_price}
    prices = {tier: _price(tier, text, models.get(tier)) for tier, text in given.items()}
    return TwoModels(shadow_of(name, settings), models, prices, routing)


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
