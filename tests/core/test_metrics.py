"""Metrics against closed forms, and intervals against the truth."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core.evaluation.intervals import _apgr_of, bootstrap_apgr, interval
from routellm_core.evaluation.metrics import apgr, pgr_curve

STRONG = np.array([1.0, 1.0, 1.0, 0.0])
WEAK = np.array([1.0, 0.0, 0.0, 1.0])
"""Gains 0, 1, 1, -1: a gap of 1 query."""


def _qualities(rng: np.random.Generator, n: int, gap: float) -> tuple[np.ndarray, np.ndarray]:
    return rng.random(n) + gap, rng.random(n)


def test_oracle_and_inverse_have_closed_forms() -> None:
    gains = STRONG - WEAK
    assert pgr_curve(gains, STRONG, WEAK) == pytest.approx([0, 1, 2, 2, 1], abs=1e-12)
    assert apgr(gains, STRONG, WEAK) == pytest.approx(5.5 / 4, abs=1e-12)
    assert apgr(-gains, STRONG, WEAK) == pytest.approx(1 - 5.5 / 4, abs=1e-12)


def test_constant_score_is_chance() -> None:
    assert apgr(np.full(4, 0.3), STRONG, WEAK) == pytest.approx(0.5, abs=1e-12)


def test_ties_are_the_mean_over_their_orders() -> None:
    tied = np.array([2.0, 1.0, 1.0, 0.0])
    orders = [np.array([3.0, 2.0, 1.0, 0.0]), np.array([3.0, 1.0, 2.0, 0.0])]
    expected = np.mean([apgr(scores, STRONG, WEAK) for scores in orders])
    assert apgr(tied, STRONG, WEAK) == pytest.approx(expected, abs=1e-12)


def test_random_scores_average_one_half() -> None:
    rng = np.random.default_rng(0)
    strong, weak = _qualities(rng, 50, gap=0.3)
    values = [apgr(rng.random(50), strong, weak) for _ in range(2000)]
    assert np.mean(values) == pytest.approx(0.5, abs=0.01)


def test_a_resample_of_everything_once_gives_the_metric_itself() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 5, 40).astype(float)
    strong, weak = rng.random((2, 40))
    once = _apgr_of(np.ones((1, 40), np.int64), scores, strong - weak)
    assert once[0] == pytest.approx(apgr(scores, strong, weak), abs=1e-12)


def test_resampling_equals_repeating_the_queries() -> None:
    rng = np.random.default_rng(2)
    scores = rng.integers(0, 5, 30).astype(float)
    strong, weak = _qualities(rng, 30, gap=0.5)
    picked = rng.integers(30, size=30)
    counts = np.bincount(picked, minlength=30)[None]
    assert _apgr_of(counts, scores, strong - weak)[0] == pytest.approx(
        apgr(scores[picked], strong[picked], weak[picked]), abs=1e-12
    )


def test_intervals_are_seeded_and_paired() -> None:
    rng = np.random.default_rng(3)
    strong, weak = _qualities(rng, 200, gap=0.5)
    scores = {"a": rng.random(200), "b": strong - weak}
    first, again = (bootstrap_apgr(scores, strong, weak, draws=120, seed=7) for _ in range(2))
    assert all((first[name] == again[name]).all() for name in scores)
    alone = bootstrap_apgr({"a": scores["a"]}, strong, weak, draws=120, seed=7)
    assert (alone["a"] == first["a"]).all()
    low, high = interval(first["b"] - first["a"])
    assert 0 < low < apgr(scores["b"], strong, weak) - apgr(scores["a"], strong, weak) < high


def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(4)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        score = rng.random(n)
        return score, (rng.random(n) < 0.6 + 0.3 * score).astype(float), np.full(n, 0.4)

    truth = apgr(*draw(400_000))
    covered = 0
    for _ in range(200):
        score, strong, weak = draw(300)
        low, high = interval(bootstrap_apgr({"r": score}, strong, weak, draws=200)["r"])
        covered += low <= truth <= high
    assert 180 <= covered <= 199
