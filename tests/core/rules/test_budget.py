"""Thresholds from money, against trying every threshold."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core import ConfigError
from routellm_core.rules.budget import (
    Costs,
    share_for_cost,
    share_for_saving,
    threshold_for_cost,
    threshold_for_saving,
)
from routellm_core.rules.prices import Price, price_of, tokens_in


def sample(seed: int, levels: int) -> tuple[np.ndarray, Costs]:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, 300) / levels
    weak = rng.gamma(2.0, 0.001, 300)
    return scores, Costs(weak * rng.uniform(5, 20, 300), weak)


@pytest.mark.parametrize("levels", [4, 1000])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_lowest_threshold_that_can_be_paid(levels: int, part: float) -> None:
    scores, costs = sample(1, levels)
    most = costs.always_weak + part * (costs.always_strong - costs.always_weak)
    threshold = threshold_for_cost(scores, costs, most)
    assert costs.of(scores >= threshold) <= most * (1 + 1e-9)
    share = (scores >= threshold).mean()
    lower = [cut for cut in np.unique(scores) if (scores >= cut).mean() > share]
    assert all(costs.of(scores >= cut) > most for cut in lower)


@pytest.mark.parametrize("saving", [0.0, 0.3, 0.8])
def test_a_saving_counts_the_weak_model(saving: float) -> None:
    scores, costs = sample(2, 1000)
    threshold = threshold_for_saving(scores, costs, saving)
    saved = 1 - costs.of(scores >= threshold) / costs.always_strong
    assert saving - 1e-9 <= saved < saving + 0.02


def test_a_share_from_money_where_all_requests_cost_alike() -> None:
    costs = Costs(np.array([0.01]), np.array([0.001]))
    assert share_for_saving(costs, 0.72) == pytest.approx(0.2)
    assert share_for_cost(costs, 2.8) == pytest.approx(0.2)
    assert share_for_saving(costs, 0.9) == pytest.approx(0.0, abs=1e-12)
    assert share_for_saving(costs, 0.0) == share_for_cost(costs, 50.0) == 1.0
    with pytest.raises(ConfigError, match="can be saved at most, not 91"):
        share_for_saving(costs, 0.91)
    with pytest.raises(ConfigError, match="so no threshold keeps to"):
        share_for_cost(costs, 0.9)


def test_wishes_that_cannot_be_met() -> None:
    scores, costs = sample(3, 1000)
    with pytest.raises(ConfigError, match="on the weak model alone, so no threshold keeps to"):
        threshold_for_cost(scores, costs, costs.always_weak * 0.99)
    with pytest.raises(ConfigError, match="can be saved at most, not 99"):
        threshold_for_saving(scores, costs, 0.99)
    with pytest.raises(ConfigError, match="nothing to save"):
        threshold_for_saving(scores, Costs(costs.weak, costs.weak), 0.1)
    with pytest.raises(ConfigError, match="nothing to save"):
        threshold_for_cost(scores, Costs(np.zeros(300), np.zeros(300)), 1.0)


def test_prices_are_of_a_million_tokens() -> None:
    assert price_of("2.5, 10") == Price(2.5, 10.0)
    cost = Price(2.5, 10.0).costs(np.array([1000.0]), np.array([100.0]))
    assert cost.tolist() == pytest.approx([0.0035])
    assert tokens_in("four" * 10) == 10


@pytest.mark.parametrize("text", ["", "2", "1,2,3", "a,b", "-1,2", "nan,1", "inf,1"])
def test_what_is_no_price(text: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 2\.5,10"):
        price_of(text)
