"""A plugin with routers that are easy to predict, or that fail in a given way."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from routellm_core import Router, hookimpl

EASY = "Who painted the Mona Lisa?"
HARD = "Prove step by step that there are infinitely many primes of the form four n plus three"


class LengthRouter(Router):
    """Scores a tenth per word, up to 1: EASY gets 0.5, HARD gets 1."""

    instant: ClassVar[bool] = True

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([min(1.0, len(prompt.split()) / 10) for prompt in prompts])


class GradedRouter(LengthRouter):
    """The same; of its usual prompts, 1 - t score t or more."""

    @property
    def score_quantiles(self) -> NDArray[np.float64]:
        return np.linspace(0.0, 1.0, 201)


class SlowRouter(LengthRouter):
    """The same, a call at a time, in a twentieth of a second each; raises at "poison"."""

    instant: ClassVar[bool] = False
    concurrency = 1

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        time.sleep(0.05)
        if any("poison" in prompt for prompt in prompts):
            raise ValueError("poison")
        return super().score(prompts)


class SleepingRouter(LengthRouter):
    """The same, after some milliseconds, on as many threads as the policy has."""

    instant: ClassVar[bool] = False

    def __init__(self, ms: float = 0.0) -> None:
        self._ms = ms

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        time.sleep(self._ms / 1000)
        return super().score(prompts)


class ConstantRouter(Router):
    """Scores .5, whatever it is asked."""

    instant: ClassVar[bool] = True

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(prompts), 0.5)

    @property
    def score_quantiles(self) -> NDArray[np.float64]:
        return np.full(201, 0.5)


class FailingRouter(Router):
    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        raise RuntimeError("no scores today")


class HangingRouter(Router):
    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        threading.Event().wait()
        raise AssertionError


class NoNumberRouter(Router):
    instant: ClassVar[bool] = True

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.full(len(prompts), np.nan)


@hookimpl
def routellm_register_routers(register):
    register("length", LengthRouter)
    register("graded", GradedRouter)
    register("slow", SlowRouter)
    register("sleeping", SleepingRouter)
    register("constant", ConstantRouter)
    register("failing", FailingRouter)
    register("hanging", HangingRouter)
    register("no-number", NoNumberRouter)
    register("unmakable", lambda: 1 / 0)
