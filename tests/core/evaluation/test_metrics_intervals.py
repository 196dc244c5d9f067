"""Bootstrap intervals: seeded, paired, by unit, and right as often as they claim."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core.evaluation.intervals import band, bootstrap_apgr, interval, resamples
from routellm_core.evaluation.metrics import Curves, Floats, Ranking, apgr


def _counts(units: list[int], draws: int, seed: int = 0) -> Floats:
    return np.concatenate(list(resamples(np.array(units), draws, seed)))


def test_a_resample_has_as_many_units_as_there_are() -> None:
    counts = _counts(list(range(30)), 50)
    assert counts.shape == (50, 30)
    assert (counts.sum(axis=1) == 30).all()
    assert counts.std() == pytest.approx(1.0, abs=0.1)


def test_queries_of_a_unit_come_and_go_together() -> None:
    counts = _counts([0, 0, 1, 2, 2, 2], 200)
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()


def test_resamples_are_seeded_and_do_not_depend_on_how_many_follow() -> None:
    few, many = _counts(list(range(5000)), 70), _counts(list(range(5000)), 130)
    assert (few == many[:70]).all()
    assert (few != _counts(list(range(5000)), 70, seed=1)).any()


def test_intervals_are_paired() -> None:
    rng = np.random.default_rng(3)
    strong, weak = rng.random(200) + 0.5, rng.random(200)
    scores = {"a": rng.random(200), "b": strong - weak}
    both = bootstrap_apgr(scores, strong, weak, draws=120, seed=7)
    alone = bootstrap_apgr({"a": scores["a"]}, strong, weak, draws=120, seed=7)
    assert (alone["a"] == both["a"]).all()
    low, high = interval(both["b"] - both["a"])
    assert 0 < low < apgr(scores["b"], strong, weak) - apgr(scores["a"], strong, weak) < high


def test_as_many_draws_lie_beyond_either_end() -> None:
    draws = np.random.default_rng(0).permutation(np.arange(1.0, 1000.0))
    assert interval(draws) == pytest.approx((25, 975), abs=1e-9)
    assert np.array(band(draws[:, None] * [1, 2])) == pytest.approx(
        np.array([[25, 50], [975, 1950]]), abs=1e-9
    )


def test_undefined_draws_are_left_out() -> None:
    assert interval(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()


def test_intervals_cover_the_truth_at_the_nominal_rate() -> None:
    """2,000 samples of 300 queries: 95 % of the intervals, within binomial error."""
    rng = np.random.default_rng(4)
    share, draws, repeats, n = np.array([0.3]), 79, 2_000, 300  # 79: no interpolation

    def sample(n: int) -> tuple[Floats, Floats, Floats]:
        score = rng.random(n)
        strong, weak = rng.random((2, n)) < [0.6 + 0.3 * score, np.full(n, 0.35)]
        return score, score + 0.5 * rng.random(n), strong.astype(float) - weak

    def figures(score: Floats, other: Floats, gains: Floats, counts: Floats) -> list[Floats]:
        curves = Curves(Ranking(score), counts, gains)
        apgr = curves.apgr()
        return [
            apgr,
            apgr - Curves(Ranking(other), counts, gains).apgr(),
            curves.mean_gain(share)[:, 0],
            curves.cpt(0.5),
        ]

    everywhere = np.ones((1, 2_000_000))
    truth = [figure[0] for figure in figures(*sample(2_000_000), everywhere)]
    resampled = _counts(list(range(n)), draws)
    covered = np.zeros(4)
    for _ in range(repeats):
        ends = [interval(figure) for figure in figures(*sample(n), resampled)]
        covered += [low <= true <= high for (low, high), true in zip(ends, truth, strict=True)]
    error = 2.5 * np.sqrt(0.95 * 0.05 / repeats)  # two-sided 95 % for four figures at once
    assert covered / repeats == pytest.approx(0.95, abs=error)
