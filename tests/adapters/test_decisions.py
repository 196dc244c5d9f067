"""Every adapter decides alike, reports alike and fails no call."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from routellm_core import ConfigError, Decision, RoutingPolicy, hookimpl, route_on
from routellm_core.checkpoints.store import BUNDLED, WEIGHTS, write_whole
from routellm_core.policy import reload
from routellm_core.rules.calibration import calibration_of
from tests.adapters import ADAPTERS
from tests.adapters.cases import KEYS, Adapter
from tests.fakes import routers
from tests.fakes.openai_upstream import Upstream
from tests.fakes.routers import EASY, HARD
from tests.fakes.scripted import ScriptedPlugin

pytestmark = [
    # LiteLLM's own, about its TypedDicts and about how this suite closes its Router.
    pytest.mark.filterwarnings("ignore:Item.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Router.discard is deprecated"),
]
LENGTH = {"router": "length", "threshold": 0.6}


class Asking:
    """An adapter between two stand-ins; its reports say which of them was really called."""

    def __init__(self, adapter: Adapter, upstreams: dict[str, Upstream]) -> None:
        self._adapter = adapter
        self._upstreams = upstreams

    def ask(self, text: str | None, **call: Any) -> dict[str, Any]:
        before = self._counts()
        report = self._adapter.ask(text, **call)
        after = self._counts()
        called = [name for name in after if after[name] != before[name]]
        assert called == [report["served"]]
        assert set(KEYS) <= set(report)
        assert report["elapsed_ms"] >= 0
        return report

    def settled(self, first: str, then: str) -> list[dict[str, Any]]:
        return self._adapter.settled(first, then)

    def _counts(self) -> dict[str, int]:
        return {name: len(upstream.requests) for name, upstream in self._upstreams.items()}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[dict[str, Upstream]]:
    with Upstream("strong") as strong, Upstream("weak") as weak:
        yield {"strong": strong, "weak": weak}


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def kind(request: pytest.FixtureRequest) -> type[Adapter]:
    return request.param


@pytest.fixture
def adapter(
    kind: type[Adapter],
    upstreams: dict[str, Upstream],
    plugin: Callable[[object], object],
    scripted: ScriptedPlugin,
) -> Iterator[Callable[..., Asking]]:
    """Make an adapter of these settings; routers that are easy to predict are installed."""
    plugin(routers)
    made: list[Adapter] = []

    def make(**settings: Any) -> Asking:
        made.append(kind(upstreams["strong"].url, upstreams["weak"].url, **settings))
        return Asking(made[-1], upstreams)

    yield make
    for each in made:
        each.close()


@pytest.fixture
def seen(plugin: Callable[[object], object]) -> list[Decision]:
    """Every decision, as an observer sees it."""
    decisions: list[Decision] = []
    plugin(SimpleNamespace(routellm_decided=hookimpl(lambda decision: decisions.append(decision))))
    return decisions


def scripted_settings(kind: str, **settings: Any) -> dict[str, Any]:
    return {"router": "scripted", "router_options": {"kind": kind}, "threshold": 0.5, **settings}


def outcome(report: dict[str, Any]) -> tuple[Any, ...]:
    return report["served"], report["tier"], report["score"], report["cause"]


@pytest.mark.parametrize(("text", "tier", "score"), [(EASY, "weak", 0.5), (HARD, "strong", 1.0)])
def test_the_score_decides(
    adapter: Any, seen: list[Decision], text: str, tier: str, score: float
) -> None:
    report = adapter(**LENGTH).ask(text)
    assert outcome(report) == (tier, tier, score, "score")
    assert (report["threshold"], report["router"]) == (0.6, "length")
    (decision,) = seen
    assert {name: report[name] for name in KEYS} == decision.as_metadata()


def calibrated(
    path: Path,
    router: str = "length",
    fingerprint: str | None = None,
    threshold: float = 0.6,
    guarantee: str | None = None,
) -> str:
    """Write a calibration file."""
    calibration = calibration_of(
        np.linspace(0.1, 1.0, 50),
        threshold,
        router=router,
        fingerprint=fingerprint,
        rule={"max_quality_loss": 0.05, "confidence": 0.95} if guarantee else {"strong_share": 0.5},
        data="0" * 64,
        date="2026-11-28",
        guarantee=guarantee,
    )
    path.write_text(calibration.as_json())
    return str(path)


@pytest.mark.parametrize(("text", "tier", "score"), [(EASY, "weak", 0.5), (HARD, "strong", 1.0)])
def test_a_calibration_file_stands_for_a_threshold(
    adapter: Any, tmp_path: Path, text: str, tier: str, score: float
) -> None:
    asking = adapter(router="length", calibration=calibrated(tmp_path / "support.json"))
    report = asking.ask(text)
    assert outcome(report) == (tier, tier, score, "score")
    assert report["threshold"] == 0.6


PRICES = {"strong_price": [10, 10], "weak_price": [1, 1], "tokens_per_request": [600, 400]}
"""A thousand requests cost $10 on the strong model and $1 on the weak one."""

WISHES = {
    "threshold": (0.4, 0.8),
    "strong_share": (0.6, 0.2),
    "saving": (0.36, 0.72),
    "max_cost_per_1k_requests": (6.4, 2.8),
    "calibration": (0.4, 0.8),
    "max_quality_loss": (0.4, 0.8),
}
"""What a user wishes so that the threshold is .4, and that it is .8; for a calibration file and a
bound on the loss of quality, which is one with a guarantee, what the file holds."""


def wished(folder: Path, wish: str, value: float) -> dict[str, Any]:
    """Return a wish as it is set, in the config, in Python or in a call."""
    if wish not in ("calibration", "max_quality_loss"):
        return {wish: value}
    guarantee = "at most 0.05 below" if wish == "max_quality_loss" else None
    path = folder / f"{wish}-{value}.json"
    return {
        "calibration": calibrated(path, "graded", threshold=value, guarantee=guarantee),
    }


@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_in_the_config(adapter: Any, tmp_path: Path, wish: str) -> None:
    for value, threshold, tier in zip(WISHES[wish], (0.4, 0.8), ("strong", "weak"), strict=True):
        settings = wished(tmp_path, wish, value)
        asking = adapter(router="graded", **PRICES, **settings)
        report = asking.ask(EASY)
        assert outcome(report) == (tier, tier, 0.5, "score")
        assert report["threshold"] == pytest.approx(threshold)
        assert outcome(asking.ask(HARD))[0] == "strong"
        policy = RoutingPolicy("graded", **PRICES, **settings)
        assert policy.threshold == report["threshold"]


@pytest.mark.parametrize("own", ["strong_share", "max_quality_loss"])
@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_of_one_call(
    kind: type[Adapter], adapter: Any, tmp_path: Path, wish: str, own: str
) -> None:
    override = wished(tmp_path, wish, WISHES[wish][0])
    settings = {**PRICES, **wished(tmp_path, own, WISHES[own][1])}
    if kind.name == "litellm" and "calibration" in override:
        # A request names no file of the server's: it asks for one that the entry offers.
        settings["allow_override"] = {"calibrations": {"support": override["calibration"]}}
        override = {"calibration": "support"}
    asking = adapter(router="graded", **settings)
    report = asking.ask(EASY, override=override)
    assert outcome(report) == ("strong", "strong", 0.5, "score")
    assert report["threshold"] == pytest.approx(0.4)
    assert outcome(asking.ask(EASY))[0] == "weak"


NO_TOKENS = {key: PRICES[key] for key in ("strong_price", "weak_price")}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"saving": 0.5, "strong_share": 0.3}, "'strong_share' and 'saving' are set: keep one"),
        ({"strong_share": 1.3}, "'strong_share' is 1.3: input should be less than or equal to 1"),
        ({"saving": -0.1}, "'saving' is -0.1: input should be greater than or equal to 0"),
        ({**PRICES, "saving": 0.99}, "so 90.0% can be saved at most, not 99.0%"),
        ({**PRICES, "max_cost_per_1k_requests": 0.5}, "cost $1 on the weak model alone"),
        ({**NO_TOKENS, "max_cost_per_1k_requests": 5}, "write tokens_per_request: [500, 300]"),
        ({**PRICES, "weak_price": [20, 20], "saving": 0.1}, "so there is nothing to save"),
        ({"saving": 0.1, "weak_price": [1, 1], "strong_price": 3}, "such as [2.5, 10], or the"),
        ({"saving": 0.1, "strong_price": "gpt-4o", "weak_price": "gpt-4o-minni"}, "4o-mini'"),
        ({"max_quality_loss": 0.02, "confidence": 0.95}, "--max-quality-loss 0.02"),
        ({"router": "length", **PRICES, "saving": 0.3}, "so 'saving' cannot be turned into"),
        ({"threshold": 0.5, "hold": "cache", "weak_price": [1, 1], "strong_price": []}, "such as"),
        ({"strong_share": float("nan")}, "'strong_share' is nan: input should be a finite number"),
        ({"strong_share": "much"}, "'strong_share' is 'much': input should be a valid number"),
        ({"strong_share": True}, "'strong_share' is True: write a number"),
        ({"saving": 1.3}, "'saving' is 1.3: input should be less than or equal to 1"),
        ({"max_cost_per_1k_requests": -1}, "is -1: input should be greater than or equal to 0"),
        ({"calibration": "/"}, "calibration / is no calibration file: make it again"),
        ({"calibration": __file__}, "cannot be read (no JSON): make it again with `routellm cal"),
        ({"router": "constant", "strong_share": 0.3}, "gives all usual prompts the score 0.5"),
        ({"router": "constant", **PRICES, "saving": 0.3}, "parts them for 'saving'"),
        ({"threshold": 0.5, "adapt": True}, "'adapt' keeps a share, and 'threshold' names none"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line_before_traffic(
    adapter: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        adapter(**{"router": "graded", **settings})
    # In LiteLLM's adapter, which reports all mistakes, a line for each entry.
    assert message in str(raised.value).splitlines()[0]
    assert len(str(raised.value).splitlines()) <= 2


def test_adapt_keeps_the_share_and_a_wish_of_one_call_does_not_move(
    kind: type[Adapter], adapter: Any
) -> None:
    # That it moves at all takes a thousand calls: tests/core/test_adapt.py.
    asking = adapter(router="graded", strong_share=0.2, adapt=True)
    assert outcome(asking.ask(EASY))[0] == "weak"
    if kind.name != "litellm":  # where a name would be a route of its own
        assert outcome(asking.ask(EASY, override={"threshold": 0.4}))[0] == "strong"
    assert outcome(asking.ask(EASY, override={"strong_share": 0.6}))[0] == "strong"


def test_a_calibration_of_another_router_or_checkpoint_is_refused_before_traffic(
    adapter: Any, tmp_path: Path
) -> None:
    of_random = calibrated(tmp_path / "random.json", router="random")
    with pytest.raises(ConfigError, match="was made for router 'random', and this is 'length'"):
        adapter(router="length", calibration=of_random)
    other = calibrated(tmp_path / "other.json", fingerprint="length:v2")
    with pytest.raises(ConfigError, match="was made for another checkpoint of router 'length'"):
        adapter(router="length", calibration=other)
    with pytest.raises(ConfigError, match="'threshold' and 'calibration' are set: keep one"):
        adapter(router="length", threshold=0.5, calibration=other)
    with pytest.raises(ConfigError, match=r"absent\.json cannot be read .No such file"):
        adapter(router="length", calibration=str(tmp_path / "absent.json"))


def test_a_call_may_bring_its_threshold_over_a_calibration(
    kind: type[Adapter], adapter: Any, tmp_path: Path
) -> None:
    if not kind.overrides:
        pytest.skip(f"{kind.name} has no settings of one call")
    asking = adapter(router="length", calibration=calibrated(tmp_path / "support.json"))
    report = asking.ask(EASY, override={"threshold": 0.4})
    assert outcome(report) == ("strong", "strong", 0.5, "score")


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
        ({"ignore": ["aidr"]}, "there is no ready pattern 'aidr': did you mean 'aider'?"),
        ({"ignore": ["(x"]}, "'(x' is no regular expression"),
        ({"ignore": [".*"]}, "'.*' matches the empty text"),
        ({"extract": r"<q>.*</q>"}, "has no group: put the human's words in (...)"),
        ({"extract": 3}, "write regular expressions, or of these names: dspy"),
        ({"scored": "first"}, "'scored' is 'first'"),
    ],
)
def test_a_pattern_that_cannot_be_meant(
    adapter: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        adapter(**LENGTH, **settings)
    assert message in str(raised.value)


@pytest.mark.parametrize(("weak_price", "tier"), [([5, 10], "strong"), ([0.5, 1], "weak")])
def test_a_prompt_cache_that_is_warm_holds_a_conversation(
    kind: type[Adapter], adapter: Any, weak_price: list[float], tier: str
) -> None:
    # At half the price the weak model pays after 11.5 calls, at a twentieth after .6.
    held = {"hold": "cache", "strong_price": [10, 20], "weak_price": weak_price}
    begun = [("system", f"{kind.name} {tier} " + "rules " * 1_000)]
    for settings in (held, {**held, "hold": "off"}):
        asking = adapter(**LENGTH, **settings)
        asking.ask(HARD, history=begun)
        told = [*begun, ("user", HARD), ("assistant", "Done.")]
        report = asking.ask(EASY, history=told)
        if settings["hold"] == "off" or tier == "weak":
            assert outcome(report) == ("weak", "weak", 0.5, "score")
        else:
            assert outcome(report) == ("strong", "strong", 0.5, "cache")
        # Another beginning, or a short one, was never read.
        changed = [("system", "Other " + begun[0][1]), *told[1:]]
        assert outcome(asking.ask(EASY, history=changed))[0] == "weak"
        assert outcome(asking.ask(EASY, history=told[1:]))[0] == "weak"


THOUGHT = ("assistant", "Thought: I look it up.\nAction: search")
STEPS: dict[str, Callable[[str, str], tuple[list[tuple[str, str]], str]]] = {
    "text ReAct": lambda ask, other: ([("user", ask), THOUGHT], f"Observation: {other}"),
    "a command's result": lambda ask, other: (
        [("user", ask), THOUGHT],
        f"<returncode>0</returncode>\n<output>\n{other}\n</output>",
    ),
    "a harness's reminder": lambda ask, other: (
        [("user", ask), ("assistant", "Done.")],
        f"<system-reminder>\n{other}\n</system-reminder>",
    ),
    "summarised before the ask": lambda ask, other: (
        [("user", f"Here is a summary of the conversation to date:\n\n{other}")],
        ask,
    ),
    "summarised after the ask": lambda ask, other: (
        [("user", ask), ("assistant", "Done.")],
        "Another language model started to solve this problem and produced a summary of it: "
        + other,
    ),
    "trimmed to the last turns": lambda ask, other: (
        [("assistant", other), ("user", ask), ("assistant", "Done.")],
        "continue",
    ),
}
"""What agents send after an ask: the messages before, and the last one."""


@pytest.mark.parametrize("step", STEPS)
def test_an_agent_keeps_its_model_through_its_loop(adapter: Any, step: str) -> None:
    asking = adapter(**LENGTH)
    for ask, other, tier in ((HARD, EASY, "strong"), (EASY, HARD, "weak")):
        history, last = STEPS[step](ask, other)
        report = asking.ask(last, history=history)
        assert (report["served"], report["score"]) == (tier, asking.ask(ask)["score"])


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


def test_a_call_may_bring_its_threshold(kind: type[Adapter], adapter: Any) -> None:
    if not kind.overrides:
        pytest.skip(f"{kind.name} has no settings of one call")
    asking = adapter(**LENGTH)
    report = asking.ask(EASY, override={"threshold": 0.4})
    assert outcome(report) == ("strong", "strong", 0.5, "score")
    assert report["threshold"] == 0.4
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
