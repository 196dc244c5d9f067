"""From text to decision: thresholds, failures, time budgets, settings."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest

from routellm_core import Asked, ConfigError, Router, RoutingPolicy, hookimpl
from tests.fakes.scripted import Scripted, policy_of


def test_the_threshold_belongs_to_the_strong_model(scripted):
    at = RoutingPolicy("scripted", threshold=0.7).decide("hello")
    above = RoutingPolicy("scripted", threshold=0.7001).decide("hello")
    assert (at.tier, at.score, at.threshold, at.router, at.cause) == (
        "strong",
        0.7,
        0.7,
        "scripted",
        "score",
    )
    assert above.tier == "weak"
    assert at.elapsed_ms > 0


def test_metadata_is_flat(scripted):
    decision = RoutingPolicy("scripted", threshold=0.7).decide("hello")
    assert decision.as_metadata() == {
        "tier": "strong",
        "score": 0.7,
        "threshold": 0.7,
        "router": "scripted",
        "cause": "score",
        "elapsed_ms": decision.elapsed_ms,
    }


@pytest.mark.parametrize("text", [None, "", " \n\t"])
@pytest.mark.parametrize("tier", ["strong", "weak"])
async def test_no_text(text, tier):
    policy = RoutingPolicy("random", threshold=0.5, on_no_text=tier)
    for decision in (policy.decide(text), await policy.adecide(text)):
        assert (decision.tier, decision.score, decision.cause) == (tier, None, "no_text")


@pytest.mark.parametrize("tier", ["strong", "weak"])
@pytest.mark.parametrize(
    ("kind", "error"),
    [("raise", "RuntimeError"), ("nan", "ScoringError"), ("hang", "ScoringTimeoutError")],
)
async def test_a_failing_scorer_sends_to_on_error_and_is_logged_once(
    scripted, caplog, kind, error, tier
):
    budget = 50 if kind == "hang" else 30_000
    policy = policy_of(kind, on_error=tier, timeout_ms=budget)
    with caplog.at_level(logging.ERROR, logger="routellm_core"):
        decisions = [policy.decide("a"), await policy.adecide("b"), policy.decide("c")]
    assert {(d.tier, d.score, d.cause) for d in decisions} == {(tier, None, f"error:{error}")}
    assert policy.errors == {error: 3}
    assert len(caplog.records) == 1
    assert error in caplog.text


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("exit", "ScoringError"),
        ("cancelled", "CancelledError"),
        ("task cancelled", "ScoringError"),
        ("timeout", "TimeoutError"),
        ("stop", "StopIteration"),
    ],
)
@pytest.mark.parametrize("instant", [True, False])
async def test_nothing_a_scorer_raises_comes_through(scripted, monkeypatch, kind, error, instant):
    monkeypatch.setattr(Scripted, "instant", instant)
    policy = policy_of(kind, timeout_ms=30_000)
    start = time.perf_counter()
    causes = {policy.decide("a").cause, (await policy.adecide("b")).cause}
    assert causes == {f"error:{error}"}
    assert time.perf_counter() - start < 25


@pytest.mark.parametrize("answer", [1.5, -0.1, float("nan"), "0.5", None])
def test_a_plugin_that_answers_nonsense_is_a_scoring_error(plugin, answer):
    class Nonsense:
        @hookimpl(wrapper=True)
        def routellm_score(self):
            yield
            return answer

    plugin(Nonsense())
    assert RoutingPolicy("random", threshold=0.5).decide("x").cause == "error:ScoringError"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_strong_share_gives_that_share(share):
    policy = RoutingPolicy("random", strong_share=share)
    tiers = [policy.decide(f"prompt {i}").tier for i in range(3000)]
    assert tiers.count("strong") / 3000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"neither 'strong_share' nor 'threshold' is set: write strong_share: 0\.3"),
        ({"threshold": 0.5, "strong_share": 0.5}, "both 'threshold' and 'strong_share' are set"),
        ({"thresold": 0.5}, "unknown key 'thresold': did you mean 'threshold'?"),
        ({"threshold": 1.7}, r"'threshold' is 1\.7: .*less than or equal to 1"),
        ({"threshold": -0.1}, r"'threshold' is -0\.1: .*greater than or equal to 0"),
        ({"threshold": float("nan")}, "'threshold' is nan: .*finite"),
        ({"strong_share": True}, "'strong_share' is True: write a number"),
        ({"threshold": "high"}, "'threshold' is 'high': .*valid number"),
        ({"threshold": 0.5, "on_error": "retry"}, "'on_error' is 'retry'"),
        ({"threshold": 0.5, "timeout_ms": 0}, "'timeout_ms' is 0"),
        ({"threshold": 0.5, "timeout_ms": 1e30}, "'timeout_ms' is 1e"),
        (
            {"threshold": 0.5, "router_options": {"seed": {"a": 1}}},
            "router 'random': option 'seed' must be a plain value",
        ),
        ({"router": "randm", "threshold": 0.5}, "no router named 'randm': did you mean 'random'"),
        (
            {"threshold": 0.5, "router_options": {"sed": 1}},
            "router 'random' has no option 'sed': did you mean 'seed'?",
        ),
    ],
)
def test_wrong_settings_say_what_to_write(settings, message):
    with pytest.raises(ConfigError, match=message):
        RoutingPolicy(**{"router": "random", **settings})


def test_a_router_that_was_never_calibrated_needs_a_threshold(scripted):
    with pytest.raises(ConfigError, match="never calibrated"):
        RoutingPolicy("scripted", strong_share=0.3)


class Counting(Router):
    """Scores a text's length in hundredths; a text that says so cannot be scored."""

    instant = True

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def score(self, prompts):
        self.calls.append(list(prompts))
        if any("unscorable" in prompt for prompt in prompts):
            raise RuntimeError("no")
        return np.array([len(prompt) / 100 for prompt in prompts])


