"""From what a call asks to the model it goes to: scoring, rule, time budget, failures."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..decision import Asked, Decision
from ..errors import ScoringTimeoutError
from ..registry.loading import load_router
from ..registry.plugins import plugins
from ..rules.drift import Status
from ..rules.fits import only_able
from ..rules.momentum import deciding_turns, momentum
from .aim import aim_of, price_for
from .conversations import conversations
from .exploration import draw
from .failures import Failures
from .prompt_caches import calls_until_it_pays, prompt_caches
from .route_on import text_to_route_on
from .scoring import Scoring, result
from .watch import Watch

if TYPE_CHECKING:
    from ..settings import PolicySettings

logger = logging.getLogger(__name__)

Call = Asked | str | None | Callable[[], Asked | str | None]
"""What is decided on: a text, what a call asks, or a function that reads that from the call, whose
failure is handled as a failure to score."""


class RoutingPolicy:
    """Decides which model each call goes to, and never makes a call fail.

    If a router raises, exceeds its time limit or returns something other than a win rate, the call
    goes to ``on_error``; the failure is counted in ``errors`` and logged once per kind.

    Args:
        router: name of a router, as in ``load_router``.
        threshold: prompts with at least this strong win rate go to the strong model, in [0, 1].
        strong_share: instead of a threshold, the share of usual traffic for the strong model, in
            [0, 1]. Usual traffic is distributed like the prompts the router was calibrated on.
        saving: instead of a threshold, how much cheaper usual traffic should be than always using
            the strong model, in [0, 1]. Needs prices; assumes that a request's cost does not
            depend on its score.
        max_cost_per_1k_requests: instead of a threshold, the maximum cost of 1,000 usual requests,
            in dollars. Needs prices and ``tokens_per_request``.
        strong_price: dollars per million tokens that the strong model reads and writes, such as
            ``(2.5, 10)``, or its name in LiteLLM's price table.
        weak_price: the same for the weak model.
        tokens_per_request: mean numbers of tokens that a request reads and writes; ``(500, 300)``
            for ``saving`` if left out.
        calibration: instead of a threshold, the path of a file that ``routellm calibrate`` wrote
            for this router, checkpoint and options.
        adapt: whether to move the threshold, within bounds, to keep the intended share
            (``rules.adapt``); a path: also keep the threshold in this file for later processes.
        router_options: options of ``load_router`` for this router.
        on_error: tier of a call whose scoring failed.
        on_no_text: tier of a call without user text.
        timeout_ms: time limit for a score in milliseconds, of a router that is not instant.
        concurrency: number of scoring threads, for a router that is not instant and does not set
            its own.
        turns: how many of the user's last turns are considered. A follow-up ("Yes, do it.") takes
            the score of the turn that it refers to; an independent question is scored by itself.
            1: only the last turn is scored.
        sticky: ``turn`` decides each turn separately; with ``conversation``, a conversation that
            went to the strong model stays there.
        hold: with ``cache``, a conversation stays on the strong model while it is in that
            provider's prompt cache, unless going to the weak model pays (``prompt_caches``).
            Needs prices.
        scored: what adapters score: the user's ``last`` message, ``system+last``, or ``all``.
        ignore: patterns, or names of clients (``patterns.IGNORE``), of text in user messages that
            the user did not write; for adapters.
        extract: patterns, or names of clients (``patterns.EXTRACT``), with a group that holds the
            user's own words; for adapters.
        explore: share of scored calls that go to the other model at random, in [0, 0.5].
        utility: where adapters send calls that serve the application rather than the user, such as
            titles and summaries (``side_calls``); ``score`` scores them like all others.

    Raises:
        ConfigError: a setting is unknown, out of range, or contradicts another.
        CheckpointError: the router's weights are missing or damaged.
    """

    def __init__(self, router: str = "mf", **settings: object) -> None:
        # Importing pydantic takes longer than importing all the rest.
        from ..settings import PolicySettings, validate_settings

        self._begin(validate_settings(PolicySettings, {"router": router, **settings}))

    def _begin(self, settings: PolicySettings) -> None:
        self.settings = settings
        self._failures = Failures()
        self.router = load_router(self.settings.router, **self.settings.router_options)
        """What scores."""
        self.scoring = Scoring(self.router, self.settings)
        """Scores with it, or with the plugins that answer for it, within the time budget."""
        self.aim = aim_of(self.settings, self.router)
        if self.aim.warning and not self.router.is_stand_in:  # of which its server's client tells
            logger.warning("%s: %s", self.settings.subject, self.aim.warning)
        self._pays_after = self._calls_until_weak_pays()
        self._watch = Watch(self.settings, self.aim, self.router)

    @classmethod
    def from_settings(cls, settings: PolicySettings) -> RoutingPolicy:
        """Build a policy from settings that are validated already, or from an adapter's."""
        policy = cls.__new__(cls)
        policy._begin(settings)
        return policy

    @property
    def threshold(self) -> float:
        """Prompts with at least this strong win rate go to the strong model; ``adapt`` moves it."""
        return self._watch.threshold

    @property
    def warning(self) -> str | None:
        """A warning about the threshold, such as that no score reaches it."""
        return self.aim.warning

    @property
    def errors(self) -> Counter[str]:
        """How often scoring failed, by the name of the exception's class."""
        return self._failures.counts

    def status(self) -> Status:
        """Return the recent share of strong calls beside the intended one, and how far traffic is
        from the calibration sample: that of the calibration file or, for ``strong_share``, of the
        checkpoint. Only this process is counted; a follow-up counts with the score that decided.
        """
        return self._watch.status(self.errors)

    def decide(self, call: Call) -> Decision:
        """Decide where a call goes. Never raises.

        Args:
            call: what the call asks, or the text to score (None or blank: ``on_no_text``).
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
                scores.update(self.scoring.batch(missing))
        except Exception as error:
            return self._failed(error, start)
        return self._scored(scores, deciding, asked, start, kept=not missing)

    async def adecide(self, call: Call) -> Decision:
        """Like ``decide``, without blocking the event loop while a slow router scores."""
        if self.scoring.is_instant:
            return self.decide(call)
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
                scores.update(result(await self.scoring.abatch(missing)))
        except Exception as error:
            return self._failed(error, start)
        return self._scored(scores, deciding, asked, start, kept=not missing)

    def decide_many(self, calls: Sequence[Call]) -> list[Decision]:
        """Decide on many calls with a single call of the router. Never raises.

        Args:
            calls: as for ``decide``.

        Returns:
            One decision per call, in the same order; ``elapsed_ms`` is the time of the batch.
        """
        start = time.perf_counter()
        if self.scoring.is_intercepted:
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
        scores: dict[str, float] = {}
        timed_out: ScoringTimeoutError | None = None
        try:
            for asked, deciding in to_score.values():
                scores.update(self._kept(asked, deciding))
            texts = (text for _, deciding in to_score.values() for text in deciding.values())
            missing = _missing(texts, scores)
            if missing:
                scores.update(self.scoring.batch(missing, len(missing)))
        except ScoringTimeoutError as error:
            timed_out = error
        except Exception:
            # One by one, so that a text that cannot be scored does not decide for the others.
            decided.update((at, self.decide(asked)) for at, (asked, _) in to_score.items())
            return [decided[at] for at in range(len(calls))]
        new = set(missing)
        for at, (asked, deciding) in to_score.items():
            kept = new.isdisjoint(deciding.values())
            if timed_out is not None and not kept:
                decided[at] = self._failed(timed_out, start)
            else:
                decided[at] = self._scored(scores, deciding, asked, start, kept=kept)
        return [decided[at] for at in range(len(calls))]

    def scores(self, calls: Sequence[Call]) -> NDArray[np.float64]:
        """Return the scores by which calls would be decided, without notifying observers.

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
            known = self.scoring.batch(texts, len(texts)) if texts else {}
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
                known.update(self.scoring.batch([text]))
            except Exception as error:
                self._failures.note(error, self.settings)
        return known

    async def adecide_many(self, calls: Sequence[Call]) -> list[Decision]:
        """Like ``decide_many``, without blocking the event loop."""
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
        """Return what is scored of the turns that decide, by their positions."""
        if len(asked.turns) == 1:
            positions = [0]
        else:
            positions = deciding_turns(asked.turns, self.settings.turns)
        before = f"{asked.before}\n\n" if asked.before else ""
        return {at: before + asked.turns[at] for at in positions}

    def _kept(self, asked: Asked, deciding: dict[int, str]) -> dict[str, float]:
        """Return the scores that are kept of what decides. An instant router scores the last turn
        anew, which is as quick as looking, and new as a rule.
        """
        before = len(asked.turns) - self.scoring.is_instant
        texts = [text for at, text in deciding.items() if at < before]
        return self.scoring.kept(texts) if texts else {}

    def _scored(
        self,
        scores: dict[str, float],
        deciding: dict[int, str],
        asked: Asked,
        start: float,
        *,
        kept: bool,
    ) -> Decision:
        at, score = momentum(list(deciding), [scores[text] for text in deciding.values()])
        model = "strong" if score >= self.threshold else "weak"
        self._watch.note(score, model == "strong")
        cause = "score" if at == len(asked.turns) - 1 else "momentum"
        if model == "weak" and asked.parts and self._is_held(asked):
            model, cause = "strong", "cache"
        propensity = drawn = None
        if self.settings.explore:
            propensity = 1 - self.settings.explore
            is_other, drawn = draw(self.settings.explore, asked.turns, asked.session)
            if is_other:
                model = "weak" if model == "strong" else "strong"
                cause, propensity = "exploration", self.settings.explore
        if model == "strong":
            if asked.parts:
                prompt_caches.read(self.settings.owner, asked.parts)
            if self.settings.sticky == "conversation" and asked.session:
                conversations.add(asked.session)
        return self._decided(model, score, cause, start, propensity, drawn, kept=kept)

    def _calls_until_weak_pays(self) -> float:
        """Return how many further calls ``hold: cache`` asks for; 0 where it is off."""
        if self.settings.hold == "off":
            return 0.0
        prices = (
            price_for("hold", name, getattr(self.settings, name))
            for name in ("strong_price", "weak_price")
        )
        return calls_until_it_pays(*prices)

    def _is_held(self, asked: Asked) -> bool:
        expected = len(asked.turns)  # as many as there were
        owner = self.settings.owner
        return expected <= self._pays_after and prompt_caches.is_warm(owner, asked.parts)

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
        drawn: str | None = None,
        *,
        kept: bool = False,
    ) -> Decision:
        elapsed_ms = (time.perf_counter() - start) * 1000
        router = self.settings.router
        threshold = None if self.router.is_stand_in else self.threshold
        decision = Decision(
            *(model, score, threshold, router, cause, elapsed_ms),
            propensity=propensity,
            kept=kept,
            draw=drawn,
        )
        plugins.decided(decision)
        return decision


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
    return asked if text is None else asked.about(text)
