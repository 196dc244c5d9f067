"""The contract of a router as tests that anyone who writes one can run.

A subclass whose name begins with ``Test`` is all pytest needs:

    class TestLengthRouter(RouterContractTests):
        def router(self) -> Router:
            return LengthRouter()
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .contracts import Router
from .errors import MissingExtraError

try:
    from hypothesis import given, settings
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtraError(
        "the tests of the contract need pytest and hypothesis: "
        'pip install "routellm-plugins[testing]"'
    ) from error

TOLERANCE = 1e-6
"""How far scores of one prompt may lie apart."""

INSTANT_MS = 20.0
"""What an instant router may take at most, in its quickest of ``_TRIES``: many times the
millisecond it promises, so that only a router that would hold up an event loop fails."""

_TRIES = 20
_THREADS = 8

_PROMPTS = (
    "Hello!",
    "What is the capital of Australia?",
    "Prove that p^2 - 1 is divisible by 24 for every prime p > 3. " * 12,
    "def f(x):\n    return x ** 2  # why is f(3) 9?\n",
    "Ein Zug fährt um 9:15 Uhr ab. Wann kommt er an?",
    "为什么天空是蓝色的？请用三句话解释。",
    "Which of these is a mammal?\nA. trout\nB. whale\nC. newt\nD. wren\nAnswer:",
    "1 2 3 4 5 6 7 8 9 10",
)

_MANY = tuple(f"{number}. {_PROMPTS[number % len(_PROMPTS)]}" for number in range(70))
"""More than routers take at a time inside."""

_ODD = (
    "",
    " ",
    " \n\t\r\x0b\u00a0\u2028",
    "🤷‍♀️",
    "👩‍👩‍👧‍👦" * 500,
    "\ud800",
    "before \udfff after",
    "\x00\x01\x7f\ufffe\uffff",
    "e" + "\u0301" * 3_000,
    "[CLS] [SEP] [PAD] [[1]] </s> <|endoftext|> <|start_header_id|>",
    "{prompt} %s {0} ${x}",
)

_HUGE = ("x" * 10_000_000, "ten million characters of words and 🤷 " * 263_158)


class RouterContractTests:
    """What every router must do: subclass it and say which router.

    Each test scores real texts and fails with the prompt that broke the contract. ``router`` is
    called a few times, not for every test.
    """

    _made: ClassVar[Router]

    def router(self) -> Router:
        """Return the router to test; called again, one that must give the same scores."""
        raise NotImplementedError("define router(self) in the subclass: it returns your router")

    def test_scores_are_win_rates(self) -> None:
        """An array of float64, shape (n,), each in [0, 1]."""
        self._score(_PROMPTS)

    def test_no_prompts_get_no_scores(self) -> None:
        """An empty list gives an array of shape (0,)."""
        self._score([])

    def test_the_same_prompts_get_the_same_scores(self) -> None:
        """Another call changes neither scores, nor those given before, nor its argument."""
        given_prompts = list(_PROMPTS)
        scores = self._score(given_prompts)
        if given_prompts != list(_PROMPTS):
            raise AssertionError(f"{self._name}.score changed the list it was given")
        kept = scores.copy()
        self._same(_PROMPTS, kept, self._score(_PROMPTS), "when asked again")
        self._score(_MANY)
        self._same(_PROMPTS, kept, scores, "in the array it returned, once it scored others")

    def test_a_router_made_again_gives_the_same_scores(self) -> None:
        """Scores do not depend on when the router was made."""
        scores = self._score(_PROMPTS)
        again = self._score(_PROMPTS, self.router())
        self._same(_PROMPTS, scores, again, "from a router made again")

    def test_a_batch_gives_what_its_prompts_give_alone(self) -> None:
        """Neither the other prompts nor their number matters."""
        self._batch_equals_alone(_MANY)

    def test_the_order_of_prompts_does_not_matter(self) -> None:
        """Each prompt keeps its score, wherever it stands."""
        order = np.random.default_rng(0).permutation(len(_MANY))
        shuffled = self._score([_MANY[index] for index in order])
        back = np.empty(len(_MANY))
        back[order] = shuffled
        self._same(_MANY, self._score(_MANY), back, "in another order")

    def test_odd_strings_get_a_score(self) -> None:
        """Empty, blank, emoji, lone surrogates, control characters, markers of tokenizers."""
        for prompt in _ODD:
            self._score([prompt])
        self._batch_equals_alone([*_ODD, *_PROMPTS])

    def test_ten_million_characters_get_a_score(self) -> None:
        """Long texts are cut off, alone as in a batch."""
        for prompt in _HUGE:
            self._score([prompt])
        self._batch_equals_alone(["Hello!", *_HUGE, ""])

    def test_any_text_gets_a_score(self) -> None:
        """Texts that hypothesis makes up, together and alone."""

        @settings(max_examples=40, deadline=None)
        @given(st.lists(st.text(st.characters(codec=None), max_size=200), max_size=5))
        def check(prompts: list[str]) -> None:
            self._batch_equals_alone(prompts)

        check()

    def test_many_threads_get_the_same_scores(self) -> None:
        """Threads that score at once do not disturb each other, not even at first use."""
        fresh = self.router()
        barrier = threading.Barrier(_THREADS)

        def work(number: int) -> list[tuple[tuple[str, ...], NDArray[np.float64]]]:
            prompts = _PROMPTS[number:] + _PROMPTS[:number]
            barrier.wait(60)
            return [(prompts, self._score(prompts, fresh)) for _ in range(3)]

        with ThreadPoolExecutor(_THREADS) as pool:
            answered = [each for done in pool.map(work, range(_THREADS)) for each in done]
        alone = dict(zip(_PROMPTS, self._score(_PROMPTS), strict=True))
        for prompts, scores in answered:
            expected = np.array([alone[prompt] for prompt in prompts])
            self._same(prompts, expected, scores, f"in one of {_THREADS} threads")

    def test_score_quantiles_are_quantiles(self) -> None:
        """None, or ascending numbers in [0, 1]."""
        quantiles = self._router.score_quantiles
        if quantiles is None:
            return
        numbers = np.asarray(quantiles, np.float64)
        if numbers.ndim != 1 or len(numbers) < 2:
            raise AssertionError(
                f"{self._name}.score_quantiles has shape {numbers.shape}: give 2 or more numbers, "
                "the quantiles at evenly spaced levels from 0 to 1"
            )
        if not ((numbers >= 0) & (numbers <= 1)).all() or (np.diff(numbers) < 0).any():
            raise AssertionError(
                f"{self._name}.score_quantiles must be ascending numbers in [0, 1], but are "
                f"{_cut(str(numbers.tolist()))}"
            )

    def test_the_fingerprint_stays(self) -> None:
        """None, or one text for one set of weights and options."""
        first, again = self._router.fingerprint, self.router().fingerprint
        if first is None and again is None:
            return
        if not isinstance(first, str) or not first or first != again:
            raise AssertionError(
                f"{self._name}.fingerprint is {first!r}, and of a router made again {again!r}: "
                "give one text that changes with weights and options alone, or None"
            )

    def test_an_instant_router_is_quick(self) -> None:
        """One that says it is scored on the event loop, and must not hold it up."""
        if not self._router.instant:
            return
        taken = []
        for number in range(_TRIES):
            start = time.perf_counter()
            self._score([f"{number}. {_PROMPTS[2]}"])
            taken.append((time.perf_counter() - start) * 1000)
        if min(taken) > INSTANT_MS:
            raise AssertionError(
                f"{self._name}.instant is True, but a prompt of {len(_PROMPTS[2])} characters "
                f"takes {min(taken):.0f} ms: set instant = False, and it is scored on a thread"
            )

    @property
    def _router(self) -> Router:
        cls = type(self)
        if "_made" not in vars(cls):
            made: object = self.router()
            if not isinstance(made, Router):
                raise AssertionError(
                    f"{cls.__name__}.router returned a {type(made).__name__}: "
                    "its class must derive from routellm_core.Router"
                )
            cls._made = made
        return cls._made

    @property
    def _name(self) -> str:
        return type(self._router).__name__

    def _score(self, prompts: Sequence[str], router: Router | None = None) -> NDArray[np.float64]:
        """Return the scores, once they have the form of win rates."""
        asked = f"{self._name}.score({_few(prompts)})"
        try:
            scores: object = (router or self._router).score(prompts)
        except Exception as error:
            raise AssertionError(
                f"{asked} raised {type(error).__name__}: {_cut(str(error))}; "
                "any string must get a win rate"
            ) from error
        if not isinstance(scores, np.ndarray) or scores.dtype != np.float64:
            what = getattr(scores, "dtype", type(scores).__name__)
            raise AssertionError(f"{asked} gave {what}: return a numpy array of float64")
        if scores.shape != (len(prompts),):
            raise AssertionError(
                f"{asked} gave shape {scores.shape}: return one score for each of the "
                f"{len(prompts)} prompts, shape ({len(prompts)},)"
            )
        for prompt, score in zip(prompts, scores, strict=True):
            if not 0 <= score <= 1:
                raise AssertionError(
                    f"{self._name} gave {score} for {_shown(prompt)}: "
                    "a win rate is a number in [0, 1]"
                )
        return scores

    def _batch_equals_alone(self, prompts: Sequence[str]) -> None:
        together = self._score(prompts)
        alone = np.array([self._score([prompt])[0] for prompt in prompts], np.float64)
        self._same(prompts, alone, together, f"in a batch of {len(prompts)} than alone")

    def _same(
        self,
        prompts: Sequence[str],
        expected: NDArray[np.float64],
        scores: NDArray[np.float64],
        when: str,
    ) -> None:
        apart = np.abs(expected - scores)
        for prompt, one, other in zip(prompts, expected, scores, strict=True):
            if abs(one - other) > TOLERANCE:
                raise AssertionError(
                    f"{self._name} gave {one} for {_shown(prompt)}, and {other} {when}: "
                    f"at most {TOLERANCE:g} may lie between them, here up to {apart.max():.2g}"
                )


def _few(prompts: Sequence[str]) -> str:
    if len(prompts) < 2:
        return f"[{''.join(map(_shown, prompts))}]"
    return f"[{_shown(prompts[0])}, and {len(prompts) - 1} more]"


def _shown(prompt: str) -> str:
    # ascii(), because a lone surrogate cannot be printed.
    return ascii(prompt) if len(prompt) <= 60 else f"{prompt[:40]!a}... ({len(prompt):,} long)"


def _cut(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:300]}..."