@pytest.fixture
def counting(plugin):
    router = Counting()

    class Plugin:
        @hookimpl
        def routellm_register_routers(self, register):
            register("counting", lambda: router)

    plugin(Plugin())
    return router


def test_many_texts_are_scored_in_one_call(counting):
    texts = ["a" * 10, None, "b" * 60, "   ", "c" * 40]
    policy = RoutingPolicy("counting", threshold=0.5)
    decisions = policy.decide_many(texts)
    assert counting.calls == [["a" * 10, "b" * 60, "c" * 40]]
    assert [d.tier for d in decisions] == ["weak", "strong", "strong", "strong", "weak"]
    assert [d.score for d in decisions] == [0.1, None, 0.6, None, 0.4]
    assert [d.cause for d in decisions] == ["score", "no_text", "score", "no_text", "score"]


async def test_many_texts_are_scored_in_one_call_off_the_event_loop(counting):
    decisions = await RoutingPolicy("counting", threshold=0.5).adecide_many(["a" * 60, "b"])
    assert counting.calls == [["a" * 60, "b"]]
    assert [d.tier for d in decisions] == ["strong", "weak"]


def test_a_text_that_cannot_be_scored_does_not_decide_for_the_others(counting):
    policy = RoutingPolicy("counting", threshold=0.5, on_error="strong")
    decisions = policy.decide_many(["a", "unscorable", "b"])
    assert [d.cause for d in decisions] == ["score", "error:RuntimeError", "score"]
    assert [d.tier for d in decisions] == ["weak", "strong", "weak"]


@pytest.mark.parametrize("kind", ["fixed", "raise", "exit", "nan"])
def test_a_router_that_cannot_score_many_is_asked_one_by_one(scripted, kind):
    # It answers with one score, however many it is asked for.
    decisions = policy_of(kind).decide_many(["a", "b", "c"])
    one = policy_of(kind).decide("a")
    assert [(d.tier, d.score, d.cause) for d in decisions] == [(one.tier, one.score, one.cause)] * 3


def test_an_instant_router_that_exits_ends_nothing(counting):
    def leave(prompts):
        raise SystemExit(1)

    counting.score = leave
    decisions = RoutingPolicy("counting", threshold=0.5).decide_many(["a", "b"])
    assert {d.cause for d in decisions} == {"error:ScoringError"}


def test_many_texts_meet_the_hooks_one_by_one(counting, plugin):
    class Legal:
        @hookimpl
        def routellm_score(self, text):
            return 1.0 if "contract" in text else None

    plugin(Legal())
    decisions = RoutingPolicy("counting", threshold=0.5).decide_many(["a", "contract"])
    assert [d.score for d in decisions] == [0.01, 1.0]


def test_many_texts_have_the_time_budget_of_each(scripted):
    policy = policy_of("hang", timeout_ms=20)
    start = time.perf_counter()
    decisions = policy.decide_many(["a", "b", "c"])
    assert time.perf_counter() - start < 25
    assert {d.cause for d in decisions} == {"error:ScoringTimeoutError"}


def test_observers_hear_of_what_was_settled_without_a_score(counting, plugin):
    heard = []

    class Observer:
        @hookimpl
        def routellm_decided(self, decision):
            heard.append(decision)

    plugin(Observer())
    decision = RoutingPolicy("counting", threshold=0.5).decide(
        Asked(settled="weak", cause="utility")
    )
    assert heard == [decision]
    assert (decision.tier, decision.score, decision.cause) == ("weak", None, "utility")
    assert counting.calls == []
