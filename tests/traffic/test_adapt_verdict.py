"""What `routellm adapt` advises where labels say little."""

from __future__ import annotations

from functools import cache

import numpy as np

from routellm_core.traffic.adapt.base import Base, read_base
from routellm_core.traffic.adapt.judged import Floats, judge
from routellm_core.traffic.adapt.labels import Labels
from routellm_core.traffic.adapt.verdict import verdict

_WORDS = ("order", "refund", "parcel", "voucher", "invoice", "customs", "garden", "engine")


@cache
def base_and_prompts() -> tuple[Base, list[str], Floats, Floats]:
    rng = np.random.default_rng(0)
    prompts = sorted(
        {" ".join(rng.choice(_WORDS, rng.integers(4, 20))) + f" {at}?" for at in range(600)}
    )
    base = read_base("mf")
    raw = base.raw(prompts)
    return base, prompts, base.standardised(raw), base.router.score_embeddings(raw)


def advised(strong: Floats, weak: Floats, seed: int, max_loss: float) -> str:
    base, prompts, features, scores = base_and_prompts()
    rows = np.random.default_rng(seed).permutation(len(prompts))[: len(strong)]
    labels = Labels([prompts[row] for row in rows], strong, weak, None)
    of = base.linear(features[rows]), scores[rows]
    judged = judge(
        features[rows],
        of,
        labels,
        embedding=base.embedding,
        max_loss=max_loss,
        confidence=0.95,
        prices=None,
    )
    return verdict(judged, len(rows), max_loss, 0.95)


def test_twenty_labels_without_a_difference_do_not_show_that_there_is_none() -> None:
    """The strong model may still be better on one prompt in seven."""
    said = advised(np.ones(20), np.ones(20), 0, 0.02)
    assert said.startswith("not yet: about")


def test_one_label_that_differs_does_not_tell_whether_prompts_do() -> None:
    for seed in range(10):
        weak = np.ones(20)
        weak[0] = 0
        assert advised(np.ones(20), weak, seed, 0.02).startswith("not yet")


def test_a_loss_too_rare_for_the_labels_is_not_taken_for_a_gain() -> None:
    """The weak model is a little better nineteen times of twenty, and fails in the twentieth."""
    assert advised(np.full(20, 0.9), np.full(20, 0.93), 0, 0.02).startswith("not yet")


def test_labels_that_say_nothing_of_prompts_are_seldom_deployed() -> None:
    """In one of twenty, that is 3 of 60, give or take 2; it was 8, by intervals that took the
    scores of the five routers for independent.
    """
    deployed = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        strong = (rng.random(200) < 0.75).astype(float)
        weak = (rng.random(200) < 0.65).astype(float)
        deployed.append(advised(strong, weak, seed, 0.1).startswith("deploy"))
    assert sum(deployed) <= 6


def test_labels_that_tell_are_deployed() -> None:
    _, prompts, _, _ = base_and_prompts()
    rows = np.random.default_rng(1).permutation(len(prompts))[:300]
    hard = np.array(["customs" in prompts[row] for row in rows])
    assert advised(np.ones(300), 1.0 - hard, 1, 0.05).startswith("deploy")
