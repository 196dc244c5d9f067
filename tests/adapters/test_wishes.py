"""How much goes to the strong model, as users wish it: the same in every adapter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from routellm_core import ConfigError, RoutingPolicy
from routellm_core.rules.calibration import calibration_of
from tests.adapters.cases import LENGTH, WARNINGS, Adapter, outcome
from tests.fakes.routers import EASY, HARD

pytestmark = WARNINGS


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
        ({"calibration": "/"}, "calibration / is not a calibration file: make it again"),
        ({"calibration": __file__}, "cannot be read (not JSON): make it again with `routellm cal"),
        ({"router": "constant", "strong_share": 0.3}, "gives all usual prompts the score 0.5"),
        ({"router": "constant", **PRICES, "saving": 0.3}, "separates them for 'saving'"),
        ({"threshold": 0.5, "adapt": True}, "'adapt' keeps a share, and 'threshold' sets none"),
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
    # That it moves at all takes a thousand calls: tests/core/rules/test_adapt.py.
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


def test_a_call_may_bring_its_threshold_over_a_calibration(adapter: Any, tmp_path: Path) -> None:
    asking = adapter(router="length", calibration=calibrated(tmp_path / "support.json"))
    report = asking.ask(EASY, override={"threshold": 0.4})
    assert outcome(report) == ("strong", "strong", 0.5, "score")


def test_a_call_may_bring_its_threshold(adapter: Any) -> None:
    asking = adapter(**LENGTH)
    report = asking.ask(EASY, override={"threshold": 0.4})
    assert outcome(report) == ("strong", "strong", 0.5, "score")
    assert report["threshold"] == 0.4
    assert outcome(asking.ask(EASY)) == ("weak", "weak", 0.5, "score")
