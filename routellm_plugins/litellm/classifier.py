"""A classifier for LiteLLM's own complexity router, which chooses the tier by a trained router."""

from __future__ import annotations

from typing import Any

from routellm_core import Asked, ConfigError, PolicySettings, validate_settings
from routellm_core.policy.policies import adecide, policy_of
from routellm_core.prompt.reading import asked_in
from routellm_core.prompt.side_calls import side_call


class RouteLLMClassifier:
    """Tells LiteLLM's complexity router which tier a request belongs to.

    It implements LiteLLM's ``ClassifierPlugin``, for ``classifier_type: custom``. If scoring
    fails, the tier is that of ``on_error``. To keep conversations on one tier, use LiteLLM's
    ``session_affinity``.

    Args:
        strong_tier: the tier for prompts that need the strong model.
        weak_tier: the tier for all others.
        **settings: settings of ``RoutingPolicy``, such as ``router`` and ``strong_share``.

    Raises:
        ConfigError: a setting is unknown, out of range, or contradicts another.
        CheckpointError: the router's weights are missing or damaged.
    """

    def __init__(
        self, *, strong_tier: str = "COMPLEX", weak_tier: str = "SIMPLE", **settings: object
    ) -> None:
        if strong_tier == weak_tier:
            raise ConfigError(f"'strong_tier' and 'weak_tier' are both '{weak_tier}': name two")
        self._tiers = {"strong": strong_tier, "weak": weak_tier}
        self._settings = validate_settings(PolicySettings, settings)
        if self._settings.sticky == "conversation":
            raise ConfigError(
                "remove 'sticky': LiteLLM keeps conversations together, by session_affinity in "
                "complexity_router_config"
            )
        policy_of(self._settings)  # reports mistakes, and loads the router, before traffic

    async def classify(self, context: Any) -> str:
        """Return the tier of a request.

        Args:
            context: LiteLLM's ``RoutingContext``.
        """

        def asked() -> Asked:
            messages = context.structured_messages
            side = side_call(messages, self._settings)
            return asked_in(messages, self._settings) if side is None else side

        decision = await adecide(self._settings, asked, checked=True)
        return self._tiers[decision.tier]
