"""Bounds on the loss of quality: p-values that hold, and thresholds that follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core.rules.risk import betting_p, bounded_loss, exact_p, thresholds
from routellm_core.rules.share import NEVER

stats = pytest.importorskip("scipy.stats")


@pytest.mark.parametrize(("lost", "gained"), [(0.05, 0.0), (0.08, 0.03), (0.25, 0.2)])
@pytest.mark.parametrize("n", [60, 400])
def test_the_exact_p_value_holds(n: int, lost: float, gained: float) -> None:
    """Summed over all outcomes, not sampled: of a mean loss of .05, at most 5 % look smaller."""
    refused = 0.0
    counts = np.arange(n + 1)
    for losing in range(int(stats.binom.ppf(1e-7, n, lost)), n + 1):
        p_losing = stats.binom.pmf(losing, n, lost)
        if p_losing < 1e-9 and losing > n * lost:
            break
        left = n - losing
        p_gaining = stats.binom.pmf(counts[: left + 1], left, gained / (1 - lost))
        # The p-value falls as more rows gain, so it is enough to find where it passes.
        low, high = 0, left + 1
        while low < high:
            middle = (low + high) // 2
            if exact_p(losing, middle, n, 0.05, 0.0025) <= 0.05:
                high = middle
            else:
                low = middle + 1
        refused += float(p_losing * p_gaining[low:].sum())
    assert refused <= 0.05
    if n == 400:
        assert refused >= 0.01  # and not much fewer, which would waste labels


def test_the_p_value_is_the_largest_over_all_that_is_unknown() -> None:
    for lost, gained, n in [(30, 10, 1000), (3, 0, 150), (90, 60, 1000), (0, 0, 100)]:
        given = exact_p(lost, gained, n, 0.05, 0.0025)
        told = lost + gained
        for share in np.linspace(0.05, stats.beta.ppf(0.9975, told + 1, n - told), 50):
            counts = np.arange(n + 1)
            may_lose = np.floor((counts + lost - gained) / 2)
            chance = stats.binom.cdf(may_lose, counts, (0.05 / share + 1) / 2)
            assert stats.binom.pmf(counts, n, share) @ chance + 0.0025 <= given * 1.001


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_the_p_value_by_betting_holds(spread: float) -> None:
    rng = np.random.default_rng(0)
    small = 0
    for _ in range(400):
        losses = np.clip(0.05 + spread * rng.uniform(-1, 1, 500), -1, 1)
        small += betting_p(losses, 0.05, 0.05) <= 0.05
    assert small <= stats.binom.ppf(0.999, 400, 0.05)
    assert betting_p(np.full(500, 0.01), 0.05, 0.05) < 0.01


def pairs(rng: np.random.Generator, n: int, graded: bool) -> tuple[np.ndarray, ...]:
    """Scores that tell; the loss of sending all below t to weak is .3 t**2 for t in [0, 1]."""
    scores = rng.random(n)
    loses = rng.random(n) < 0.6 * scores + 0.1
    gains = ~loses & (rng.random(n) < 0.1 / (0.9 - 0.6 * scores))
    strong = np.where(gains, 0.0, 1.0)
    weak = np.where(loses, 0.0, 1.0)
    if graded:
        noise = rng.choice([-0.2, 0.0, 0.2], n)
        strong, weak = 0.5 + (strong - 0.5) * 0.6 + noise, 0.5 + (weak - 0.5) * 0.6 + noise
    return scores, strong, weak


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("max_loss", [0.05, 0.1])
def test_the_threshold_holds_as_often_as_is_promised(graded: bool, max_loss: float) -> None:
    rng = np.random.default_rng(1)
    violated, found_thresholds = 0, []
    for _ in range(100):
        found = bounded_loss(*pairs(rng, 800, graded), max_loss=max_loss, confidence=0.9)
        assert found.exact is not graded
        threshold = found.threshold or 0.0
        found_thresholds.append(threshold)
        true_loss = (0.6 if graded else 1.0) * 0.3 * min(threshold, 1.0) ** 2
        violated += true_loss > max_loss
    assert violated <= stats.binom.ppf(0.999, 100, 0.1)
    allowed = np.sqrt(max_loss / (0.3 * (0.6 if graded else 1.0)))
    assert np.median(found_thresholds) > 0.6 * min(allowed, 1.0)


def test_without_enough_labels_it_says_how_many_would_do() -> None:
    rng = np.random.default_rng(2)
    few = bounded_loss(*pairs(rng, 40, False), max_loss=0.02, confidence=0.95)
    assert few.threshold is None
    assert few.labels_needed is not None
    assert 100 <= few.labels_needed <= 5_000
    enough = pairs(rng, 3 * few.labels_needed, False)
    assert bounded_loss(*enough, max_loss=0.02, confidence=0.95).threshold is not None


def test_where_no_number_of_labels_would_do() -> None:
    scores = np.linspace(0.0, 1.0, 500)
    found = bounded_loss(scores, np.ones(500), np.zeros(500), max_loss=0.02, confidence=0.95)
    assert (found.threshold, found.labels_needed) == (None, None) or found.threshold < 0.02


def test_a_weak_model_as_good_takes_everything() -> None:
    rng = np.random.default_rng(3)
    strong = rng.integers(0, 2, 1000).astype(float)
    found = bounded_loss(rng.random(1000), strong, np.ones(1000), max_loss=0.02, confidence=0.95)
    assert found.threshold == NEVER


def test_thresholds_are_fixed_before_any_label_is_seen() -> None:
    tested = thresholds(np.array([0.5, 0.51234]))
    assert 0.51234 in tested
    assert (np.diff(tested) > 0).all()
    assert tested[-1] == NEVER
