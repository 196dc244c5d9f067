"""What the workers of a proxy know of conversations, shared by LiteLLM's Redis.

Redis holds up no request and fails none: where it is not configured, slow or away, each worker goes
by what it knows itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from routellm_core import Asked, Decision, PolicySettings
from routellm_core.policy.conversations import IDLE_S, conversations
from routellm_core.policy.policies import adecide
from routellm_core.policy.prompt_caches import WARM_S, beginnings, prompt_caches

logger = logging.getLogger(__name__)

_WAIT_S = 0.05
"""How long a request waits for Redis."""
_REST_S = 10.0
"""How long Redis is left alone after it did not answer in time."""
_LAST = 64
"""How many beginnings of a conversation are asked for: the longest."""
_MOST_SENT = 100
"""What is told while so much is on its way is dropped."""
_CONVERSATION, _BEGINNING = "routellm:conversation:", "routellm:beginning:"


class SharedConversations:
    """Decides by what all workers know, for ``sticky: conversation`` and ``hold: cache``.

    Args:
        redis: gives LiteLLM's ``RedisCache``; None where there is none.
    """

    def __init__(self, redis: Callable[[], Any]) -> None:
        self._redis = redis
        self._rests_until = 0.0
        self._sent: set[asyncio.Task[None]] = set()

    async def adecide(self, settings: PolicySettings, call: Callable[[], Asked]) -> Decision:
        """As ``policies.adecide``, after asking the other workers, and telling them."""
        is_shared = settings.sticky == "conversation" or settings.hold == "cache"
        redis = self._redis() if is_shared and not self._rests else None
        if redis is None:
            return await adecide(settings, call)
        try:
            asked = call()
        except Exception:
            return await adecide(settings, call)  # which handles it
        await self._learn(redis, asked, settings.owner)
        decision = await adecide(settings, lambda: asked)
        known = _to_tell(asked, settings.owner, decision)
        if known and not self._rests and len(self._sent) < _MOST_SENT:
            task = asyncio.get_running_loop().create_task(self._tell(redis, known))
            self._sent.add(task)
            task.add_done_callback(self._sent.discard)
        return decision

    async def _learn(self, redis: Any, asked: Asked, owner: str) -> None:
        keys = _unknown(asked, owner)
        if not keys:
            return
        try:
            found = await asyncio.wait_for(redis.async_batch_get_cache(keys), _WAIT_S)
            for key, since in found.items():
                if since is not None:
                    _take_down(key, time.time() - float(since))
        except Exception as error:
            self._rest(error)

    async def _tell(self, redis: Any, known: dict[str, float]) -> None:
        try:
            for key, ttl in known.items():
                await redis.async_set_cache(key, time.time(), ttl=ttl)
        except Exception as error:
            self._rest(error)

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self, error: Exception) -> None:
        if not self._rests:
            logger.warning(
                "Redis did not answer about conversations (%s): for %d seconds, each worker uses "
                "only what it knows itself",
                type(error).__name__,
                _REST_S,
            )
        self._rests_until = time.monotonic() + _REST_S


def _unknown(asked: Asked, owner: str) -> list[str]:
    """Return the keys of what others may know of a conversation, and this worker does not."""
    keys = []
    if asked.session and not asked.begins and asked.session not in conversations:
        keys.append(_CONVERSATION + asked.session)
    if asked.parts and not prompt_caches.is_warm(owner, asked.parts):
        keys.extend(_BEGINNING + name for name in beginnings(owner, asked.parts)[-_LAST:])
    return keys


def _take_down(key: str, ago_s: float) -> None:
    kind, _, name = key.rpartition(":")
    if f"{kind}:" == _CONVERSATION:
        conversations.add(name)
    else:
        prompt_caches.learn(name, max(0.0, ago_s))


def _to_tell(asked: Asked, owner: str, decision: Decision) -> dict[str, float]:
    """Return keys of what others may want to know, and for how many seconds it holds."""
    known = {}
    if asked.session and asked.session in conversations:
        known[_CONVERSATION + asked.session] = IDLE_S
    if decision.model == "strong":
        names = beginnings(owner, asked.parts)[-1:]
        known.update((_BEGINNING + name, WARM_S) for name in names)
    return known
