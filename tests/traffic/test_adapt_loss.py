"""The interval of the loss that `routellm adapt` tells at its threshold."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from routellm_core.evaluation.intervals import Estimate
from routellm_core.traffic.adapt.judged import at_threshold
from routellm_core.traffic.adapt.labels import Labels


@cache
def loss_of(lost: int, gained: int, n: int, unit: float = 1.0) -> Estimate:
    """Return the loss told where all calls go to the weak model, which loses and gains so often."""
    strong, weak = np.ones(n), np.ones(n)
    weak[:lost] = 0
    strong[lost : lost + gained] = 0
    labels = Labels([str(at) for at in range(n)], strong, weak, None, unit)
    return at_threshold(np.zeros(n), 0.5, labels, None, np.zeros(n)).loss


def test_where_no_label_loses_the_loss_is_not_known_to_be_none() -> None:
    loss = loss_of(0, 0, 100)
    assert loss.value == 0
    assert -0.03 < loss.low < 0 < loss.high < 0.03


def test_votes_that_count_twice_lose_twice_as_much() -> None:
    once, twice = loss_of(10, 5, 100), loss_of(10, 5, 100, 0.5)
    assert vars(twice) == {name: 2 * value for name, value in vars(once).items()}


def test_the_interval_of_the_loss_holds_the_truth() -> None:
    """Of 2,000 repetitions with few labels that lose, 93 to 97.5 %."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(2000):
        lost, gained, _ = rng.multinomial(150, (0.06, 0.03, 0.91))
        loss = loss_of(int(lost), int(gained), 150)
        held.append(loss.low <= 0.03 <= loss.high)
    assert 0.93 <= np.mean(held) <= 0.975


def test_what_the_router_deployed_decides_otherwise_widens_the_interval_of_the_share() -> None:
    """The threshold is found by five other routers, which did not learn these labels."""
    n = 300
    scores = np.arange(n) / n
    deployed = scores.copy()
    deployed[60:120] = scores[60:120][::-1]  # 30 of them cross the threshold, to either side
    labels = Labels([str(at) for at in range(n)], np.ones(n), np.arange(n) % 2.0, None)
    same, other = (
        at_threshold(scores, 0.3, labels, None, each).share for each in (scores, deployed)
    )
    assert other.value == same.value
    assert other.high - other.low > 1.05 * (same.high - same.low)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_loss_is_of_as_many_calls_as_the_router_deployed_sends(share: float) -> None:
    """Of 1,000 prompts the weak model loses those that score .2 or more; the five routers send a
    fifth, the one that is deployed fewer or more.
    """
    n = 1000
    scores = np.arange(n) / n
    labels = Labels([str(at) for at in range(n)], np.ones(n), (scores < 0.2) * 1.0, None)
    deployed = np.random.default_rng(0).permutation(n) / n + 0.2 - share
    at = at_threshold(scores, 0.2, labels, None, deployed)
    assert at.share.value == pytest.approx(share)
    assert at.loss.value == pytest.approx(max(0.0, share - 0.2), abs=0.015)


@pytest.mark.parametrize(("weak_cost", "may_cost_more"), [(0.1, False), (2.0, True)])
def test_a_saving_is_not_below_0_where_no_answer_of_the_weak_model_costs_more(
    weak_cost: float, may_cost_more: bool
) -> None:
    """The router deployed sends 2 of 100 calls to the weak model, those that judged it 2 others."""
    n = 100
    scores = np.ones(n)
    deployed = np.roll(scores, 2)
    scores[:2] = deployed[2:4] = 0
    costs = np.ones(n), np.full(n, weak_cost)
    labels = Labels([str(at) for at in range(n)], np.ones(n), np.arange(n) % 2.0, costs)
    saving = at_threshold(scores, 0.5, labels, None, deployed).saving
    assert saving is not None
    assert (saving.low < 0) == may_cost_more
    assert saving.low < saving.value < saving.high
