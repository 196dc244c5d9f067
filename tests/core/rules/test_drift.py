"""What a policy has done of late, beside what was meant, and when it warns."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import numpy as np
import pytest

from routellm_core import Asked, Router, RoutingPolicy
from routellm_core.rules.calibration import calibration_of
from routellm_core.rules.drift import Sketch, p_value
from routellm_core.rules.share import quantiles_of, threshold_in
from tests.fakes.scripted import routers_of


class Spoken(Router):
    """Scores a text that is a number with that number."""

    instant = True

    def score(self, prompts):
        return np.array([float(prompt) for prompt in prompts])


@pytest.fixture
def support(plugin, tmp_path: Path) -> str:
    """A calibration on 5,000 even scores, of which 30 % go to the strong model."""
    plugin(routers_of(spoken=Spoken))
    scores = np.random.default_rng(0).random(5_000)
    path = tmp_path / "support.json"
    calibration = calibration_of(
        scores,
        threshold_in(scores, 0.3),
        router="spoken",
        fingerprint=None,
        rule={"strong_share": 0.3},
        data="0" * 64,
        date="2026-11-28",
    )
    path.write_text(calibration.as_json())
    return str(path)


def texts(scores: np.ndarray) -> list[str]:
    return [f"{score:.9f}" for score in scores]


def test_before_any_call(support):
    status = RoutingPolicy("spoken", calibration=support).status()
    assert (status.scored, status.share, status.distance, status.p_value) == (0, None, None, None)
    assert status.target_share == pytest.approx(0.3)


def test_traffic_as_it_was(support, caplog):
    policy = RoutingPolicy("spoken", calibration=support)
    policy.decide_many(texts(np.random.default_rng(1).random(3_000)))
    status = policy.status()
    assert status.scored == 3_000
    assert status.share == pytest.approx(0.3, abs=0.03)
    assert status.distance < 0.04
    assert status.p_value > 0.01
    assert not caplog.records


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda rng, n: rng.random(n) ** 0.4, "went to the strong model, where 30% were meant"),
        (lambda rng, n: np.where(rng.random(n) < 0.3, 0.8, 0.1), "are unlike the prompts of"),
    ],
    ids=["another share", "another kind"],
)
def test_traffic_that_changed_is_told_once(support, caplog, scores, message):
    policy = RoutingPolicy("spoken", calibration=support)
    rng = np.random.default_rng(2)
    with caplog.at_level(logging.WARNING, logger="routellm_core"):
        for _ in range(5):
            policy.decide_many(texts(scores(rng, 1_000)))
    (record,) = caplog.records
    assert message in record.getMessage()
    assert "routellm calibrate --prompts FILE" in record.getMessage()
    assert policy.status().p_value < 1e-4


def test_a_share_of_usual_traffic_is_watched_too(caplog):
    policy = RoutingPolicy("random", strong_share=0.3)
    policy.decide_many([f"prompt {i}" for i in range(2_000)])
    status = policy.status()
    assert (status.target_share, status.scored) == (0.3, 2_000)
    assert status.share == pytest.approx(0.3, abs=0.03)
    assert status.distance < 0.05
    assert status.p_value is None
    assert not caplog.records


def test_a_threshold_has_no_target():
    policy = RoutingPolicy("random", threshold=0.5)
    policy.decide_many(["a", "b", None])
    status = policy.status()
    assert (status.target_share, status.distance, status.scored) == (None, None, 2)


def test_only_scored_calls_count(support):
    policy = RoutingPolicy("spoken", calibration=support)
    policy.decide("0.9")
    policy.decide("no number")
    policy.decide(Asked(settled="strong"))
    policy.decide("")
    status = policy.status()
    assert (status.scored, status.share, status.errors) == (1, 1.0, {"ValueError": 1})


def test_what_is_kept_is_bounded_and_of_late():
    sketch = Sketch(quantiles_of(np.linspace(0, 1, 1001)), window=100)
    for _ in range(1_000):
        sketch.add(0.1, False)
    for _ in range(250):
        sketch.add(0.9, True)
    scored, share, distance = sketch.figures()
    assert (scored, share) == (150, 1.0)
    assert distance == pytest.approx(0.9, abs=0.01)


def test_ties_are_no_distance():
    scores = np.array([0.2] * 700 + [0.6] * 300)
    sketch = Sketch(quantiles_of(scores))
    for score in scores:
        sketch.add(float(score), False)
    assert sketch.figures()[2] < 0.006


def test_threads_lose_no_count():
    sketch = Sketch([0.0, 0.5, 1.0], window=10**9)
    threads = [
        threading.Thread(target=lambda: [sketch.add(0.7, True) for _ in range(5_000)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sketch.figures()[0] == 20_000


@pytest.mark.parametrize("distance", [0.0, 0.01, 0.03, 0.05, 0.1, 0.5])
def test_the_p_value_is_that_of_kolmogorov_and_smirnov(distance):
    special = pytest.importorskip("scipy.special")
    expected = special.kolmogorov(distance * np.sqrt(3000 * 2000 / 5000))
    assert p_value(distance, 3000, 2000) == pytest.approx(expected, abs=1e-12)
