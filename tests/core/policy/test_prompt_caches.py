"""`hold: cache`: which beginnings are warm, and when leaving them pays."""

from __future__ import annotations

import math

import pytest

from routellm_core import Asked, ConfigError, RoutingPolicy
from routellm_core.policy.prompt_caches import (
    PromptCaches,
    beginnings,
    cached,
    calls_until_it_pays,
    written,
)
from routellm_core.rules.prices import Price

SYSTEM = "system\n" + "rules " * 1_000
PARTS = (SYSTEM, "user\nProve it.")
PAIR = "gpt-4o | gpt-4o-mini"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("ratio", [1.5, 3, 16.7])
def test_leaving_pays_after_so_many_calls(ratio):
    strong, weak = Price(ratio, 1), Price(1, 1)
    least = calls_until_it_pays(strong, weak)
    assert least == pytest.approx(11.5 / (ratio - 1))
    tokens = 10_000
    for calls, pays in ((math.floor(least), False), (math.floor(least) + 1, True)):
        stay = calls * tokens * cached(strong)
        leave = tokens * (written(weak) + (calls - 1) * cached(weak))
        assert calls == 0 or (leave < stay) == pays


def test_prices_of_caches_that_are_known():
    strong, weak = Price(10, 1, cached=5), Price(1, 1, cached=0.5, written=1)
    assert calls_until_it_pays(strong, weak) == pytest.approx(0.5 / 4.5)
    assert calls_until_it_pays(Price(1, 1), Price(1, 1)) == math.inf


def test_a_beginning_that_was_read_is_warm_for_five_minutes():
    clock = Clock()
    caches = PromptCaches(clock=clock)
    later = (*PARTS, "assistant\nDone.", "user\nThanks.")
    assert not caches.is_warm(PAIR, later)
    caches.read(PAIR, PARTS)
    assert caches.is_warm(PAIR, later)
    assert not caches.is_warm(PAIR, (SYSTEM + "!", *later[1:]))
    assert not caches.is_warm(PAIR, later[1:])
    clock.now = 299.0
    assert caches.is_warm(PAIR, later)
    caches.read(PAIR, later)
    clock.now = 301.0
    assert caches.is_warm(PAIR, (*later, "assistant\n", "user\nMore."))
    clock.now = 700.0
    assert not caches.is_warm(PAIR, later)


def test_what_another_pair_s_model_read_is_not_warm():
    caches = PromptCaches()
    caches.read(PAIR, PARTS)
    assert caches.is_warm(PAIR, PARTS)
    assert not caches.is_warm("other | gpt-4o-mini", PARTS)
    assert not set(beginnings(PAIR, PARTS)) & set(beginnings("other | gpt-4o-mini", PARTS))


def test_short_beginnings_are_not_kept_and_memory_is_bounded():
    caches = PromptCaches(size=2)
    short = ("system\nBe brief.", "user\nHi")
    caches.read(PAIR, short)
    assert not caches.is_warm(PAIR, (*short, "user\nMore"))
    for n in range(3):
        caches.read(PAIR, (f"{n} {SYSTEM}",))
    warm = [caches.is_warm(PAIR, (f"{n} {SYSTEM}", "user\nMore")) for n in range(3)]
    assert warm == [False, True, True]


def test_it_needs_prices_and_a_call_for_the_answer_s_sake_is_not_held_up():
    with pytest.raises(ConfigError, match="'hold' needs the prices of both models: write"):
        RoutingPolicy("mf", threshold=0.5, hold="cache")
    policy = RoutingPolicy(
        "random", threshold=0.0, hold="cache", strong_price=[2, 2], weak_price=[1, 1]
    )
    decision = policy.decide(Asked(("Prove it.",), parts=PARTS))
    assert (decision.tier, decision.cause) == ("strong", "score")


def test_it_is_left_once_as_many_calls_are_expected():
    prices = {"strong_price": [3, 3], "weak_price": [1, 1]}  # pays after 5.75 calls
    begun = ("system\nOf leaving. " + "rules " * 1_000,)
    strong = RoutingPolicy("random", threshold=0.0, hold="cache", **prices)
    weak = RoutingPolicy("random", threshold=1.0, hold="cache", **prices)
    strong.decide(Asked(("a",), parts=begun))
    tiers = [
        weak.decide(Asked(("a",) * turns, parts=(*begun, f"user\n{turns}"))).tier
        for turns in (1, 5, 6, 9)
    ]
    assert tiers == ["strong", "strong", "weak", "weak"]
