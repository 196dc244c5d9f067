"""The contract of routers: the built-in ones fulfil it, and broken ones are found out."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from routellm_core import Router, load_router
from routellm_core.testing import RouterContractTests


class TestMF(RouterContractTests):
    def router(self) -> Router:
        return load_router("mf")


class TestSWRanking(RouterContractTests):
    def router(self) -> Router:
        return load_router("sw_ranking")


class TestRandom(RouterContractTests):
    def router(self) -> Router:
        return load_router("random")


class Sound(Router):
    """Fulfils the contract; what follows breaks it, each in one way."""

    def score(self, prompts: Sequence[str]) -> Any:
        return np.array([min(len(prompt) / 200, 1.0) for prompt in prompts], np.float64)


class Percent(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(prompts) * 100


class Unknown(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return np.array([0.5 if prompt.strip() else np.nan for prompt in prompts], np.float64)


class Short(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(prompts).astype(np.float32)


class Listed(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(prompts).tolist()


class Column(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(prompts)[:, None]


class Nonempty(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return np.concatenate([super(Nonempty, self).score([prompt]) for prompt in prompts])


class Noisy(Sound):
    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def score(self, prompts: Sequence[str]) -> Any:
        return self._rng.uniform(size=len(prompts))


class Unseeded(Sound):
    def __init__(self) -> None:
        self._shift = np.random.default_rng().uniform(0, 0.5)

    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(prompts) / 2 + self._shift


class Buffered(Sound):
    """Writes over the scores it gave."""

    def __init__(self) -> None:
        self._scores = np.zeros(10_000)

    def score(self, prompts: Sequence[str]) -> Any:
        self._scores[: len(prompts)] = super().score(prompts)
        return self._scores[: len(prompts)]


class Sorting(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        if isinstance(prompts, list):
            prompts.sort()
        return super().score(prompts)


class Padded(Sound):
    """Longer neighbours change a score, as without an attention mask."""

    def score(self, prompts: Sequence[str]) -> Any:
        longest = max(map(len, prompts), default=1)
        return super().score(prompts) * (1 - 1e-4 * min(longest, 1_000) / 1_000)


class Unsorted(Sound):
    """Scores by length, and forgets to bring the scores back to their places."""

    def score(self, prompts: Sequence[str]) -> Any:
        return super().score(sorted(prompts, key=len))


class Narrow(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return np.array([min(len(prompt.encode()) / 200, 1.0) for prompt in prompts])


class Wordy(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        return np.array([min(len(prompt.split()[0]) / 20, 1.0) for prompt in prompts])


class Bounded(Sound):
    def score(self, prompts: Sequence[str]) -> Any:
        if any(len(prompt) > 1_000_000 for prompt in prompts):
            raise MemoryError
        return super().score(prompts)


class Naming(Sound):
    """Takes every rare character for one that has a name: only texts made up show it."""

    def score(self, prompts: Sequence[str]) -> Any:
        for prompt in prompts:
            for sign in prompt:
                if sign > "\uffff":
                    unicodedata.name(sign)
        return super().score(prompts)


class Remembering(Sound):
    """Keeps the prompts where other threads write theirs."""

    def score(self, prompts: Sequence[str]) -> Any:
        self._prompts = prompts
        time.sleep(0.005)
        return super().score(self._prompts)


class OneAtATime(Sound):
    def __init__(self) -> None:
        self._busy = threading.Lock()

    def score(self, prompts: Sequence[str]) -> Any:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError("busy")
        try:
            time.sleep(0.005)
            return super().score(prompts)
        finally:
            self._busy.release()


class Falling(Sound):
    @property
    def score_quantiles(self) -> Any:
        return np.array([1.0, 0.5, 0.0])


class OneQuantile(Sound):
    @property
    def score_quantiles(self) -> Any:
        return np.array([0.5])


class Anonymous(Sound):
    @property
    def fingerprint(self) -> str:
        return f"object at {id(self)}"


class Slow(Sound):
    instant = True

    def score(self, prompts: Sequence[str]) -> Any:
        time.sleep(0.03)
        return super().score(prompts)


def _tests_of(router: type[Any]) -> Iterator[tuple[str, Any]]:
    class Tests(RouterContractTests):
        def router(self) -> Any:
            return router()

    for name in dir(Tests):
        if name.startswith("test_"):
            yield name, getattr(Tests(), name)


def _failures_of(router: type[Any]) -> dict[str, str]:
    failures = {}
    for name, test in _tests_of(router):
        try:
            test()
        except AssertionError as error:
            failures[name] = str(error)
    return failures


def test_a_router_without_fault_passes() -> None:
    assert _failures_of(Sound) == {}
    assert len(list(_tests_of(Sound))) == 13


@pytest.mark.parametrize(
    ("router", "test", "message"),
    [
        (Percent, "scores_are_win_rates", r"Percent gave 3.0 for 'Hello!': a win rate is a number"),
        (Unknown, "odd_strings_get_a_score", r"gave nan for '': a win rate"),
        (Short, "scores_are_win_rates", r"gave float32: return a numpy array of float64"),
        (Listed, "scores_are_win_rates", r"gave list: return a numpy array"),
        (Column, "scores_are_win_rates", r"gave shape (8, 1): return one score for each of the 8"),
        (Nonempty, "no_prompts_get_no_scores", r"Nonempty.score([]) raised ValueError: need at"),
        (Noisy, "the_same_prompts_get_the_same_scores", r"when asked again"),
        (Unseeded, "a_router_made_again_gives_the_same_scores", r"from a router made again"),
        (Buffered, "the_same_prompts_get_the_same_scores", r"once it scored others"),
        (Sorting, "the_same_prompts_get_the_same_scores", r"changed the list it was given"),
        (Padded, "a_batch_gives_what_its_prompts_give_alone", r"in a batch of 70 than alone"),
        (Unsorted, "the_order_of_prompts_does_not_matter", r"in another order"),
        (Narrow, "odd_strings_get_a_score", r"score(['\ud800']) raised UnicodeEncodeError"),
        (Wordy, "odd_strings_get_a_score", r"score(['']) raised IndexError"),
        (Bounded, "ten_million_characters_get_a_score", r"... (10,000,000 long)]) raised MemoryE"),
        (Naming, "any_text_gets_a_score", r"raised ValueError: no such name"),
        (Remembering, "many_threads_get_the_same_scores", r"in one of 8 threads"),
        (OneAtATime, "many_threads_get_the_same_scores", r"raised RuntimeError: busy"),
        (Falling, "score_quantiles_are_quantiles", r"ascending numbers in [0, 1], but are [1.0, "),
        (OneQuantile, "score_quantiles_are_quantiles", r"has shape (1,): give 2 or more numbers"),
        (Anonymous, "the_fingerprint_stays", r"and of a router made again 'object at"),
        (Slow, "an_instant_router_is_quick", r"set instant = False"),
        (dict, "scores_are_win_rates", r"router returned a dict: its class must derive from"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_router_is_named_with_what_is_wrong(router: type, test: str, message: str) -> None:
    [check] = [check for name, check in _tests_of(router) if name == f"test_{test}"]
    with pytest.raises(AssertionError) as failure:
        check()
    assert message in str(failure.value)
    assert len(str(failure.value)) < 600


def test_a_subclass_that_names_no_router_is_an_error() -> None:
    class Unfinished(RouterContractTests):
        pass

    with pytest.raises(NotImplementedError, match="it returns your router"):
        Unfinished().test_scores_are_win_rates()


def test_only_the_tests_need_hypothesis() -> None:
    code = (
        "import sys, routellm_core; assert not {'hypothesis', 'pytest'} & set(sys.modules);"
        "sys.modules['hypothesis'] = None; import routellm_core.testing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "MissingExtraError: testing a router needs hypothesis" in done.stderr
    assert 'pip install "routellm-plugins[testing]"' in done.stderr
