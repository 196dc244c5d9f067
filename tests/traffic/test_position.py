"""How a judge treats the order of answers: its interval is that of prompts, not of verdicts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from routellm_core.traffic.label.judges import STRONG_FIRST, WEAK_FIRST
from routellm_core.traffic.label.position import PositionBias, position_bias

CONSISTENT, FIRST, SECOND, TIE, HALF = (1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 0.5)
"""Verdicts with the strong answer first, and with the weak one first."""


def found(*verdicts: tuple[float, float]) -> PositionBias:
    return position_bias([{STRONG_FIRST: one, WEAK_FIRST: two} for one, two in verdicts])


def test_a_judge_that_goes_by_what_answers_say_is_unbiased_for_sure():
    bias = found(*[CONSISTENT] * 60, *[TIE] * 40)
    assert (bias.first.value, bias.decided, bias.flipped, bias.prompts) == (0.5, 120, 0, 100)
    assert 0.48 < bias.first.low < 0.5 < bias.first.high < 0.52


def test_two_verdicts_that_go_by_the_order_are_one_observation():
    bias = found(*[FIRST] * 60, *[SECOND] * 40)
    assert (bias.first.value, bias.flipped) == (0.6, 100)
    # Of 100 tosses, not of 200.
    assert bias.first.low == pytest.approx(0.6 - 1.96 * 0.049, abs=0.012)
    assert bias.first.high == pytest.approx(0.6 + 1.96 * 0.049, abs=0.012)


def test_a_judge_that_always_names_the_first_may_yet_name_the_second():
    bias = found(*[FIRST] * 12)
    assert (bias.first.value, bias.first.high) == (1.0, 1.0)
    assert 0.75 < bias.first.low < 0.95


def test_without_a_decided_verdict_there_is_no_share():
    for bias in (found(), found(TIE, TIE)):
        assert math.isnan(bias.first.value)
        assert bias.decided == 0


@pytest.mark.parametrize("n", [20, 60, 200])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(n: int):
    kinds, shares = (TIE, HALF, SECOND, CONSISTENT, FIRST), (0.2, 0.15, 0.02, 0.5, 0.13)
    truth = (0.15 + 0.5 + 2 * 0.13) / (0.15 + 2 * (0.02 + 0.5 + 0.13))
    rng = np.random.default_rng(0)
    holds = 0
    for _ in range(300):
        first = found(*(kinds[at] for at in rng.choice(len(kinds), n, p=shares))).first
        holds += first.low <= truth <= first.high
    assert 0.90 <= holds / 300 <= 0.985
