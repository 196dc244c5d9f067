"""What a conversation of three turns costs beside a single one: messages to decision.

The last turn is new, as in traffic. The earlier turns were scored when they were asked, as in a
conversation that a process serves; or not, as in one that another worker has served so far. Times
are p50s in milliseconds, of all in turn, in one process.
"""

from __future__ import annotations

import itertools
import random

import pytest

from routellm_core import RoutingPolicy
from routellm_core.prompt.reading import asked_in

from .measure import race

COUNT = 1500
WORDS = ("alpha", "beta", "cache", "lock", "thread", "proof", "expiry", "token", "vector", "table")


def user(text):
    return {"role": "user", "content": text}


ANSWER = {
    "role": "assistant",
    "content": "Here is what I found: " + "it depends on the case. " * 40,
}


def before(made_for="edge"):
    """Return two turns and their answers."""
    return (
        user(f"Write a thread-safe cache with {made_for} and expiry in C++, and prove it correct."),
        ANSWER,
        user(f"Now add tests for the {made_for} cases."),
        ANSWER,
    )


BEFORE = before()


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
        # A space: not the same text.
        "three": lambda text: decide(*BEFORE, user(f"{text} ")),
        "unseen": lambda text: decide(*before(f"case {hash(text)}"), user(f"{text}  ")),
    }
    times = benchmark.pedantic(race, (contestants, texts, 10), rounds=1)
    for what, name in (("three turns", "three"), ("three unseen turns", "unseen")):
        ratio = f"{times[name] / times['one']:.2f} times one turn's"
        report(f"{what}, {kind}", f"{times[name]:.3f} ms", ratio)
