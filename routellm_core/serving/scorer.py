"""Scores and decisions for many requests at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..decision import Asked, Decision
from ..errors import ScoringTimeoutError
from ..policy.policies import apolicy_of
from ..policy.policy import RoutingPolicy
from .batcher import Batcher
from .metrics import ServerMetrics

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

Scores = dict[str, float]


@dataclass(frozen=True)
class Limits:
    """What a server takes."""

    max_bytes: int = 16 * 2**20
    """Most bytes of the body of a request."""
    max_prompts: int = 256
    """Most prompts of a request."""
    max_batch: int = 32
    """Most prompts, of several requests, that are scored by one call of the router."""
    max_waiting: int = 1024
    """Most prompts that wait; a request for more is refused."""


class Scorer:
    """Scores and decides by the policy of some settings, made anew when its checkpoint changes.

    What waits is scored together (``Batcher``). A text that cannot be scored fails the request that
    it is in, and no other.

    Args:
        settings: of the policy. A text is scored within ``timeout_ms``, and waits as long at most.
        limits: what may wait, and be scored together.
    """

    def __init__(self, settings: PolicySettings, limits: Limits) -> None:
        self._settings = settings
        wait_s = settings.timeout_ms / 1000
        most, waiting = limits.max_batch, limits.max_waiting
        self._scores: Batcher[RoutingPolicy, list[str], Scores] = Batcher(
            self._score, most=most, waiting=waiting, wait_s=wait_s
        )
        self._decisions: Batcher[RoutingPolicy, Asked, Decision] = Batcher(
            _decide, most=most, waiting=waiting, wait_s=wait_s
        )
        self.metrics = ServerMetrics(lambda: self._scores.waiting + self._decisions.waiting)
        self._scores.noted = self._decisions.noted = self.metrics.batch
        self._logged: set[str] = set()

    async def policy(self) -> RoutingPolicy:
        """Return the policy to score by now.

        Raises:
            RouteLLMError: its router cannot be loaded.
        """
        return await apolicy_of(self._settings)

    async def scores(self, prompts: Sequence[str]) -> tuple[list[float], str | None]:
        """Return the strong win rate of each prompt, and the fingerprint of what gave it.

        Raises:
            BusyError: too much waits.
            Exception: whatever a scorer raises.
        """
        policy = await self.policy()
        known = policy.scoring.kept(prompts)
        missing = [text for text in dict.fromkeys(prompts) if text not in known]
        self.metrics.prompts(len(prompts), len(prompts) - len(missing))
        if missing:
            threads = self._threads(policy)
            known |= await self._scores.done(policy, missing, len(missing), threads)
        return [known[prompt] for prompt in prompts], policy.router.fingerprint

    async def decision(self, asked: Asked) -> Decision:
        """Return where a call goes.

        Raises:
            BusyError: too much waits.
        """
        policy = await self.policy()
        decision = await self._decisions.done(policy, asked, 1, self._threads(policy))
        cause, _, kind = decision.cause.partition(":")
        if cause == "error":
            self.metrics.failed(kind)
        return decision

    def close(self) -> None:
        """End all threads, once their work is done."""
        self._scores.close()
        self._decisions.close()

    def _threads(self, policy: RoutingPolicy) -> int:
        if policy.scoring.is_instant:  # and so holds Python's lock
            return 1
        return policy.router.concurrency or self._settings.concurrency

    def _score(self, policy: RoutingPolicy, batch: list[list[str]]) -> list[Scores | Exception]:
        texts = list(dict.fromkeys(text for each in batch for text in each))
        try:
            known = policy.scoring.batch(texts, len(texts))
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, ScoringTimeoutError):
                return [self._score(policy, [each])[0] for each in batch]
            self._note(error)
            return [error] * len(batch)
        return [{text: known[text] for text in each} for each in batch]

    def _note(self, error: Exception) -> None:
        kind = type(error).__name__
        self.metrics.failed(kind)
        if kind not in self._logged:
            self._logged.add(kind)
            logger.error(
                "router '%s' failed (%s): further failures of this kind are counted, not logged",
                *(self._settings.router, kind),
                exc_info=error,
            )


def _decide(policy: RoutingPolicy, batch: list[Asked]) -> list[Decision | Exception]:
    return [*policy.decide_many(batch)]
