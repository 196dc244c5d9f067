"""Decide on a call, whatever happens: a failure of ours must not become the user's."""

from __future__ import annotations

import logging
from collections.abc import Callable

from routellm_core import Asked as CoreAsked
from routellm_core import Decision, RoutingPolicy
from routellm_core.policies import apolicy_of, policy_of
from routellm_core.registry.plugins import plugins
from routellm_core.route_on import text_to_route_on

from .question import Asked
from .settings import RouteSettings

logger = logging.getLogger(__name__)


class Decider:
    """Decides where the calls of one ``RouteLLM`` go.

    Args:
        settings: what the user set.

    Raises:
        RouteLLMError: there is no such router, or it cannot be loaded.
    """

    def __init__(self, settings: RouteSettings) -> None:
        self._settings = settings
        self._logged: set[str] = set()
        self.threshold = policy_of(settings).threshold

    def decide(self, read: Callable[[], Asked]) -> Decision:
        """Decide where a call goes. Never raises.

        Args:
            read: finds what the call asks; not called inside ``route_on``.
        """
        try:
            policy = policy_of(self._settings)
            asked = _asked(read)
            return _settled(asked, policy) or policy.decide(asked.text)
        except Exception as error:
            return self._failed(error)

    async def adecide(self, read: Callable[[], Asked]) -> Decision:
        """Like ``decide``, without holding up the event loop."""
        try:
            policy = await apolicy_of(self._settings)
            asked = _asked(read)
            return _settled(asked, policy) or await policy.adecide(asked.text)
        except Exception as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Decision:
        tier, router, kind = self._settings.on_error, self._settings.router, type(error).__name__
        if kind not in self._logged:
            self._logged.add(kind)
            logger.error(
                "a call could not be decided on (%s: %s) and goes to the %s model; "
                "further failures of this kind are not logged",
                kind,
                error,
                tier,
                exc_info=error,
            )
        decision = Decision(tier, None, self.threshold, router, f"error:{kind}", elapsed_ms=0.0)
        plugins.decided(decision)
        return decision


def _asked(read: Callable[[], Asked]) -> Asked:
    text = text_to_route_on()
    return read() if text is None else Asked(text)


def _settled(asked: Asked, policy: RoutingPolicy) -> Decision | None:
    return policy.decide(CoreAsked(settled=asked.tier, cause="utility")) if asked.tier else None
