"""`adapt`: the threshold follows traffic, so that the share stays what was meant."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from routellm_core import ConfigError, Router, RoutingPolicy
from routellm_core.rules.adapt import moved
from routellm_core.rules.calibration import calibration_of
from routellm_core.rules.drift import Sketch
from routellm_core.rules.share import quantiles_of
from tests.fakes.scripted import routers_of


class Even(Router):
    """Scores a text that is a number with that number; usual ones are even in [0, 1]."""

    instant = True

    def score(self, prompts):
        return np.array([float(prompt) for prompt in prompts])

    @property
    def score_quantiles(self):
        return np.linspace(0.0, 1.0, 201)


@pytest.fixture(autouse=True)
def even(plugin) -> None:
    plugin(routers_of(even=Even))


def traffic(power: float, n: int, seed: int = 0) -> list[str]:
    """Scores whose share at or above t is 1 - t ** (1 / power)."""
    return [f"{score:.9f}" for score in np.random.default_rng(seed).random(n) ** power]


def share_of(policy: RoutingPolicy, texts: list[str]) -> float:
    return float(np.mean([each.tier == "strong" for each in policy.decide_many(texts)]))


@pytest.mark.parametrize("power", [0.7, 1.0, 1.5], ids=["harder", "as usual", "easier"])
def test_the_share_is_kept_where_traffic_is_another(power, caplog):
    fixed = RoutingPolicy("even", strong_share=0.3)
    adapting = RoutingPolicy("even", strong_share=0.3, adapt=True)
    with caplog.at_level(logging.INFO, logger="routellm_core.policy.watch"):
        for policy in (fixed, adapting):
            for seed in range(5):
                policy.decide_many(traffic(power, 1_000, seed))
    later = traffic(power, 4_000, 9)
    assert share_of(adapting, later) == pytest.approx(0.3, abs=0.03)
    assert share_of(fixed, later) == pytest.approx(1 - 0.7 ** (1 / power), abs=0.03)
    assert fixed.threshold == pytest.approx(0.7)
    assert "of the last 1000 scored calls went to the strong model, where 30.0 % are meant" in (
        caplog.text
    )


@pytest.mark.parametrize(("power", "bound"), [(0.05, 0.85), (20.0, 0.4)])
def test_it_moves_only_so_far_and_says_so_once(power, bound, caplog):
    policy = RoutingPolicy("even", strong_share=0.3, adapt=True)
    with caplog.at_level(logging.WARNING, logger="routellm_core"):
        for seed in range(5):
            policy.decide_many(traffic(power, 1_000, seed))
    assert policy.threshold == pytest.approx(bound)
    (record,) = caplog.records
    assert "'adapt' moves it no further" in record.getMessage()
    assert "routellm calibrate --prompts FILE" in record.getMessage()


def test_decisions_tell_the_threshold_they_were_made_by():
    policy = RoutingPolicy("even", strong_share=0.3, adapt=True)
    before = policy.decide("0.65")
    assert (before.tier, before.threshold) == ("weak", pytest.approx(0.7))
    policy.decide_many(traffic(1.5, 2_000))
    after = policy.decide("0.65")
    assert after.tier == "strong"
    assert after.threshold == policy.threshold == policy.status().threshold < 0.65


def test_it_begins_anew_in_a_new_process_unless_told_where_to_keep_it(tmp_path: Path):
    kept = tmp_path / "threshold.json"
    for adapt, begins in ((True, 0.7), (kept, None)):
        policy = RoutingPolicy("even", strong_share=0.3, adapt=adapt)
        policy.decide_many(traffic(1.5, 2_000))
        assert policy.threshold < 0.65
        again = RoutingPolicy("even", strong_share=0.3, adapt=adapt)
        assert again.threshold == pytest.approx(policy.threshold if begins is None else begins)
    assert json.loads(kept.read_text())["share"] == 0.3
    assert [each.name for each in tmp_path.iterdir()] == ["threshold.json"]
    # Kept for another share: not used.
    assert RoutingPolicy("even", strong_share=0.5, adapt=kept).threshold == pytest.approx(0.5)


def test_a_kept_threshold_is_used_within_the_bounds(tmp_path: Path):
    kept = tmp_path / "threshold.json"
    values = {"router": "even", "fingerprint": None, "share": 0.3}
    kept.write_text(json.dumps({"routellm_adapted": 1, "threshold": 0.01, **values}))
    policy = RoutingPolicy("even", strong_share=0.3, adapt=kept)
    assert policy.threshold == pytest.approx(0.4)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"routellm_adapted": 1, "threshold": 7}'])
def test_another_file_is_not_written_over(tmp_path: Path, content: str):
    other = tmp_path / "notes.json"
    other.write_text(content)
    with pytest.raises(
        ConfigError, match="does not hold a threshold kept by 'adapt': name another"
    ):
        RoutingPolicy("even", strong_share=0.3, adapt=other)
    assert other.read_text() == content
    with pytest.raises(ConfigError, match="there is no such folder"):
        RoutingPolicy("even", strong_share=0.3, adapt=tmp_path / "absent" / "threshold.json")


def test_a_guarantee_of_quality_does_not_move(tmp_path: Path):
    path = tmp_path / "support.json"
    calibration = calibration_of(
        np.linspace(0, 1, 100),
        0.6,
        router="even",
        fingerprint=None,
        rule={"max_quality_loss": 0.05, "confidence": 0.95},
        data="0" * 64,
        date="2026-11-28",
        guarantee="with confidence 0.95, ...",
    )
    path.write_text(calibration.as_json())
    assert RoutingPolicy("even", calibration=path).threshold == 0.6
    with pytest.raises(ConfigError, match="holds only for its own threshold: remove 'adapt'"):
        RoutingPolicy("even", calibration=path, adapt=True)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_and_nothing_stay_so(share):
    policy = RoutingPolicy("even", strong_share=share, adapt=True)
    policy.decide_many(traffic(3.0, 3_000))
    assert share_of(policy, traffic(1.0, 1_000)) == share


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_the_threshold_is_read_off_the_scores(share):
    scores = np.random.default_rng(3).beta(2, 5, 20_000)
    sketch = Sketch(np.linspace(0.0, 1.0, 201))
    for score in scores[:9_999]:
        sketch.add(float(score), False)
    threshold = sketch.threshold_for(share)
    assert threshold is not None
    assert (scores >= threshold).mean() == pytest.approx(share, abs=0.02)


def test_what_is_wanted_within_the_bounds_is_what_is_done():
    quantiles = quantiles_of(np.linspace(0.0, 1.0, 1_001))
    found = moved(0.75, 0.3, quantiles.tolist())
    assert (found.threshold, found.at_bound) == (0.75, False)
