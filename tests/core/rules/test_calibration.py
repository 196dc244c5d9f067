"""Reliability of the win rate: closed forms, ties, and intervals against the truth."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from routellm_core.evaluation.reliability import outcomes, reliability


def _scored(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, ...]:
    """Scores that are ``shift`` too low, and qualities of 0 or 1."""
    score = rng.uniform(0.2, 0.8, n)
    wins = rng.random(n) < score + shift
    return score, wins.astype(float), 1.0 - wins


def test_better_equal_and_worse_answers_are_one_a_half_and_nothing() -> None:
    assert outcomes(np.array([1.0, 2, 3]), np.array([0.0, 2, 9])).tolist() == [1, 0.5, 0]


def test_two_bins_have_closed_forms() -> None:
    scores = np.array([0.9, 0.7, 0.2, 0.4])
    strong, weak = np.array([1.0, 5, 0, 3]), np.array([0.0, 5, 1, 2])
    found = reliability(scores, strong, weak, bins=2, draws=200)
    assert found.score == pytest.approx([0.3, 0.8], abs=1e-12)
    assert found.outcome == pytest.approx([0.5, 0.75], abs=1e-12)
    assert found.count.tolist() == [2, 2]
    assert found.ece.value == pytest.approx((2 * 0.2 + 2 * 0.05) / 4, abs=1e-12)
    squares = [0.1**2, 0.2**2, 0.2**2, 0.6**2]
    assert found.brier.value == pytest.approx(np.mean(squares), abs=1e-12)
    assert found.brier_of_mean == pytest.approx(np.var([1, 0.5, 0, 1]), abs=1e-12)


def test_few_queries_make_few_bins() -> None:
    rng = np.random.default_rng(6)
    sizes = [
        len(reliability(*_scored(rng, n, 0.0), draws=100).count) for n in (10, 72, 160, 250, 900)
    ]
    assert sizes == [1, 2, 6, 10, 10]


def test_a_constant_score_is_one_bin() -> None:
    strong = np.array([1.0, 1, 1, 0, 0])
    found = reliability(np.full(5, 0.9), strong, np.full(5, 0.5), draws=100)
    assert found.count.tolist() == [5]
    assert found.ece.value == pytest.approx(0.3, abs=1e-12)
    assert found.brier.value == pytest.approx(0.3**2 + found.brier_of_mean, abs=1e-12)


def test_the_order_of_equal_scores_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 7, 60) / 10
    strong, weak = rng.random((2, 60))
    order = rng.permutation(60)
    one = reliability(scores, strong, weak, draws=100)
    other = reliability(scores[order], strong[order], weak[order], draws=100)
    assert one.ece.value == pytest.approx(other.ece.value, abs=1e-12)
    assert one.outcome == pytest.approx(other.outcome, abs=1e-12)


def test_many_equal_scores_leave_the_others_their_bin() -> None:
    scores = np.array([0.1] * 7 + [0.9])
    found = reliability(scores, np.arange(8.0), np.full(8, 3.0), bins=2, draws=100)
    assert found.count.tolist() == [7, 1]


def test_bins_hold_equally_many_queries() -> None:
    rng = np.random.default_rng(1)
    found = reliability(*_scored(rng, 1000, 0.0), draws=100)
    assert found.count.tolist() == [100] * 10
    assert (np.diff(found.score) > 0).all()


@pytest.mark.parametrize("shift", [0.0, 0.05, 0.2])
def test_intervals_cover_the_truth(shift: float) -> None:
    """The true ECE is the shift, the true Brier score the variance left plus its square."""
    rng = np.random.default_rng(2)
    rate = rng.uniform(0.2, 0.8, 1_000_000) + shift
    brier = float((rate * (1 - rate)).mean()) + shift**2
    rounds, ece_held, brier_held = 200, 0, 0
    for _ in range(rounds):
        found = reliability(*_scored(rng, 600, shift), draws=119)
        ece_held += found.ece.low <= shift <= found.ece.high
        brier_held += found.brier.low <= brier <= found.brier.high
    spread = 3 * np.sqrt(0.95 * 0.05 * rounds)
    assert ece_held >= 0.95 * rounds - spread
    assert abs(brier_held - 0.95 * rounds) <= spread


def test_noise_is_told_from_a_lack_of_calibration() -> None:
    rng = np.random.default_rng(3)
    calibrated = reliability(*_scored(rng, 2000, 0.0))
    assert calibrated.ece.low == 0
    assert calibrated.ece.value == pytest.approx(calibrated.ece_of_noise, rel=0.5)
    assert reliability(*_scored(rng, 2000, 0.2)).ece.low > 0.1


def test_intervals_of_bins_cover_their_rate() -> None:
    rng = np.random.default_rng(4)
    found = [reliability(*_scored(rng, 500, 0.1), bins=5, draws=200) for _ in range(60)]
    held = [(r.low <= r.score + 0.1) & (r.score + 0.1 <= r.high) for r in found]
    assert 0.9 <= np.mean(held) <= 0.99


def test_queries_of_a_unit_are_resampled_together() -> None:
    rng = np.random.default_rng(5)
    score, strong, weak = _scored(rng, 200, 0.2)
    alone = reliability(score, strong, weak)
    twice = [np.repeat(values, 2) for values in (score, strong, weak)]
    together = reliability(*twice, np.repeat(np.arange(200), 2))
    apart = reliability(*twice)
    assert astuple(together.brier) == pytest.approx(astuple(alone.brier), abs=1e-12)
    assert apart.brier.high - apart.brier.low < 0.8 * (alone.brier.high - alone.brier.low)
