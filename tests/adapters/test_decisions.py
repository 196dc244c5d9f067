"""Every adapter decides alike, reports alike and fails no call."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save

from routellm_core import ConfigError, Decision, RoutingPolicy, route_on
from routellm_core.checkpoints.store import BUNDLED, WEIGHTS, write_whole
from routellm_core.policy import reload
from tests.adapters.cases import KEYS, LENGTH, WARNINGS, Adapter, outcome
from tests.fakes.filled_prompts import FILLED, filled
from tests.fakes.routers import EASY, HARD

pytestmark = WARNINGS


def scripted_settings(kind: str, **settings: Any) -> dict[str, Any]:
    return {"router": "scripted", "router_options": {"kind": kind}, "threshold": 0.5, **settings}


@pytest.mark.parametrize(("text", "tier", "score"), [(EASY, "weak", 0.5), (HARD, "strong", 1.0)])
def test_the_score_decides(
    adapter: Any, seen: list[Decision], text: str, tier: str, score: float
) -> None:
    report = adapter(**LENGTH).ask(text)
    assert outcome(report) == (tier, tier, score, "score")
    assert (report["threshold"], report["router"]) == (0.6, "length")
    (decision,) = seen
    assert {name: report[name] for name in KEYS} == decision.as_metadata()


def test_the_last_words_of_the_human_decide(adapter: Any) -> None:
    asking = adapter(**LENGTH)
    history = [("system", HARD), ("user", HARD), ("assistant", HARD)]
    assert outcome(asking.ask(EASY, history=history)) == ("weak", "weak", 0.5, "score")


@pytest.mark.parametrize(
    ("turns", "tier", "cause"), [(20, "strong", "momentum"), (1, "weak", "score")]
)
def test_a_follow_up_stays_on_the_model_of_its_task(
    adapter: Any, turns: int, tier: str, cause: str
) -> None:
    asking = adapter(**LENGTH, turns=turns)
    history = [("user", HARD), ("assistant", "By induction."), ("user", "Yes, do it.")]
    followed = asking.ask("continue", history=[*history, ("assistant", "Done.")])
    assert (followed["served"], followed["cause"]) == (tier, cause)
    assert outcome(asking.ask(EASY, history=history[:2])) == ("weak", "weak", 0.5, "score")


def test_what_a_harness_writes_beside_the_ask_is_not_scored(adapter: Any) -> None:
    reminder = f"<system-reminder>{HARD}</system-reminder>\n"
    asking = adapter(**LENGTH)
    assert outcome(asking.ask(reminder + EASY)) == ("weak", "weak", 0.5, "score")


@pytest.mark.parametrize("name", FILLED)
def test_the_question_in_a_prompt_filled_with_context_decides(adapter: Any, name: str) -> None:
    asking = adapter(**LENGTH)
    context = "The reactor was built in 1987 and is proved to be safe. " * 20
    assert outcome(asking.ask(filled(name, EASY, context))) == ("weak", "weak", 0.5, "score")
    assert outcome(asking.ask(filled(name, HARD, context))) == ("strong", "strong", 1.0, "score")


def test_the_question_beside_documents_in_parts_of_their_own_decides(adapter: Any) -> None:
    asking = adapter(**LENGTH)
    document = "<document>\nThe reactor is proved to be safe.\n</document>" * 30
    for question, expected in ((EASY, ("weak", 0.5)), (HARD, ("strong", 1.0))):
        parts = [{"type": "text", "text": text} for text in (document, question)]
        report = asking.ask(parts)
        assert (report["served"], report["score"]) == expected


@pytest.mark.parametrize(("scored", "score"), [("last", 0.1), ("system+last", 1.0), ("all", 1.0)])
def test_a_task_in_the_system_prompt(adapter: Any, scored: str, score: float) -> None:
    asking = adapter(**LENGTH, scored=scored)
    tier = "strong" if score >= 0.6 else "weak"
    assert outcome(asking.ask("Go", history=[("system", HARD)])) == (tier, tier, score, "score")
    later = [("system", HARD), ("user", "Go"), ("assistant", "Done.")]
    followed = asking.ask("continue", history=later)
    assert outcome(followed)[:3] == (tier, tier, score)
    assert followed["cause"] == ("score" if scored == "all" else "momentum")


@pytest.mark.parametrize("scored", ["last", "system+last"])
def test_answers_are_scored_with_all_alone(adapter: Any, scored: str) -> None:
    history = [("user", EASY), ("assistant", HARD)]
    assert outcome(adapter(**LENGTH, scored=scored).ask(EASY, history=history))[2] == 0.5
    assert outcome(adapter(**LENGTH, scored="all").ask(EASY, history=history))[2] == 1.0


def test_a_template_of_one_s_own(adapter: Any) -> None:
    rules = f"Rules of the house: {HARD}"
    asking = adapter(**LENGTH, ignore=[r"Rules of the house:.*"], extract=[r"<<(.*?)>>"])
    for text in (f"{EASY}\n\n{rules}", f"{HARD} <<{EASY}>> {HARD}", f"<<{EASY}\n{rules}>>"):
        assert outcome(asking.ask(text)) == ("weak", "weak", 0.5, "score")
    assert outcome(asking.ask(HARD))[0] == "strong"
    # A message of rules alone passes the question on.
    begun = [("user", EASY), ("assistant", "Leonardo.")]
    assert outcome(asking.ask(rules, history=begun)) == ("weak", "weak", 0.5, "score")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ignore": ["aidr"]}, "there is no predefined pattern 'aidr': did you mean 'aider'?"),
        ({"ignore": ["(x"]}, "'(x' is not a regular expression"),
        ({"ignore": [".*"]}, "'.*' matches empty text"),
        ({"extract": r"<q>.*</q>"}, "has no group: put the part with the user's words in (...)"),
        ({"extract": 3}, "write regular expressions, or names of predefined ones: crewai, dspy"),
        ({"scored": "first"}, "'scored' is 'first'"),
    ],
)
def test_a_pattern_that_cannot_be_meant(
    adapter: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        adapter(**LENGTH, **settings)
    assert message in str(raised.value)


@pytest.mark.parametrize("tier", ["strong", "weak"])
def test_a_call_without_text(adapter: Any, seen: list[Decision], tier: str) -> None:
    report = adapter(**LENGTH, on_no_text=tier).ask(None)
    assert outcome(report) == (tier, tier, None, "no_text")
    assert len(seen) == 1


@pytest.mark.parametrize("tier", ["strong", "weak"])
@pytest.mark.parametrize(
    ("failure", "error", "settings"),
    [
        ("raise", "RuntimeError", {}),
        ("nan", "ScoringError", {}),
        ("hang", "ScoringTimeoutError", {"timeout_ms": 50}),
    ],
    ids=["raises", "answers NaN", "times out"],
)
def test_a_scorer_that_fails(
    adapter: Any,
    seen: list[Decision],
    caplog: pytest.LogCaptureFixture,
    failure: str,
    error: str,
    settings: dict[str, Any],
    tier: str,
) -> None:
    asking = adapter(**scripted_settings(failure, on_error=tier, **settings))
    for _ in range(3):
        assert outcome(asking.ask(EASY)) == (tier, tier, None, f"error:{error}")
    assert [(d.tier, d.cause) for d in seen] == [(tier, f"error:{error}")] * 3
    assert caplog.text.count("router 'scripted' failed") == 1


def test_an_answer_that_binds_what_continues_it(
    kind: type[Adapter], adapter: Any, seen: list[Decision]
) -> None:
    if not kind.settles:
        pytest.skip(f"{kind.name} has no calls that are bound to a model")
    first, then = adapter(**LENGTH).settled(HARD, EASY)
    assert outcome(first) == ("strong", "strong", 1.0, "score")
    assert outcome(then) == ("strong", "strong", None, "conversation")
    assert [decision.cause for decision in seen] == ["score", "conversation"]


def test_route_on_says_what_is_scored(adapter: Any) -> None:
    asking = adapter(**LENGTH)
    with route_on(HARD):
        assert outcome(asking.ask(EASY)) == ("strong", "strong", 1.0, "score")
    assert outcome(asking.ask(EASY)) == ("weak", "weak", 0.5, "score")


@pytest.mark.parametrize("sticky", ["turn", "conversation"])
def test_a_conversation_that_went_to_the_strong_model(
    kind: type[Adapter], adapter: Any, seen: list[Decision], sticky: str
) -> None:
    asking = adapter(**LENGTH, sticky=sticky)
    begun = [("system", f"{kind.name} {sticky}"), ("user", "Hello"), ("assistant", "Hello")]
    asking.ask("Hello", history=begun[:1])
    asking.ask(HARD, history=begun)
    third = asking.ask(EASY, history=[*begun, ("user", HARD), ("assistant", "Yes")])
    if sticky == "conversation":
        assert outcome(third) == ("strong", "strong", None, "conversation")
    else:
        assert outcome(third) == ("weak", "weak", 0.5, "score")
    other = asking.ask(EASY, history=[("system", "Another"), ("user", "Good morning"), begun[2]])
    assert outcome(other) == ("weak", "weak", 0.5, "score")
    assert [decision.tier for decision in seen[:2]] == ["weak", "strong"]
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("utility", "expected"),
    [
        ({}, ("weak", "weak", None, "utility")),
        ({"utility": "strong"}, ("strong", "strong", None, "utility")),
        ({"utility": "score"}, ("strong", "strong", 1.0, "score")),
    ],
)
def test_a_call_that_serves_the_application(
    adapter: Any, utility: dict[str, str], expected: Any
) -> None:
    title = f"<session>\n{HARD}\n</session>\n\nWrite the title of this session, and nothing else."
    asking = adapter(**LENGTH, **utility)
    assert outcome(asking.ask(title)) == expected
    assert outcome(asking.ask(EASY)) == ("weak", "weak", 0.5, "score")


def test_exploration_goes_to_the_other_model_and_is_told(adapter: Any) -> None:
    exploring = adapter(**LENGTH, explore=0.5)
    reports = [exploring.ask(f"{EASY} {at}") for at in range(24)]
    explored = [each["cause"] == "exploration" for each in reports]
    assert 0 < sum(explored) < 24
    for report, is_explored in zip(reports, explored, strict=True):
        assert report["score"] < 1.0
        by_threshold = "strong" if report["score"] >= report["threshold"] else "weak"
        assert (report["tier"] != by_threshold) == is_explored
        assert report["served"] == report["tier"]
        assert report["propensity"] == 0.5
    assert len({each["draw"] for each in reports}) == 24


def test_a_changed_checkpoint_is_taken_up_without_a_restart(
    adapter: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reload, "INTERVAL_S", 0.01)
    folder = Path(shutil.copytree(BUNDLED / "mf", tmp_path / "router"))
    options = {"router_options": {"checkpoint": str(folder)}}
    routed = adapter(router="mf", strong_share=0.3, **options)
    before = routed.ask(HARD)
    tensors = load_file(folder / WEIGHTS)
    weights = tensors["text_proj.0.weight"]
    write_whole(folder / WEIGHTS, save({**tensors, "text_proj.0.weight": weights * 0.5}))
    for _ in range(200):
        after = routed.ask(HARD)
        if after["score"] != before["score"]:
            break
        time.sleep(0.01)
    assert after["score"] != before["score"]
    assert after["threshold"] != before["threshold"]
    fresh = RoutingPolicy("mf", strong_share=0.3, **options).decide(HARD)
    assert (after["score"], after["threshold"], after["tier"]) == (
        *(pytest.approx(fresh.score), pytest.approx(fresh.threshold)),
        fresh.tier,
    )
