"""Agreement of a judge with people, beside scikit-learn's, on tables whose kappa is known."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from routellm_core.traffic.label.agreement import Agreement, agreement

QUALITIES = {-1: (0.0, 1.0), 0: (0.5, 0.5), 1: (1.0, 0.0)}


def drawn(rng: np.random.Generator, n: int, kappa: float) -> tuple[list[int], list[int]]:
    """Classes by a judge and by people whose kappa is this: the judge guesses at the others."""
    shares = (0.2, 0.4, 0.4)
    people = rng.choice([-1, 0, 1], n, p=shares)
    guessed = rng.choice([-1, 0, 1], n, p=shares)
    return np.where(rng.random(n) < kappa, people, guessed).tolist(), people.tolist()


def found(judged: list[int], people: list[int]) -> Agreement:
    both = [{str(at): QUALITIES[each] for at, each in enumerate(side)} for side in (judged, people)]
    return agreement(*both)


@pytest.mark.parametrize("n", [3, 20, 200])
def test_kappa_is_that_of_scikit_learn(n):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    for _ in range(20):
        judged, people = drawn(rng, n, 0.7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = metrics.cohen_kappa_score(judged, people, labels=[-1, 0, 1])
        assert found(judged, people).kappa.value == pytest.approx(theirs, nan_ok=True)


@pytest.mark.parametrize("kappa", [0.4, 0.8, 0.95, 0.98])
def test_the_interval_holds_the_truth(kappa):
    rng = np.random.default_rng(2)
    estimates = [found(*drawn(rng, 60, kappa)).kappa for _ in range(300)]
    assert np.mean([each.low <= kappa <= each.high for each in estimates]) >= 0.92


def test_full_agreement_on_few_prompts_is_no_certainty():
    kappa = found([1, 0, -1, 0, 1, 0], [1, 0, -1, 0, 1, 0]).kappa
    assert kappa.value == 1.0
    assert kappa.low < 0.9
    assert np.isnan(found([0, 0], [0, 0]).kappa.low)
