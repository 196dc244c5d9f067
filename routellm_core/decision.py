"""From a text to a tier: the policy, its failure handling, and the decision it returns."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from itertools import repeat
from numbers import Real
from typing import TYPE_CHECKING, Literal, TypeVar

from .calibration.share import threshold_for_share
from .errors import ConfigError, ScoringError, ScoringTimeoutError
from .loading import load_router
from .plugins import plugins
from .scoring_threads import scoring_threads

if TYPE_CHECKING:
    from .settings import PolicySettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

Tier = Literal["strong", "weak"]


@dataclass(frozen=True)
class Decision:
    """Where a request goes, and why."""

    tier: Tier
    """``strong`` or ``weak``."""
    score: float | None
    """Strong win rate in [0, 1]; None if nothing was scored."""
    threshold: float
    """Least score that goes to the strong model, in [0, 1]."""
    router: str
    """Name of the router."""
    cause: str
    """``score``, ``no_text``, ``error:<Type>``, or what an adapter decided by."""
    elapsed_ms: float
    """Time taken to decide, in milliseconds."""

    def as_metadata(self) -> dict[str, str | float | None]:
        """Return the decision as flat scalars, for headers, logs and traces."""
        return {
            "tier": self.tier,
            "score": self.score,
            "threshold": self.threshold,
            "router": self.router,
            "cause": self.cause,
            "elapsed_ms": self.elapsed_ms,
        }


class RoutingPolicy:
    """Turns texts into decisions and never fails a request.

    A scorer that raises, exceeds its time budget or returns something that is no win rate sends
    the request to ``on_error``; that is counted in ``errors`` and logged once per kind.

    Args:
        router: name of a router, as in ``load_router``.
        threshold: least strong win rate that goes to the strong model, in [0, 1].
        strong_share: instead of a threshold, the share of usual traffic that is to go to the
            strong model, in [0, 1]. Usual means distributed like the prompts the router was
            calibrated on.
        router_options: what ``load_router`` takes for that router.
        on_error: tier of a request whose scoring failed.
        on_no_text: tier of a request without human text.
        timeout_ms: time budget in milliseconds of a router that is not instant.

    Raises:
        ConfigError: a setting is unknown, out of range, or contradicts another.
        CheckpointError: the router's weights are missing or damaged.
    """

    def __init__(self, router: str = "mf", **settings: object) -> None:
        # Importing pydantic takes longer than importing all the rest.
        from .settings import PolicySettings, validate_settings

        self._setup(validate_settings(PolicySettings, {"router": router, **settings}))

    @classmethod
    def from_settings(cls, settings: PolicySettings) -> RoutingPolicy:
        """Build a policy from settings that are validated already."""
        policy = cls.__new__(cls)
        policy._setup(settings)
        return policy

    def _setup(self, settings: PolicySettings) -> None:
        self.settings = settings
        self.errors: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._router = load_router(settings.router, **settings.router_options)
        self.threshold = self._resolve_threshold()

    def decide(self, text: str | None) -> Decision:
        """Decide where ``text`` goes. Never raises.

        Args:
            text: the human's words (see ``scored_text``); None or blank: ``on_no_text``.
        """
        start = time.perf_counter()
        if text is None or not text.strip():
            return self._decided(self.settings.on_no_text, None, "no_text", start)
        try:
            if self._instant:
                score = self._score(text)
            else:
                score = self._within_budget(lambda: self._score(text), self._budget_s)
        except Exception as error:
            return self._failed(error, start)
        return self._scored(score, start)

    def decide_many(self, texts: Sequence[str | None]) -> list[Decision]:
        """Decide for many texts with a single call of the router. Never raises.

        Args:
            texts: as ``decide`` takes them, one by one.

        Returns:
            A decision for each, in their order; ``elapsed_ms`` is the time of all together.
        """
        start = time.perf_counter()
        scored = [text for text in texts if text is not None and text.strip()]
        if len(scored) < 2 or plugins.intercepts_scores():
            return [self.decide(text) for text in texts]
        outcomes: Iterator[float | Exception]
        try:
            if self._instant:
                outcomes = iter(self._score_many(scored))
            else:
                budget_s = self._budget_s * len(scored)
                outcomes = iter(self._within_budget(lambda: self._score_many(scored), budget_s))
        except ScoringTimeoutError as error:
            outcomes = repeat(error)
        except Exception:
            # One by one, so that a text that cannot be scored does not decide for the others.
            return [self.decide(text) for text in texts]
        return [
            self._scored(next(outcomes), start)
            if text is not None and text.strip()
            else self._decided(self.settings.on_no_text, None, "no_text", start)
            for text in texts
        ]

    async def adecide(self, text: str | None) -> Decision:
        """Like ``decide``, without holding up the event loop while a slow router scores."""
        if self._instant or text is None or not text.strip():
            return self.decide(text)
        import asyncio

        start = time.perf_counter()
        try:
            future = scoring_threads.submit(lambda: self._score(text))
            try:
                outcome = await asyncio.wait_for(asyncio.wrap_future(future), self._budget_s)
            except asyncio.TimeoutError:
                raise self._timeout() from None
            finally:
                scoring_threads.abandon(future)
        except Exception as error:
            return self._failed(error, start)
        return self._scored(outcome, start)

    async def adecide_many(self, texts: Sequence[str | None]) -> list[Decision]:
        """Like ``decide_many``, without holding up the event loop."""
        import asyncio

        return await asyncio.to_thread(self.decide_many, texts)

    def settle(self, tier: Tier, cause: str) -> Decision:
        """Return the decision for a tier that was settled without a score; observers hear of it.

        Args:
            tier: where the request goes.
            cause: what settled it, such as ``conversation``.
        """
        return self._decided(tier, None, cause, time.perf_counter())

    def _within_budget(self, work: Callable[[], T], budget_s: float) -> T:
        future = scoring_threads.submit(work)
        try:
            outcome = future.result(budget_s)
        except FutureTimeoutError:
            raise self._timeout() from None
        finally:
            scoring_threads.abandon(future)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _timeout(self) -> ScoringTimeoutError:
        return ScoringTimeoutError(f"no score within {self.settings.timeout_ms:g} ms")

    def _score(self, text: str) -> float:
        return checked_win_rate(
            _answered(lambda: plugins.score(self._router, self.settings.router, text))
        )

    def _score_many(self, texts: list[str]) -> list[float]:
        answers = _answered(lambda: self._router.score(texts))
        if len(answers) != len(texts):
            raise ScoringError(f"{len(answers)} scores were given for {len(texts)} texts")
        return [checked_win_rate(answer) for answer in answers]

    @property
    def _instant(self) -> bool:
        return self._router.instant and not plugins.intercepts_scores()

    @property
    def _budget_s(self) -> float:
        return self.settings.timeout_ms / 1000

    def _resolve_threshold(self) -> float:
        if self.settings.threshold is not None:
            return self.settings.threshold
        if self.settings.strong_share is None:
            raise ConfigError(
                "neither 'strong_share' nor 'threshold' is set: write strong_share: 0.3 to send "
                "about 30 % of usual traffic to the strong model"
            )
        quantiles = self._router.score_quantiles
        if quantiles is None:
            raise ConfigError(
                f"router '{self.settings.router}' was never calibrated, so 'strong_share' cannot "
                "be turned into a threshold: set 'threshold' instead"
            )
        return threshold_for_share(quantiles, self.settings.strong_share)

    def _scored(self, outcome: float | Exception, start: float) -> Decision:
        if isinstance(outcome, Exception):
            return self._failed(outcome, start)
        tier: Tier = "strong" if outcome >= self.threshold else "weak"
        return self._decided(tier, outcome, "score", start)

    def _failed(self, error: Exception, start: float) -> Decision:
        kind = type(error).__name__
        with self._counting:
            self.errors[kind] += 1
            first = self.errors[kind] == 1
        if first:
            logger.error(
                "router '%s' failed (%s: %s): such requests go to the %s model; "
                "further failures of this kind are counted, not logged",
                self.settings.router,
                kind,
                error,
                self.settings.on_error,
                exc_info=error,
            )
        return self._decided(self.settings.on_error, None, f"error:{kind}", start)

    def _decided(self, tier: Tier, score: float | None, cause: str, start: float) -> Decision:
        elapsed_ms = (time.perf_counter() - start) * 1000
        decision = Decision(tier, score, self.threshold, self.settings.router, cause, elapsed_ms)
        plugins.decided(decision)
        return decision


def _answered(score: Callable[[], T]) -> T:
    try:
        return score()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit or the like must not end the gateway
        raise ScoringError(f"the scorer raised {type(error).__name__}") from error


def checked_win_rate(answer: object) -> float:
    """Return what a scorer answered as a float.

    Raises:
        ScoringError: it is no number in [0, 1].
    """
    if not isinstance(answer, Real) or not 0.0 <= float(answer) <= 1.0:
        raise ScoringError(f"the score must be a number in [0, 1], got {repr(answer)[:80]}")
    return float(answer)
