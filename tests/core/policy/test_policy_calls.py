"""What calls ask of a policy beside a text: settled choices, conversations."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from routellm_core import Asked, Router, RoutingPolicy
from routellm_core.policy.conversations import Conversations
from tests.fakes import routers
from tests.fakes.scripted import routers_of


@pytest.mark.parametrize("wrong", [3, b"text", ["text"], Asked(turns=(3,)), Asked(turns=3)])
async def test_an_argument_of_the_wrong_type_is_a_failure_to_score(wrong, caplog):
    policy = RoutingPolicy("random", threshold=0.5, on_error="weak")
    for decision in (policy.decide(wrong), await policy.adecide(wrong)):
        assert (decision.tier, decision.cause[:6]) == ("weak", "error:")
    assert policy.decide_many([wrong, "a", "b"])[0].tier == "weak"


def test_a_call_that_cannot_be_read_is_a_failure_to_score(caplog):
    def read() -> Asked:
        raise LookupError("no messages")

    policy = RoutingPolicy("random", threshold=0.5)
    assert policy.decide(read).cause == "error:LookupError"
    assert policy.errors == {"LookupError": 1}


def test_a_threshold_outside_the_scores_of_a_checkpoint_is_warned_of(caplog):
    assert RoutingPolicy(threshold=0.116).decide("hi").tier == "strong"
    assert "0.116 lies outside this router's scores" in caplog.text
    assert "goes to the strong model: set strong_share instead" in caplog.text
    caplog.clear()
    for meant in ({"strong_share": 0.3}, {"threshold": 0.0}, {"threshold": 1.0}):
        assert RoutingPolicy(**meant).warning is None
    assert not caplog.records


def test_a_share_of_nothing_sends_nothing_to_strong(plugin):
    class Certain(Router):
        instant = True
        score_quantiles = np.linspace(0.0, 1.0, 11)

        def score(self, prompts):
            return np.ones(len(prompts))

    plugin(routers_of(certain=Certain))
    assert RoutingPolicy("certain", strong_share=0).decide("x").tier == "weak"
    assert RoutingPolicy("certain", strong_share=1).decide("x").tier == "strong"


def test_a_conversation_that_went_to_strong_stays_there(plugin):
    plugin(routers)
    settings = {"threshold": 0.5, "sticky": "conversation"}
    policy = RoutingPolicy("length", **settings)
    hard, easy = routers.HARD, "x"
    assert policy.decide(Asked((easy,), session="a")).tier == "weak"
    assert policy.decide(Asked((hard,), session="a")).tier == "strong"
    kept = RoutingPolicy("length", **settings).decide(Asked((hard, easy), session="a"))
    assert (kept.tier, kept.cause) == ("strong", "conversation")
    assert policy.decide(Asked((easy,), session="b")).tier == "weak"
    turn = RoutingPolicy("length", threshold=0.5)
    assert turn.decide(Asked((easy,), session="a")).tier == "weak"


def test_conversations_are_bounded_in_number_and_time():
    now = 0.0
    kept = Conversations(size=2, idle_s=10.0, clock=lambda: now)
    for session in "abc":
        kept.add(session)
    assert [session in kept for session in "abc"] == [False, True, True]
    now = 9.0
    assert "b" in kept
    now = 12.0
    assert [session in kept for session in "bc"] == [True, False]


def test_a_score_that_is_kept_needs_no_thread(plugin):
    """Once the router hangs on all its threads, what was scored before is decided by its score."""

    class HangsLater(Router):
        concurrency = 1
        asked = 0

        def score(self, prompts):
            self.asked += 1
            if self.asked > 1:
                threading.Event().wait()
            return np.full(len(prompts), 0.7)

    plugin(routers_of(**{"hangs-later": HangsLater}))
    policy = RoutingPolicy("hangs-later", threshold=0.5, timeout_ms=2_000)
    first = policy.decide("known")
    assert (first.cause, first.kept) == ("score", False)
    assert policy.decide("new").cause == "error:ScoringTimeoutError"
    again = [policy.decide("known"), *policy.decide_many(["known", Asked(("known",))])]
    again.append(asyncio.run(policy.adecide("known")))
    assert [(each.score, each.kept) for each in again] == [(0.7, True)] * 4
    both = policy.decide_many(["known", "new"])
    assert [each.cause for each in both] == ["score", "error:ScoringTimeoutError"]
