"""Along which directions sw_ranking compares prompts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("yaml")

from routellm_core.data.labels import Battle, Gold
from routellm_core.training.shared.comparisons import Comparisons, compare_models
from routellm_core.training.sw_ranking.config import SWRankingConfig
from routellm_core.training.sw_ranking.metric import metric_of

CONFIG = SWRankingConfig(strong_model="s", weak_model="w", directions=2, advantage=5.0, l2=1e-6)
N = 200


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    """Four features, the first two of which spread most and the last least."""
    drawn = np.random.default_rng(0).normal(size=(N, 4)) * [4, 3, 1, 0.1]
    return np.asarray(drawn - drawn.mean(axis=0), np.float32)


def directions_of(features: np.ndarray, comparisons: Comparisons) -> np.ndarray:
    return metric_of(features, np.ones(N, np.bool_), comparisons, CONFIG).directions


def _gold(gains: np.ndarray) -> Comparisons:
    rows = [Gold(f"p{i}", "t", {"s": gain, "w": 0.0}) for i, gain in enumerate(gains)]
    return compare_models({}, {"gold": rows}, CONFIG)


def test_the_widest_directions_come_first(features: np.ndarray) -> None:
    gold = _gold((features[:, 3] > 0).astype(float))
    directions = np.abs(directions_of(features, gold))
    assert directions.shape == (4, 3)
    assert directions[:, 0].argmax() == 0
    assert directions[:, 1].argmax() == 1


def test_the_last_is_the_one_in_which_the_advantage_grows(features: np.ndarray) -> None:
    advantage = features @ directions_of(features, _gold(0.5 + features[:, 3]))[:, -1]
    assert np.corrcoef(advantage, features[:, 3])[0, 1] > 0.999
    assert advantage.std() == pytest.approx(5, rel=1e-6)


def test_how_often_a_source_is_won_teaches_nothing(features: np.ndarray) -> None:
    """Half the prompts are of an easy exam, and only which exam it is shows in the features."""
    features = features.copy()
    easy = np.arange(N) < N // 2
    features[:, 3] = np.where(easy, 1, -1)
    inside = (features[:, 2] > 0).astype(float)
    exams = {
        "easy": [Gold(f"p{i}", "t", {"s": inside[i] / 4, "w": 0.0}) for i in np.flatnonzero(easy)],
        "hard": [
            Gold(f"p{i}", "t", {"s": 0.75 + inside[i] / 4, "w": 0.0}) for i in np.flatnonzero(~easy)
        ],
    }
    learned = directions_of(features, compare_models({}, exams, CONFIG))[:, -1]
    assert abs(learned[3]) < 1e-3 * abs(learned[2])


def test_votes_alone_leave_the_widest(features: np.ndarray) -> None:
    votes = [Battle(f"p{i}", "s", "w", float(i % 2)) for i in range(N)]
    comparisons = compare_models({"votes": votes}, {}, CONFIG)
    assert directions_of(features, comparisons).shape == (4, 2)


def test_prompts_that_were_learned_lie_further_out_than_they_would_unseen() -> None:
    """With next to no penalty and labels of pure chance, fits without a prompt tell nothing."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 60)).astype(np.float32)
    gains = rng.random(N)
    used = np.arange(N) < N - 20
    comparisons = _gold(gains).only(used)
    metric = metric_of(features, used, comparisons, CONFIG)
    learned, unseen = metric.projected[:, -1], metric.unseen[:, -1]
    assert np.corrcoef(learned[used], gains[used])[0, 1] > 0.5
    assert abs(np.corrcoef(unseen[used], gains[used])[0, 1]) < 0.2
    np.testing.assert_array_equal(metric.unseen[~used], metric.projected[~used])
    widest, as_unseen = (
        float((rows[used, :-1] ** 2).mean()) for rows in (metric.projected, metric.unseen)
    )
    assert widest > 1.1 * as_unseen
