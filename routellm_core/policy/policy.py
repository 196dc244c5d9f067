"""The one way from what a call asks to the model it goes to: scoring, rule, budget, failure."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..decision import Asked, Decision
from ..errors import ConfigError, ScoringError, ScoringTimeoutError
from ..registry.loading import load_router
from ..registry.plugins import plugins
from ..rules.calibration import Calibration, read_calibration
from ..rules.drift import Status
from ..rules.fits import only_able
from ..rules.momentum import deciding_turns, momentum
from ..rules.share import outside_range, threshold_for_share
from .conversations import conversations
from .executor import executor_of
from .exploration import is_explored
from .failures import Failures
from .route_on import text_to_route_on
from .score_cache import score_cache
from .watch import Watch

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

Call = Asked | str | None | Callable[[], Asked | str | None]
"""What is decided on: a text, what a call asks, or a function that reads that from the call, whose
failure is handled as a failure to score."""


class RoutingPolicy:
    """Turns what calls ask into decisions and never fails a call.

    A scorer that raises, exceeds its time budget or returns something that is no win rate sends
    the call to ``on_error``; that is counted in ``errors`` and logged once per kind.

    Args:
        router: name of a router, as in ``load_router``.
        threshold: least strong win rate that goes to the strong model, in [0, 1].
        strong_share: instead of a threshold, the share of usual traffic that is to go to the
            strong model, in [0, 1]. Usual means distributed like the prompts the router was
            calibrated on.
        calibration: instead of a threshold, the path of a file of ``routellm calibrate`` that
            holds it, made for the scores of this very router.
        router_options: what ``load_router`` takes for that router.
        on_error: tier of a call whose scoring failed.
        on_no_text: tier of a call without human text.
        timeout_ms: time budget in milliseconds of a router that is not instant.
        concurrency: how many threads score, for a router that is not instant and names no number
            of its own.
        turns: how many of the human's last turns may decide. A follow-up ("Yes, do it.") inherits
            from the turn that it is about; a question of its own is judged by itself. 1: only
            the last turn decides.
        sticky: ``turn`` decides on each text of the human; with ``conversation``, one that went to
            the strong model stays there.
        utility: where adapters send what serves the application and no human, such as titles and
            summaries (``side_calls``); ``score`` judges such calls like all others.

    Raises:
        ConfigError: a setting is unknown, out of range, or contradicts another.
        CheckpointError: the router's weights are missing or damaged.
    """

    def __init__(self, router: str = "mf", **settings: object) -> None:
        # Importing pydantic takes longer than importing all the rest.
        from ..settings import PolicySettings, validate_settings

        self.settings = validate_settings(PolicySettings, {"router": router, **settings})
        self._failures = Failures()
        self._router = load_router(self.settings.router, **self.settings.router_options)
        self._budget_s = self.settings.timeout_ms / 1000
        self.calibration = self._read_calibration()
        self.threshold, self.warning = self._resolve_threshold()
        if self.warning:
            logger.warning("router '%s': %s", self.settings.router, self.warning)
        self._watch = Watch(self.settings, self.threshold, self.calibration, self._router)

    @classmethod
    def from_settings(cls, settings: PolicySettings) -> RoutingPolicy:
        """Build a policy from settings that are validated already, or from an adapter's."""
        from ..settings import PolicySettings

        return cls(**{name: getattr(settings, name) for name in PolicySettings.model_fields})

    @property
    def errors(self) -> Counter[str]:
        """How often scoring failed, by the name of the exception's class."""
        return self._failures.counts

    def status(self) -> Status:
        """Return what went where of late beside what was meant, and how far traffic is from the
        calibration sample: that of the calibration file or, for ``strong_share``, of the
        checkpoint. Of this process alone; a follow-up counts with the score that decided.
        """
        return self._watch.status(self.errors)

    def decide(self, call: Call) -> Decision:
        """Decide where a call goes. Never raises.

        Args:
            call: what it asks, or the text to score (None or blank: ``on_no_text``).
        """
        start = time.perf_counter()
        try:
            asked = _read(call)
            chosen = self._without_score(asked, start)
            if chosen is not None:
                return chosen
            deciding = self._deciding(asked)
            scores = self._kept(asked, deciding)
            missing = _missing(deciding.values(), scores)
            if missing:
                scores.update(self._score_batch(missing, self._budget_s))
        except Exception as error:
            return self._failed(error, start)
        return self._scored(scores, deciding, asked, start)

    async def adecide(self, call: Call) -> Decision:
        """Like ``decide``, without holding up the event loop while a slow router scores."""
        if self._instant:
            return self.decide(call)
        import asyncio

        start = time.perf_counter()
        try:
            asked = _read(call)
            chosen = self._without_score(asked, start)
            if chosen is not None:
                return chosen
            deciding = self._deciding(asked)
            scores = self._kept(asked, deciding)
            missing = _missing(deciding.values(), scores)
            if missing:
                executor = executor_of(self._router, self.settings.concurrency)
                future = executor.submit(lambda: self._scores(missing))
                try:
                    outcome = await asyncio.wait_for(asyncio.wrap_future(future), self._budget_s)
                except asyncio.TimeoutError:
                    raise self._timeout() from None
                finally:
                    executor.abandon(future)
                scores.update(_result(outcome))
        except Exception as error:
            return self._failed(error, start)
        return self._scored(scores, deciding, asked, start)

    def decide_many(self, calls: Sequence[Call]) -> list[Decision]:
        """Decide on many calls with a single call of the router. Never raises.

        Args:
            calls: as ``decide`` takes them, one by one.

        Returns:
            A decision for each, in their order; ``elapsed_ms`` is the time of all together.
        """
        start = time.perf_counter()
        if plugins.intercepts_scores(self.settings.router):
            return [self.decide(call) for call in calls]
        decided: dict[int, Decision] = {}
        to_score: dict[int, tuple[Asked, dict[int, str]]] = {}
        for at, call in enumerate(calls):
            try:
                asked = _read(call)
                chosen = self._without_score(asked, start)
                deciding = {} if chosen else self._deciding(asked)
            except Exception as error:
                chosen = self._failed(error, start)
            if chosen is None:
                to_score[at] = asked, deciding
            else:
                decided[at] = chosen
        if len(to_score) < 2:
            decided.update((at, self.decide(asked)) for at, (asked, _) in to_score.items())
            return [decided[at] for at in range(len(calls))]
        try:
            scores: dict[str, float] = {}
            for asked, deciding in to_score.values():
                scores.update(self._kept(asked, deciding))
            texts = (text for _, deciding in to_score.values() for text in deciding.values())
            missing = _missing(texts, scores)
            if missing:
                scores.update(self._score_batch(missing, self._budget_s * len(missing)))
        except ScoringTimeoutError as error:
            decided.update((at, self._failed(error, start)) for at in to_score)
        except Exception:
            # One by one, so that a text that cannot be scored does not decide for the others.
            decided.update((at, self.decide(asked)) for at, (asked, _) in to_score.items())
        else:
            for at, (asked, deciding) in to_score.items():
                decided[at] = self._scored(scores, deciding, asked, start)
        return [decided[at] for at in range(len(calls))]

    def scores(self, calls: Sequence[Call]) -> NDArray[np.float64]:
        """Return the scores by which calls would be decided, of which no observer is told.

        Args:
            calls: as ``decide`` takes them.

        Returns:
            Shape (n,), each in [0, 1]; NaN for a call without text, or one whose scoring failed,
            which is counted in ``errors``.
        """
        scores = np.full(len(calls), np.nan)
        deciding: dict[int, tuple[Asked, dict[int, str]]] = {}
        for at, call in enumerate(calls):
            try:
                asked = _read(call)
                if asked.turns and asked.turns[-1].strip():
                    deciding[at] = asked, self._deciding(asked)
            except Exception as error:
                self._failures.note(error, self.settings)
        texts = _missing((text for _, each in deciding.values() for text in each.values()), {})
        try:
            known = self._score_batch(texts, self._budget_s * len(texts)) if texts else {}
        except Exception:
            known = self._scored_alone(texts)
        for at, (_, each) in deciding.items():
            if known.keys() >= set(each.values()):
                _, scores[at] = momentum(list(each), [known[text] for text in each.values()])
        return scores

    def _scored_alone(self, texts: Iterable[str]) -> dict[str, float]:
        """Score one by one, so that a text that cannot be scored spoils no other."""
        known: dict[str, float] = {}
        for text in texts:
            try:
                known.update(self._score_batch([text], self._budget_s))
            except Exception as error:
                self._failures.note(error, self.settings)
        return known

    async def adecide_many(self, calls: Sequence[Call]) -> list[Decision]:
        """Like ``decide_many``, without holding up the event loop."""
        import asyncio

        return await asyncio.to_thread(self.decide_many, calls)

    def _without_score(self, asked: Asked, start: float) -> Decision | None:
        """Return the decision on a call that needs no score."""
        able = only_able(asked.lacking)
        if able is not None:
            return self._decided(able[0], None, able[1], start)
        if asked.settled is not None:
            return self._decided(asked.settled, None, asked.cause or "settled", start)
        goes_on = self.settings.sticky == "conversation" and not asked.begins
        if goes_on and asked.session is not None and asked.session in conversations:
            return self._decided("strong", None, "conversation", start)
        if not asked.turns or not asked.turns[-1].strip():
            tier = asked.without_text or self.settings.on_no_text
            cause = asked.cause if asked.without_text and asked.cause else "no_text"
            return self._decided(tier, None, cause, start)
        return None

    def _deciding(self, asked: Asked) -> dict[int, str]:
        """Return the turns that decide, by their positions."""
        if len(asked.turns) == 1:
            return {0: asked.turns[0]}
        positions = deciding_turns(asked.turns, self.settings.turns)
        return {at: asked.turns[at] for at in positions}

    def _kept(self, asked: Asked, deciding: dict[int, str]) -> dict[str, float]:
        """Return the scores that are kept of earlier turns. The last turn is always scored, as
        what is asked now is new as a rule.
        """
        earlier = [text for text in deciding.values() if text != asked.turns[-1]]
        if not earlier or plugins.intercepts_scores(self.settings.router):
            return {}
        return score_cache.known(self._router, earlier)

    def _score_batch(self, texts: list[str], budget_s: float) -> dict[str, float]:
        if self._instant:
            return self._scores(texts)
        return self._within_budget(lambda: self._scores(texts), budget_s)

    def _within_budget(self, work: Callable[[], T], budget_s: float) -> T:
        executor = executor_of(self._router, self.settings.concurrency)
        future = executor.submit(work)
        try:
            outcome = future.result(budget_s)
        except FutureTimeoutError:
            raise self._timeout() from None
        finally:
            executor.abandon(future)
        return _result(outcome)

    def _timeout(self) -> ScoringTimeoutError:
        return ScoringTimeoutError(f"no score within {self.settings.timeout_ms:g} ms")

    def _scores(self, texts: list[str]) -> dict[str, float]:
        """Score texts with one call of the router, or, where plugins do, one by one."""
        if plugins.intercepts_scores(self.settings.router):
            return {text: self._intercepted(text) for text in texts}
        answers = _answered(lambda: self._router.score(texts))
        if len(answers) != len(texts):
            raise ScoringError(f"{len(answers)} scores were given for {len(texts)} texts")
        scores = dict(zip(texts, map(checked_win_rate, answers), strict=True))
        score_cache.keep(self._router, scores)
        return scores

    def _intercepted(self, text: str) -> float:
        name = self.settings.router
        return checked_win_rate(_answered(lambda: plugins.score(self._router, name, text)))

    @property
    def _instant(self) -> bool:
        return self._router.instant and not plugins.intercepts_scores(self.settings.router)

    def _read_calibration(self) -> Calibration | None:
        path = self.settings.calibration
        if path is None:
            return None
        calibration = read_calibration(path)
        calibration.check(path, self.settings.router, self._router.fingerprint)
        return calibration

    def _resolve_threshold(self) -> tuple[float, str | None]:
        """Return the threshold, and what to warn of."""
        if self.calibration is not None:
            return self.calibration.threshold, None
        settings, quantiles = self.settings, self._router.score_quantiles
        if settings.threshold is not None:
            warning = None if quantiles is None else outside_range(settings.threshold, quantiles)
            return settings.threshold, warning
        if settings.strong_share is None:
            raise ConfigError(
                "neither 'strong_share' nor 'threshold' is set: write strong_share: 0.3 to send "
                "about 30 % of usual traffic to the strong model"
            )
        if quantiles is None:
            raise ConfigError(
                f"router '{settings.router}' was never calibrated, so 'strong_share' cannot "
                "be turned into a threshold: set 'threshold' instead"
            )
        return threshold_for_share(quantiles, settings.strong_share), None

    def _scored(
        self, scores: dict[str, float], deciding: dict[int, str], asked: Asked, start: float
    ) -> Decision:
        at, score = momentum(list(deciding), [scores[text] for text in deciding.values()])
        model = "strong" if score >= self.threshold else "weak"
        self._watch.note(score, model == "strong")
        cause = "score" if at == len(asked.turns) - 1 else "momentum"
        propensity = None
        if self.settings.explore:
            propensity = 1 - self.settings.explore
            if is_explored(self.settings.explore, asked.turns, asked.session):
                model = "weak" if model == "strong" else "strong"
                cause, propensity = "exploration", self.settings.explore
        if model == "strong" and self.settings.sticky == "conversation" and asked.session:
            conversations.add(asked.session)
        return self._decided(model, score, cause, start, propensity)

    def _failed(self, error: Exception, start: float) -> Decision:
        cause = self._failures.note(error, self.settings)
        return self._decided(self.settings.on_error, None, cause, start)

    def _decided(
        self,
        model: str,
        score: float | None,
        cause: str,
        start: float,
        propensity: float | None = None,
    ) -> Decision:
        elapsed_ms = (time.perf_counter() - start) * 1000
        router = self.settings.router
        decision = Decision(
            model, score, self.threshold, router, cause, elapsed_ms, propensity=propensity
        )
        plugins.decided(decision)
        return decision


def checked_win_rate(answer: object) -> float:
    """Return what a scorer answered as a float.

    Raises:
        ScoringError: it is no number in [0, 1].
    """
    if not isinstance(answer, Real) or not 0.0 <= float(answer) <= 1.0:
        raise ScoringError(f"the score must be a number in [0, 1], got {repr(answer)[:80]}")
    return float(answer)


def _missing(texts: Iterable[str], scores: dict[str, float]) -> list[str]:
    """Return the texts without a score, each once."""
    return [text for text in dict.fromkeys(texts) if text not in scores]


def _read(call: Call) -> Asked:
    """Return what a call asks, or what ``route_on`` around it says.

    Raises:
        TypeError: it is none of the kinds that ``decide`` takes.
    """
    asked = call() if callable(call) else call
    if asked is None or isinstance(asked, str):
        asked = Asked((asked,) if asked else ())
    if not isinstance(asked, Asked):
        raise TypeError(f"a call to decide on is an Asked or a text, not {type(asked).__name__}")
    text = text_to_route_on()
    return asked if text is None else replace(asked, turns=(text,))


def _result(outcome: T | Exception) -> T:
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
