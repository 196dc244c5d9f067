"""What `routellm report` tells of routes with `explore`."""

from __future__ import annotations

import numpy as np
import pytest

from routellm_core import Decision
from routellm_core.traffic.store.kept import Feedback
from routellm_core.traffic.store.store import Store
from tests.cli.command import called
from tests.traffic.exchanges import answer, request
from tests.traffic.test_report import NOW, fill, reported


def explore(path: str, judged: bool = True) -> None:
    """Put 2,000 calls into a store, a fifth of which went to the other model; the weak model's
    answers are good half as often as the strong one's.
    """
    rng, kept, scores = np.random.default_rng(0), [], []
    for k in range(2000):
        chosen, drawn = rng.random() < 0.5, rng.random() < 0.2
        tier = "strong" if chosen != drawn else "weak"
        cause = "exploration" if drawn else "score"
        score, propensity = (0.6 if chosen else 0.4), (0.2 if drawn else 0.8)
        made = Decision(tier, score, 0.5, "length", cause, 0.1, propensity=propensity)
        plain = request(f"r{k}", at=NOW + k, decision=made, sampled=False)
        kept += [plain, (f"r{k}", answer(tier))]
        scores.append(Feedback(f"r{k}", float(rng.random() < (0.8 if tier == "strong" else 0.4))))
    store = Store(path)
    store.add(kept)
    if judged:
        store.add_feedback(scores)


def test_the_loss_is_told_by_exploration_too(path: str):
    explore(path)
    found = reported(path)["exploration"]
    assert (found["calls"], found["judged"]) == (2000, 2000)
    assert found["explored"] == found["judged_explored"] == pytest.approx(400, abs=60)
    # Half of the calls go to a model that is worse by .4.
    assert found["loss_dr"]["low"] < 0.2 < found["loss_dr"]["high"]
    assert found["loss_dr"]["value"] == pytest.approx(0.2, abs=0.05)
    text = " ".join(called("report", path).stdout.split())
    assert "loss by exploration" in text
    assert "of 2,000 calls went to the other model" in text


def test_exploration_without_scores_says_what_is_missing(path: str):
    explore(path, judged=False)
    text = " ".join(called("report", path).stdout.replace("│", " ").split())
    assert "not known below 30 judged answers of the other model" in text


def test_a_route_without_exploration_says_nothing_of_it(path: str):
    fill(path)
    assert reported(path)["exploration"] is None
    assert "exploration" not in called("report", path).stdout
