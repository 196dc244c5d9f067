"""The contrast: by how much more than usual abler models do better on a prompt."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core.data.outcomes import Outcomes
from routellm_core.routers.item_response import win_rate, win_rates
from routellm_core.training.outcomes.contrast import contrast_of, contrast_weight, fit_contrast


def outcomes(quality: np.ndarray) -> Outcomes:
    count, models = quality.shape
    prompts = [f"prompt {row}" for row in range(count)]
    return Outcomes("s", prompts, ["t"] * count, [f"m{at}" for at in range(models)], quality)


def drawn(apart: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Four models, of which the abler ones do better only where prompts set them apart."""
    usual = np.array([0.9, 0.7, 0.4, 0.2])
    rate = np.where(apart[:, None], usual, usual.mean())
    return (rng.random((len(apart), 4)) < rate).astype(float)


def test_it_is_high_where_abler_models_do_better() -> None:
    rng = np.random.default_rng(0)
    apart = np.arange(600) % 2 == 0
    contrast = contrast_of(outcomes(drawn(apart, rng)))
    assert contrast[apart].mean() > 0.3 > -0.3 > contrast[~apart].mean()
    assert contrast.mean() == pytest.approx(0, abs=1e-9)
    assert contrast.std() == pytest.approx(1)


def test_missing_models_are_not_taken_for_wrong_ones() -> None:
    quality = np.array([[1.0, 0.0, 0.0], [1.0, np.nan, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, np.nan]])
    contrast = contrast_of(outcomes(quality))
    assert np.isfinite(contrast).all()
    assert contrast[1] > contrast[2]
    one = contrast_of(outcomes(np.array([[1.0, np.nan], [np.nan, 0.0], [np.nan, np.nan]])))
    np.testing.assert_array_equal(one, [0, 0, 0])


def test_models_alike_have_none() -> None:
    np.testing.assert_array_equal(contrast_of(outcomes(np.ones((5, 3)))), np.zeros(5))


def test_more_models_tell_more() -> None:
    quality = np.array([[1.0, 0.0, 1.0], [1.0, np.nan, np.nan]])
    many, few = contrast_weight(outcomes(quality))
    assert 1 > many > few > 0


def test_what_sets_models_apart_is_found_in_features() -> None:
    rng = np.random.default_rng(1)
    apart = np.arange(1_200) % 2 == 0
    features = np.stack([2.0 * apart - 1, *rng.normal(size=(9, len(apart)))], axis=1)
    found = fit_contrast([(outcomes(drawn(apart, rng)), features, 1.0)])
    assert found.weights[0] > 0.2
    assert np.abs(found.weights[1:]).max() < 0.1
    assert found.of(np.zeros((1, 10)))[0] == pytest.approx(0, abs=0.1)
    shuffled = outcomes(drawn(rng.permutation(apart), rng))
    assert fit_contrast([(shuffled, features, 1.0)]).l2 >= 0.3 >= found.l2


def test_it_moves_the_win_rate_and_never_turns_it_round() -> None:
    strong, weak = np.full(4, 1.0), np.full(4, -1.0)
    rates = win_rates(strong, weak, np.array([0.0, 1.0, -2.0, 50.0]))
    usual = 0.5 + 0.5 * (1 / (1 + np.exp(-1.0)) - 1 / (1 + np.exp(1.0)))
    np.testing.assert_allclose(rates, [usual, 2 * usual - 0.5, 0.5, 1.0])
    assert win_rates(np.array([1e4]), np.array([-1e4]), np.zeros(1)).tolist() == [1.0]


def test_one_prompt_has_the_rate_that_it_has_among_others() -> None:
    table = np.random.default_rng(2).normal(0, 3, (50, 3))
    alone = [win_rate(*row) for row in table.tolist()]
    np.testing.assert_allclose(alone, win_rates(*table.T), rtol=1e-14)
