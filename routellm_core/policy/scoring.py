"""Score texts with a router, or with the plugins that answer for it, within a time budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..contracts import Router
from ..errors import ScoringError, ScoringTimeoutError
from ..registry.plugins import plugins
from .executor import executor_of
from .score_cache import scores_of

if TYPE_CHECKING:
    from ..settings import PolicySettings

T = TypeVar("T")

_FEW = 16
"""Scores that are checked one by one, which is faster than by numpy."""

_KEPT = 256
"""The scores of a larger batch are not kept: it is no traffic, and would push out what is."""


class Scoring:
    """Scores for a policy.

    Args:
        router: scores.
        settings: ``timeout_ms`` is the time budget of a text, if the router is not instant.
    """

    def __init__(self, router: Router, settings: PolicySettings) -> None:
        self._router = router
        self._kept = scores_of(router)
        self._settings = settings
        self._budget_s = settings.timeout_ms / 1000

    @property
    def is_intercepted(self) -> bool:
        """Whether plugins answer for the router."""
        return plugins.intercepts_scores(self._settings.router)

    @property
    def is_instant(self) -> bool:
        """Whether a text is scored on the calling thread."""
        return self._router.instant and not self.is_intercepted

    def kept(self, texts: Iterable[str]) -> dict[str, float]:
        """Return the cached scores of texts, by text."""
        return {} if self.is_intercepted else self._kept.known(texts)

    def batch(self, texts: list[str], budgets: int = 1) -> dict[str, float]:
        """Return the scores of texts, by text.

        Args:
            texts: all different.
            budgets: how many time budgets they may take.

        Raises:
            ScoringTimeoutError: they took longer.
            Exception: whatever a scorer raises.
        """
        if self.is_instant:
            return self._scores(texts)
        executor = executor_of(self._router, self._settings.concurrency)
        budget_s = self._budget_s * budgets
        deadline = time.monotonic() + budget_s
        future = executor.submit(lambda: self._scores(texts))
        try:
            outcome = future.result(budget_s)
        except FutureTimeoutError:
            raise self._timeout() from None
        finally:
            executor.abandon(future, deadline)
        return result(outcome)

    async def abatch(self, texts: list[str]) -> dict[str, float] | Exception:
        """Like ``batch`` within one budget, for a router that is not instant, without holding up
        the event loop.

        Returns:
            The scores, or what the scorer raised, for ``result``: raised here, a StopIteration
            would become another error.
        """
        import asyncio

        executor = executor_of(self._router, self._settings.concurrency)
        deadline = time.monotonic() + self._budget_s
        future = executor.submit(lambda: self._scores(texts))
        try:
            outcome = await asyncio.wait_for(asyncio.wrap_future(future), self._budget_s)
        except asyncio.TimeoutError:
            raise self._timeout() from None
        finally:
            executor.abandon(future, deadline)
        return outcome

    def _timeout(self) -> ScoringTimeoutError:
        return ScoringTimeoutError(f"no score within {self._settings.timeout_ms:g} ms")

    def _scores(self, texts: list[str]) -> dict[str, float]:
        """Score texts with one call of the router, or, where plugins do, one by one."""
        if self.is_intercepted:
            return {text: self._intercepted(text) for text in texts}
        # An instant router is about as quick as looking.
        known = {} if self._router.instant else self._kept.known(texts)
        new = [text for text in texts if text not in known] if known else texts
        if not new:
            return known
        answers = _answered(lambda: self._router.score(new))
        if len(answers) != len(new):
            raise ScoringError(f"{len(answers)} scores were given for {len(new)} texts")
        scores = dict(zip(new, _checked(answers), strict=True))
        if len(scores) <= _KEPT:
            self._kept.keep(scores)
        return {**known, **scores}

    def _intercepted(self, text: str) -> float:
        name = self._settings.router
        return checked_win_rate(_answered(lambda: plugins.score(self._router, name, text)))


def _checked(answers: Sequence[object] | NDArray[np.float64]) -> list[float]:
    if isinstance(answers, np.ndarray) and answers.dtype == np.float64:
        values: list[float] = answers.tolist()
        if len(values) < _FEW:
            sound = all(0.0 <= value <= 1.0 for value in values)
        else:
            sound = bool(((answers >= 0.0) & (answers <= 1.0)).all())
        if sound:
            return values
    return [checked_win_rate(answer) for answer in answers]


def checked_win_rate(answer: object) -> float:
    """Return a scorer's answer as a float.

    Raises:
        ScoringError: it is no number in [0, 1].
    """
    if not isinstance(answer, Real) or not 0.0 <= float(answer) <= 1.0:
        raise ScoringError(f"the score must be a number in [0, 1], got {repr(answer)[:80]}")
    return float(answer)


def result(outcome: T | Exception) -> T:
    """Return the result of some work, or raise its error."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _answered(score: Callable[[], T]) -> T:
    try:
        return score()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit or the like must not end the gateway
        raise ScoringError(f"the scorer raised {type(error).__name__}") from error
