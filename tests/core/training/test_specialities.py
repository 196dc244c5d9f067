"""What models are better at than their abilities say: found again, and used where named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("yaml")

from routellm_core import load_router
from routellm_core.checkpoints.store import CARD
from routellm_core.data.outcomes import Outcomes
from routellm_core.training.outcomes.rasch import Rasch, fit_rasch
from routellm_core.training.outcomes.specialities import Specialities, fit_specialities
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import find_trainer

N = 4_000


def learned(special: float, seed: int = 1) -> tuple[Specialities, Rasch]:
    """Learn from three models, the first better by ``special`` for each unit of one feature."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(N, 4))
    logits = np.array([1.5, 0.5, -0.5]) - features[:, :1]
    logits[:, 0] += special * features[:, 1]
    quality = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    quality[rng.random(N) < 0.2, 2] = np.nan
    outcomes = Outcomes("s", [str(i) for i in range(N)], ["t"] * N, list("abc"), quality)
    sources = [(outcomes, features, 1.0)]
    rasch = fit_rasch(sources, 1e-4)
    return fit_specialities(sources, rasch), rasch


def test_what_a_model_is_better_at_is_found_and_of_the_others_nothing() -> None:
    found, rasch = learned(1.0)
    own = {model: found.of(model) for model in "abc"}
    assert own["a"][1] > 0.03 > 0 > max(own["b"][1], own["c"][1])
    assert np.abs(own["a"][[0, 2, 3]]).max() < 0.01
    assert found.of("unknown").tolist() == [0.0] * 4
    assert rasch.ability["a"] > rasch.ability["b"] > rasch.ability["c"]


def test_models_that_differ_by_ability_alone_have_no_specialities() -> None:
    found, _ = learned(0.0)
    assert max(np.abs(found.of(model)).max() for model in "abc") < 0.01


def test_a_named_pair_is_told_by_what_its_models_are_good_at(tmp_path: Path) -> None:
    """Of two models of one ability beside a weak one, one writes poems and the other counts."""
    rng = np.random.default_rng(0)
    right = {"poet": (0.9, 0.5), "clerk": (0.5, 0.9), "weak": (0.5, 0.5)}
    rows = []
    for i in range(1_500):
        poem = i % 2
        words = " ".join(rng.choice(["river", "cat", "moon", "tree"], 4))
        prompt = f"Write a poem: {i} {words}" if poem else f"What is {i} + {i * 7} times 3? {words}"
        correct = {name: float(rng.random() < chances[1 - poem]) for name, chances in right.items()}
        rows.append({"prompt": prompt, "task": "t", "correct": correct})
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    trainer = find_trainer("mf")
    config = trainer.config(learn="outcomes", validation_share=0.2, traffic_prompts=60)
    trainer.train(TrainingFiles(gold=[file]), out, config)
    poem, counting = "Write a poem: a river and the moon", "What is 31 + 217 times 3? cat"

    poet = load_router("mf", checkpoint=out, strong_model="poet", weak_model="weak")
    clerk = load_router("mf", checkpoint=out, strong_model="clerk", weak_model="weak")
    default = load_router("mf", checkpoint=out)
    assert poet.score([poem])[0] > poet.score([counting])[0] + 0.05
    assert clerk.score([counting])[0] > clerk.score([poem])[0] + 0.05
    assert abs(default.score([poem])[0] - default.score([counting])[0]) < 0.05
    # What is difficult for all does not depend on who is named.
    told = [each.tell([poem, counting]) for each in (poet, clerk, default)]  # type: ignore[attr-defined]
    np.testing.assert_allclose(told[0], told[1], atol=1e-6)
    np.testing.assert_allclose(told[0], told[2], atol=1e-6)

    (measured,) = json.loads((out / METRICS).read_text())["validation"].values()
    assert measured["by_name"]["apgr"] > measured["apgr"] + 0.1
    assert "each pair by its names" in (out / CARD).read_text()


def test_a_pair_told_by_abilities_has_no_specialities() -> None:
    options = {"strong_ability": 1.0, "weak_ability": 0.0}
    told = load_router("mf", **options)
    named = load_router("mf", strong_model="gpt-4-1106-preview", weak_ability=0.0)
    prompts = ["Write a haiku about rain.", "What is 17 * 23?", "hi"]
    assert (np.diff(named.score(prompts) - told.score(prompts)) != 0).any()
    again = load_router("mf", strong_ability=1.0, weak_ability=0.0)
    assert (told.score(prompts) == again.score(prompts)).all()
