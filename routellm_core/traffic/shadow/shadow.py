"""Keep what is decided, and call the other model for a sample of it."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...breaker import Breaker
from ...decision import Tier
from ...errors import ServerAwayError
from ..store.keeping import Keeping, place_of, redact_of
from ..store.kept import About, Answer, Request
from ..store.writer import Writer, writer_of
from .calls import Calls, Job, OverdueError
from .settings import ShadowSettings

logger = logging.getLogger(__name__)

_MOST_BYTES = 64 << 20
"""What sampled requests that wait may hold together, in each process and for each route."""

_FAILURES = 5
"""Calls of a model in a row that fail before it is let alone."""

_PAUSE_S = 30.0
"""Between two calls of a model that is let alone."""

_REFUSALS = frozenset((400, 413, 422))
"""Status codes of a model that answers, and does not take a request."""

OTHER: Mapping[Tier, Tier] = {"strong": "weak", "weak": "strong"}
"""The tier that did not answer."""


@dataclass(frozen=True)
class OtherCall:
    """The call of the model that did not answer."""

    tier: Tier
    model: str | None
    make: Callable[[], Answer]
    """Makes it, and returns the answer with what it cost. Raises whatever the model raises."""
    size: int
    """Bytes of the request that it holds."""
    estimate_usd: float | None
    """What it may cost, for a call whose end is not seen; None: its price is not known, so that
    it is not made."""
    told: Callable[[Answer], None] | None = None
    """Called once, on any thread, with what is kept of the call, made or not; must not raise."""


class Shadow:
    """Shadow mode of one route. Its methods neither wait nor raise.

    Args:
        route: name of the alias, group or application, by which the store knows it.
        settings: as the user wrote them.

    Raises:
        ConfigError: ``redact`` names no function.
    """

    def __init__(self, route: str, settings: ShadowSettings) -> None:
        self.route = route
        self.settings = settings
        redact = settings.redact
        self._keeping = Keeping(
            settings.texts, redact_of(redact) if isinstance(redact, str) else redact, route
        )
        self._writer: Writer = writer_of(settings.store, settings.keep_days)
        self._calls = Calls(
            settings.concurrency,
            settings.per_minute,
            settings.timeout_s,
            settings.waiting,
            _MOST_BYTES,
        )
        self._breakers: dict[Tier, Breaker] = {
            tier: Breaker(
                f"shadow mode of '{route}': the {tier} model",
                _PAUSE_S,
                after=_FAILURES,
                meanwhile="requests that are drawn for it are kept without its answer, as 'paused'",
            )
            for tier in OTHER
        }
        self._begin_money()
        self._said: set[str] = set()
        self._random = random.Random()

    # Models of the frameworks are copied and pickled, and their shadow mode stays one.

    def __deepcopy__(self, memo: object) -> Shadow:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return shadow_of, (self.route, self.settings)

    def describe(self, about: About) -> None:
        """Write what is known of the route, for the report; on a thread of its own."""

        def write() -> None:
            try:
                self._writer.store.describe(self.route, about)
            except Exception as error:
                logger.error(
                    "models and prices of '%s' were not written to the store: %s", self.route, error
                )

        threading.Thread(target=write, name="routellm-describe", daemon=True).start()

    def draws(self, propensity: float) -> bool:
        """Return whether a request is sampled that is so with a given probability."""
        return self._random.random() < propensity

    def keep(self, request: Request, served: Answer, other: OtherCall | None = None) -> None:
        """Keep a request and its answer, and call the other model if it is sampled.

        Args:
            request: the request. Its texts are kept if it is ``sampled``.
            served: what the user got; its text likewise.
            other: of a sampled request, the call of the other model.
        """
        try:
            if not request.sampled:
                other = None
                if request.prompt is not None or request.messages:
                    request = replace(request, prompt=None, messages=())
                if served.text is not None:
                    served = replace(served, text=None)
            self._put(request)
            self._put((request.request_id, served))
            if other is not None:
                self._call(request, other)
        except Exception as error:
            self._say(type(error).__name__, f"a request was not kept ({place_of(error)})")

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait for calls and for the store; returns whether all is written."""
        return self._calls.idle(timeout_s) and self._writer.flush(timeout_s)

    def _begin_money(self) -> None:
        self._uncharged = 0.0
        """Dollars that the store could not be told of."""
        self._reserved = 0.0
        """Dollars that the calls in flight may cost."""
        self._money = threading.Lock()

    def _put(self, kept: Any) -> None:
        self._writer.put(self.route, kept, self._keeping)

    def _call(self, request: Request, other: OtherCall) -> None:
        nothing = Answer(other.tier, other.model, shadow=True)
        breaker, began = self._breakers[other.tier], 0.0

        def end(answer: Answer) -> None:
            self._put((request.request_id, answer))
            if other.told is not None:
                other.told(answer)

        def settle(outcome: Answer | BaseException) -> None:
            if isinstance(outcome, Answer):
                if outcome.error is None:
                    breaker.succeeded()
                answer = replace(outcome, shadow=True)
            else:
                why = _why(outcome)
                if getattr(outcome, "status_code", None) in _REFUSALS:
                    breaker.succeeded()
                else:
                    breaker.failed(why, began)
                if isinstance(outcome, OverdueError):  # the provider may charge for it all the same
                    self._charge(other.estimate_usd or 0.0)
                answer = replace(nothing, error=why)
            end(answer)

        def late() -> None:  # it has charged itself
            self._charge(-(other.estimate_usd or 0.0))

        def make() -> Answer:
            nonlocal began
            refusal = self._refusal(other)
            if refusal:
                return replace(nothing, error=refusal)
            began = time.monotonic()
            try:
                answer = other.make()
                self._charge(answer.cost_usd or 0.0)
                return answer
            finally:
                with self._money:
                    self._reserved -= other.estimate_usd or 0.0

        # A pause is known before anything of the request is, so that those which it leaves out are
        # as good a sample as those which were called.
        refusal = (
            "paused" if breaker.refuses else self._calls.offer(Job(make, settle, late, other.size))
        )
        if refusal:
            end(replace(nothing, error=refusal))

    def _refusal(self, other: OtherCall) -> str | None:
        """Return why a call may not be made now; if it may, what it may cost is set aside."""
        try:
            refusal = self._reserve(other)
        except Exception as error:  # of a store that cannot be read: then nothing may be spent
            return _why(error)
        if refusal is None:
            try:
                self._breakers[other.tier].check()
            except ServerAwayError:
                refusal = "paused"
                with self._money:
                    self._reserved -= other.estimate_usd or 0.0
        return refusal

    def _reserve(self, other: OtherCall) -> str | None:
        """Set aside what a call may cost; returns why it may not be made, if it may not."""
        if other.estimate_usd is None:
            self._say(
                "price",
                f"the price of '{other.model}' is not known, so that 'budget_usd' cannot be held, "
                f"and it is not called: set {other.tier}_price, such as 2.5,10",
            )
            return "price"
        with self._money:
            # Of all processes.
            spent = self._writer.store.spent(self.route) + self._uncharged + self._reserved
            if spent + other.estimate_usd > self.settings.budget_usd:
                budget = f"the {self.settings.budget_usd:g} dollars of 'budget_usd' are spent"
                self._say("budget", f"{budget}: no further calls are made")
                return "budget"
            self._reserved += other.estimate_usd
        return None

    def _charge(self, usd: float) -> None:
        with self._money:
            self._uncharged += usd
            if not self._uncharged:
                return
            try:
                self._writer.store.charge(self.route, self._uncharged)
            except Exception as error:
                self._say("charge", f"what calls cost could not be written ({error})")
            else:
                self._uncharged = 0.0

    def _say(self, kind: str, message: str) -> None:
        """Log the first message of each kind."""
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("shadow mode of '%s': %s", self.route, message)


def _why(error: BaseException) -> str:
    return "timeout" if isinstance(error, OverdueError) else f"error:{type(error).__name__}"


_shadows: dict[tuple[str, ShadowSettings], Shadow] = {}


def shadow_of(route: str, settings: ShadowSettings) -> Shadow:
    """Return the shadow mode of a route; one in each process, so that its limits hold for all.

    Args:
        route: name of the alias, group or application.
        settings: whose ``route`` is the name instead, if it is set.

    Raises:
        ConfigError: ``redact`` names no function.
    """
    key = settings.route or route, settings
    if key not in _shadows:
        _shadows.setdefault(key, Shadow(*key))
    return _shadows[key]


def _forget_calls() -> None:
    for shadow in list(_shadows.values()):
        shadow._begin_money()
        for breaker in shadow._breakers.values():
            breaker.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    # The calls in flight are the parent's, and what they cost; a thread of it may hold the lock.
    os.register_at_fork(after_in_child=_forget_calls)
