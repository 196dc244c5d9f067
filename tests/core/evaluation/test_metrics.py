"""Metrics against closed forms and against RouteLLM's own definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routellm_core.evaluation.metrics import Curves, Ranking, apgr

STRONG = np.array([1.0, 1.0, 1.0, 0.0])
WEAK = np.array([1.0, 0.0, 0.0, 1.0])
GAINS = STRONG - WEAK
"""0, 1, 1, -1: a gap of 1 query."""

EXACT = 1e-12


def _curves(scores: np.ndarray, gains: np.ndarray = GAINS) -> Curves:
    return Curves(Ranking(scores), np.ones((1, len(gains))), gains)


def test_oracle_and_inverse_have_closed_forms() -> None:
    assert apgr(GAINS, STRONG, WEAK) == pytest.approx(5.5 / 4, abs=EXACT)
    assert apgr(-GAINS, STRONG, WEAK) == pytest.approx(1 - 5.5 / 4, abs=EXACT)
    shares = np.linspace(0, 1, 5)
    assert _curves(GAINS).pgr(shares)[0] == pytest.approx([0, 1, 2, 2, 1], abs=EXACT)
    assert _curves(-GAINS).pgr(shares)[0] == pytest.approx([0, -1, -1, 0, 1], abs=EXACT)
    assert _curves(GAINS).mean_gain(shares)[0] == pytest.approx(np.array([0, 1, 2, 2, 1]) / 4)


def test_a_large_oracle_has_a_closed_form() -> None:
    """Of n queries a are gained by the strong model and b lost: gains first, losses last."""
    n, a, b = 1000, 300, 100
    gains = np.concatenate([np.ones(a), np.zeros(n - a - b), -np.ones(b)])
    won = a / 2 * a + a * (n - a - b) + (a + (a - b)) / 2 * b
    assert _curves(gains, gains).apgr()[0] == pytest.approx(won / (n * (a - b)), abs=EXACT)
    assert _curves(gains, gains).cpt(0.5)[0] == pytest.approx((a - b) / 2 / n, abs=EXACT)


def test_a_constant_score_is_the_constant_mix() -> None:
    curves = _curves(np.full(4, 0.3))
    assert curves.apgr()[0] == pytest.approx(0.5, abs=EXACT)
    assert curves.apgr_at_thresholds()[0] == pytest.approx(0.5, abs=EXACT)
    assert curves.cpt(0.8)[0] == pytest.approx(0.8, abs=EXACT)
    shares = np.array([0.0, 0.1, 0.37, 1.0])
    assert curves.pgr(shares)[0] == pytest.approx(shares, abs=EXACT)


def test_ties_are_the_mean_over_their_orders() -> None:
    tied = np.array([2.0, 1.0, 1.0, 0.0])
    orders = [np.array([3.0, 2.0, 1.0, 0.0]), np.array([3.0, 1.0, 2.0, 0.0])]
    expected = np.mean([apgr(scores, STRONG, WEAK) for scores in orders])
    assert apgr(tied, STRONG, WEAK) == pytest.approx(expected, abs=EXACT)
    level = np.array([0.5])
    expected = np.mean([_curves(scores).pgr(level)[0, 0] for scores in orders])
    assert _curves(tied).pgr(level)[0, 0] == pytest.approx(expected, abs=EXACT)


def test_the_mean_over_all_orders_is_chance() -> None:
    orders = [np.array(order, float) for order in itertools.permutations(range(4))]
    assert np.mean([apgr(order, STRONG, WEAK) for order in orders]) == pytest.approx(0.5, abs=EXACT)


def test_cpt_is_the_least_share_that_recovers_enough() -> None:
    assert _curves(GAINS).cpt(0.5)[0] == pytest.approx(1 / 8, abs=EXACT)
    assert _curves(GAINS).cpt(1.0)[0] == pytest.approx(1 / 4, abs=EXACT)
    # 0, -1, -1, 0, 1: half of the gap is recovered in the middle of the last step.
    assert _curves(-GAINS).cpt(0.5)[0] == pytest.approx(7 / 8, abs=EXACT)
    # Above all at the first step, below again, and above at the end: the first counts.
    assert _curves(np.arange(4.0), np.array([1.0, -2.0, 1.0, 1.0])).cpt(0.8)[0] == 0.2


def test_everything_to_the_strong_model_recovers_the_whole_gap() -> None:
    worst = np.array([-5.0, 2.0, 4.0])
    assert _curves(-worst, worst).cpt(1.0)[0] == pytest.approx(1.0, abs=EXACT)


def test_a_value_is_summed_over_the_strong_calls() -> None:
    curves = _curves(np.array([4.0, 3.0, 2.0, 1.0]))
    sums = curves.mean_over_strong(np.array([1.0, 10.0, 100.0, 1000.0]), np.array([0, 0.25, 0.75]))
    assert sums[0] == pytest.approx([0, 1 / 4, 111 / 4], abs=EXACT)


def test_without_a_gap_there_are_no_figures() -> None:
    # In floating point, a tenth, two tenths and minus three tenths add up to something.
    for values in ([1.0, -1.0], [0.0, -1.0], [0.1, 0.2, -0.3], [-0.3, 0.2, 0.1]):
        gains = np.array(values)
        curves = _curves(np.arange(len(gains), 0, -1.0), gains)
        figures = (curves.apgr(), curves.apgr_at_thresholds(), curves.cpt(0.5))
        assert all(np.isnan(figure[0]) for figure in figures)
        assert np.isnan(curves.pgr(np.array([0.5]))).all()


scores_and_gains = st.lists(
    st.tuples(st.integers(0, 6), st.integers(-2, 3), st.integers(0, 3)), min_size=2, max_size=60
).filter(lambda rows: sum(gain * count for _, gain, count in rows) > 0)


@settings(deadline=None)  # a busy machine is no failure
@given(scores_and_gains)
def test_a_resample_equals_repeating_its_queries(rows: list[tuple[int, int, int]]) -> None:
    scores, gains, counts = (np.array(column, float) for column in zip(*rows, strict=True))
    times = counts.astype(int)
    shares = np.array([0.0, 0.2, 0.5, 0.83, 1.0])
    resampled = Curves(Ranking(scores), counts[None], gains)
    repeated = _curves(np.repeat(scores, times), np.repeat(gains, times))
    for figure in ("apgr", "apgr_at_thresholds"):
        assert getattr(resampled, figure)() == pytest.approx(getattr(repeated, figure)(), abs=1e-9)
    assert resampled.cpt(0.5) == pytest.approx(repeated.cpt(0.5), abs=1e-9)
    assert resampled.pgr(shares)[0] == pytest.approx(repeated.pgr(shares)[0], abs=1e-9)


@settings(deadline=None)  # a busy machine is no failure
@given(scores_and_gains)
def test_apgr_at_thresholds_is_that_of_routellm(rows: list[tuple[int, int, int]]) -> None:
    """Its ``evaluate.py``: thresholds at the deciles, at or above is strong, trapezoids."""
    scores, gains, _ = (np.array(column, float) for column in zip(*rows, strict=True))
    if gains.sum() <= 0:
        return
    thresholds = np.quantile(scores, np.arange(11) / 10)
    strong = [scores >= threshold for threshold in thresholds[:-1]] + [scores > thresholds[-1]]
    calls = np.array([chosen.mean() for chosen in strong])
    recovered = np.array([gains[chosen].sum() / gains.sum() for chosen in strong])
    area = (-np.diff(calls) * (recovered[1:] + recovered[:-1]) / 2).sum()
    assert _curves(scores, gains).apgr_at_thresholds()[0] == pytest.approx(area, abs=1e-9)


@settings(deadline=None)  # a busy machine is no failure
@given(scores_and_gains)
def test_the_reversed_order_recovers_the_rest(rows: list[tuple[int, int, int]]) -> None:
    scores, gains, counts = (np.array(column, float) for column in zip(*rows, strict=True))
    forth, back = (Curves(Ranking(s), counts[None], gains).apgr()[0] for s in (scores, -scores))
    assert forth + back == pytest.approx(1.0, abs=1e-9)
