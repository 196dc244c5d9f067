"""A follow-up inherits what its task needs; a question of its own is judged by itself."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core import Asked, ConfigError, Router, RoutingPolicy, hookimpl
from routellm_core.policy.score_cache import KeptScores, scores_of
from routellm_core.rules.momentum import Brings, deciding_turns, momentum, what_it_brings
from tests.fakes.scripted import routers_of

HARD = "Write a thread-safe LRU cache in C++ without a global lock and prove that it is correct."
EASY = "What is the capital of Portugal?"
FOLLOW_UPS = (
    "Yes, do it.",
    "That is wrong. Try again.",
    "continue",
    "Now add tests for the edge cases.",
    "Why?",
    "TypeError: 'NoneType' object is not subscriptable\n  File \"cache.py\", line 3",
    "ok",
    "Make it shorter.",
)


class Marked(Router):
    """Scores what is asked of it: 0.9 for ``HARD``, else 0.3; counts its calls."""

    instant = True

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def score(self, prompts):
        self.calls.append(list(prompts))
        return np.array([0.9 if HARD in prompt else 0.3 for prompt in prompts])


class SlowMarked(Marked):
    instant = False


@pytest.fixture(params=[Marked, SlowMarked])
def marked(request, plugin):
    router = request.param()
    plugin(routers_of(marked=lambda: router))
    return router


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
async def test_a_follow_up_stays_on_the_model_of_its_task(marked, follow_up):
    policy = RoutingPolicy("marked", threshold=0.5)
    asked = Asked((HARD, follow_up))
    for decision in (policy.decide(asked), await policy.adecide(asked)):
        assert (decision.tier, decision.cause, decision.score) == ("strong", "momentum", 0.9)
    assert policy.decide(Asked((EASY, follow_up))).tier == "weak"


def test_a_chain_of_follow_ups_goes_back_to_the_task(marked):
    policy = RoutingPolicy("marked", threshold=0.5)
    for last in range(1, len(FOLLOW_UPS) + 1):
        decision = policy.decide(Asked((EASY, HARD, *FOLLOW_UPS[:last])))
        assert (decision.tier, decision.cause) == ("strong", "momentum")


def test_a_new_question_is_judged_by_itself(marked):
    policy = RoutingPolicy("marked", threshold=0.5)
    for turns in ((HARD, EASY), (HARD, "Why?", EASY), (HARD, EASY, "Are you sure?")):
        assert policy.decide(Asked(turns)).tier == "weak"
    decision = policy.decide(Asked((EASY, HARD)))
    assert (decision.tier, decision.cause) == ("strong", "score")


def test_with_turns_1_only_the_last_turn_decides(marked):
    policy = RoutingPolicy("marked", threshold=0.5, turns=1)
    decision = policy.decide(Asked((HARD, "Yes, do it.")))
    assert (decision.tier, decision.cause, decision.score) == ("weak", "score", 0.3)
    with pytest.raises(ConfigError, match=r"'turns' is 0: .*greater than or equal to 1"):
        RoutingPolicy("marked", threshold=0.5, turns=0)


def test_many_conversations_are_scored_in_one_call(marked):
    policy = RoutingPolicy("marked", threshold=0.5)
    calls = [Asked((HARD, "Yes, do it.")), Asked((HARD, EASY)), EASY, Asked((HARD, "Why?"))]
    decisions = policy.decide_many(calls)
    assert marked.calls == [[HARD, EASY]]
    assert [d.tier for d in decisions] == ["strong", "weak", "weak", "strong"]
    assert [d.cause for d in decisions] == ["momentum", "score", "score", "momentum"]


async def test_earlier_turns_are_not_scored_again(marked):
    policy = RoutingPolicy("marked", threshold=0.5)
    added = "Now add tests for the edge cases."
    for turns in ((HARD,), (HARD, added), (HARD, added, "ok")):
        policy.decide(Asked(turns))
        await policy.adecide(Asked(turns))
    # The last turn too is scored once, by a router that takes longer than looking.
    last = 2 if marked.instant else 1
    assert marked.calls == [[HARD]] * last + [[added]] * last


def test_turns_that_were_never_scored_are_scored_in_one_call(marked):
    added = "Now add tests for the edge cases."
    RoutingPolicy("marked", threshold=0.5).decide(Asked((HARD, added, "And another for expiry.")))
    assert len(marked.calls) == 1


def test_a_plugin_that_answers_scores_is_always_asked(marked, plugin):
    seen = []

    class Watching:
        @hookimpl
        def routellm_score(self, text):
            seen.append(text)

    plugin(Watching())
    policy = RoutingPolicy("marked", threshold=0.5)
    for _ in range(2):
        assert policy.decide(Asked((HARD, "Yes, do it."))).cause == "momentum"
    assert seen == [HARD, HARD]


def test_a_failure_is_not_kept(marked):
    working, marked.score = marked.score, lambda prompts: 1 / 0
    policy = RoutingPolicy("marked", threshold=0.5, on_error="weak")
    assert policy.decide(Asked((HARD, "ok"))).cause == "error:ZeroDivisionError"
    marked.score = working
    assert policy.decide(Asked((HARD, "ok"))).tier == "strong"


def test_scores_are_kept_up_to_a_number():
    kept = KeptScores(size=2)
    long = "long " * 100
    kept.keep({"a": 0.1, long: 0.2})
    assert kept.known(["a"]) == {"a": 0.1}
    kept.keep({"c": 0.3})
    assert kept.known(["a", long, "c"]) == {"a": 0.1, "c": 0.3}
    kept.keep({"\ud800" * 300: 0.4, "x" * 10_000_000: 0.5})
    assert kept.known(["\ud800" * 300, "x" * 10_000_000]) == {"\ud800" * 300: 0.4}


def test_scores_are_kept_by_router():
    one, other = Marked(), Marked()
    scores_of(one).keep({"a": 0.1})
    assert scores_of(one).known(["a"]) == {"a": 0.1}
    assert scores_of(other).known(["a"]) == {}


@pytest.mark.parametrize(
    ("text", "brings"),
    [
        ("Yes, do it.", "nothing"),
        ("Das stimmt nicht. Versuch es noch einmal.", "nothing"),
        ("Está mal. Inténtalo de nuevo.", "nothing"),
        ("继续", "nothing"),
        ("Fix the parser.", "something"),
        ("Cámbialo, por favor.", "something"),
        ("用英文写一遍", "something"),
        ("Wie heißt die Hauptstadt von Peru?", "question"),
        ("¿Cuál es la capital de Chile?", "question"),
        ("法国的首都是哪里？", "question"),
        ("Quel temps fait-il à Paris aujourd'hui ?", "question"),
        ("x " * 300, "question"),
        ("", "nothing"),
        ("?!", "nothing"),
    ],
)
def test_what_a_turn_brings(text, brings):
    assert what_it_brings(text, [HARD]) is Brings(brings)


def test_the_first_turn_is_a_question_and_blank_ones_do_not_decide():
    assert what_it_brings("continue", []) is Brings.QUESTION
    assert deciding_turns(["continue"], 20) == [0]
    assert deciding_turns(["", "continue"], 20) == [1]
    assert deciding_turns([HARD, " ", "continue"], 20) == [0]


def test_no_more_turns_are_considered_than_the_limit():
    turns = [HARD, *["continue"] * 5]
    assert deciding_turns(turns, 6) == [0]
    assert deciding_turns(turns, 5) == [1]


def test_of_equal_scores_the_later_turn_decides():
    assert momentum([0, 2], [0.5, 0.5]) == (2, 0.5)
    assert momentum([0, 2], [0.6, 0.5]) == (0, 0.6)


def test_long_turns_are_read_in_part():
    """Ten megabytes before, and as the turn itself."""
    for text in ("x" * 10_000_000, "error " * 1_600_000, "继" * 10_000_000, "<" * 10_000_000):
        assert deciding_turns([text, "continue"], 20) == [0]
        assert deciding_turns([HARD, text], 20)


def test_a_question_that_is_asked_again_is_a_question():
    turns = ["Who painted the Mona Lisa?", "Prove that p^2 - 1 is divisible by 24.", "Why?"]
    assert deciding_turns([*turns, turns[0]], 20) == [3]
    assert deciding_turns([*turns, "Why?"], 20) == [1]
