"""What a conversation of three turns costs beside a single one: messages to decision.

The earlier turns were scored when they were asked, as in a conversation that a process serves; the
last one is new. Times are p50s in milliseconds, of both in turn, in one process.
"""

from __future__ import annotations

import itertools
import random

import pytest

from routellm_core import RoutingPolicy
from routellm_core.reading import asked_in

from .measure import race

COUNT = 1500
WORDS = ("alpha", "beta", "cache", "lock", "thread", "proof", "expiry", "token", "vector", "table")


def user(text):
    return {"role": "user", "content": text}


ANSWER = {
    "role": "assistant",
    "content": "Here is what I found: " + "it depends on the case. " * 40,
}
BEFORE = (
    user("Write a thread-safe cache with expiry in C++ and prove that it is correct, please."),
    ANSWER,
    user("Now add tests for the edge cases."),
    ANSWER,
)


def follow_ups(rng):
    return (f"Now make the {rng.choice(WORDS)} of it faster, by {n} %." for n in itertools.count())


def questions(rng, length):
    return (f"{' '.join(rng.choices(WORDS, k=length))} {n}?" for n in itertools.count())


TEXTS = {
    "a follow-up of 9 words": follow_ups,
    "a question of 20 words": lambda rng: questions(rng, 20),
    "a question of 75 words": lambda rng: questions(rng, 75),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_three_turns_beside_one(benchmark, report, kind):
    policy = RoutingPolicy("mf", threshold=0.6)

    def decide(*messages):
        return policy.decide(lambda: asked_in(messages, policy.settings))

    decide(*BEFORE[:1])
    decide(*BEFORE[:3])
    texts = list(itertools.islice(TEXTS[kind](random.Random(0)), COUNT))
    contestants = {
        "one": lambda text: decide(user(text)),
        "three": lambda text: decide(*BEFORE, user(f"{text} ")),  # a space: not the same text
    }
    times = benchmark.pedantic(race, (contestants, texts, 10), rounds=1)
    ratio = times["three"] / times["one"]
    report(f"three turns, {kind}", f"{times['three']:.3f} ms", f"{ratio:.2f} times one turn's")
