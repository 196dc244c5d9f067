"""The routing policies in use, loaded once each."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict

from routellm_core import RoutingPolicy
from routellm_core.plugins import plugins
from routellm_core.settings import PolicySettings


class Policies:
    """Policies by their settings.

    Bounded, because requests may bring routers and thresholds of their own.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, int], RoutingPolicy] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, settings: PolicySettings) -> RoutingPolicy:
        """Return the policy of these settings, loading its router on first use.

        Raises:
            RouteLLMError: there is no such router, or it cannot be loaded.
        """
        key = self._key(settings)
        policy = self._find(key)
        if policy is None:
            # Not under the lock: a router that loads slowly must not hold up the others. That
            # each is loaded once is seen to by load_router.
            policy = self._keep(key, RoutingPolicy.from_settings(settings))
        return policy

    async def aget(self, settings: PolicySettings) -> RoutingPolicy:
        """Like ``get``, without holding up the event loop while a router loads."""
        policy = self._find(self._key(settings))
        if policy is None:
            policy = await asyncio.to_thread(self.get, settings)
        return policy

    def _key(self, settings: PolicySettings) -> tuple[str, int]:
        # With the plugins' version, so that a replaced plugin's router is not used on.
        return settings.model_dump_json(), plugins.version

    def _find(self, key: tuple[str, int]) -> RoutingPolicy | None:
        with self._lock:
            policy = self._kept.get(key)
            if policy is not None:
                self._kept.move_to_end(key)
            return policy

    def _keep(self, key: tuple[str, int], policy: RoutingPolicy) -> RoutingPolicy:
        with self._lock:
            policy = self._kept.setdefault(key, policy)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return policy


policies = Policies()
"""The policies of this process."""
