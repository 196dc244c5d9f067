"""What becomes of the validation prompts of routers that are fitted to a pair in seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("yaml")

from routellm_core import load_router
from routellm_core.checkpoints.learned import learned_hashes, short_hashes
from routellm_core.checkpoints.store import CARD
from routellm_core.data.digests import sha256_of
from routellm_core.data.labels import split_position
from routellm_core.rules.share import threshold_for_share
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import find_trainer

SHARE = 0.2


@pytest.fixture(params=["mf", "sw_ranking"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def train(name: str, files: TrainingFiles, folder: Path, **settings: Any) -> dict[str, Any]:
    trainer = find_trainer(name)
    pair = {"strong_model": "big", "weak_model": "small", "validation_share": SHARE}
    return trainer.train(files, folder, trainer.config(**pair, **settings))


def gold_file(path: Path, rows: list[tuple[str, float, float]]) -> TrainingFiles:
    """Write gold of (prompt, quality of big, quality of small)."""
    path.write_text(
        "".join(
            json.dumps({"prompt": p, "task": "t", "correct": {"big": b, "small": s}}) + "\n"
            for p, b, s in rows
        )
    )
    return TrainingFiles(gold=[path])


def test_a_share_holds_on_new_prompts_however_closely_the_labels_were_learned(
    name: str, tmp_path: Path
) -> None:
    """All labelled prompts stand for usual traffic, with the scores they would get unlabelled."""
    rng = np.random.default_rng(3)
    words = [*"abcdefghijkl"]

    def prompts(count: int) -> list[str]:
        return [" ".join(rng.choice(words, rng.integers(3, 12))) for _ in range(count)]

    rows = [
        (prompt, float(rng.random() < 0.7), float(rng.random() < 0.5)) for prompt in prompts(300)
    ]
    metrics = train(name, gold_file(tmp_path / "gold.jsonl", rows), tmp_path / "out", l2=1e-3)
    labelled = len({prompt for prompt, _, _ in rows})
    assert metrics["traffic"]["prompts"] == metrics["traffic"]["learned"] == labelled
    router = load_router(name, checkpoint=str(tmp_path / "out"))
    assert router.score_quantiles is not None
    scores = router.score(prompts(1_000))
    for share in (0.1, 0.3, 0.7):
        threshold = threshold_for_share(router.score_quantiles, share)
        assert np.mean(scores >= threshold) == pytest.approx(share, abs=0.06)


def test_validation_prompts_are_learned_once_they_have_measured(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [
        (f"{word} {number}", float(rng.random() < 0.8), float(word == "easy"))
        for number in range(100)
        for word in ("easy", "hard")
    ]
    files = gold_file(tmp_path / "gold.jsonl", rows)
    metrics = train(name, files, tmp_path / "out")
    source = metrics["sources"]["gold"]
    assert metrics["validation"]["gold"]["n"] == source["validation_prompts"] > 20
    assert learned_hashes(tmp_path / "out") == frozenset(
        short_hashes(p for p, _, _ in rows).split()
    )

    held_out = [prompt for prompt, _, _ in rows if split_position(prompt) < SHARE]
    fold = replace(files, held_out=frozenset(map(sha256_of, held_out)))
    train(name, fold, tmp_path / "fold")
    assert learned_hashes(tmp_path / "fold").isdisjoint(short_hashes(held_out).split())
    for folder in ("out", "fold"):
        card = (tmp_path / folder / CARD).read_text()
        assert ("then they are learned" in card) == (folder == "out")
    with_them, without = (
        load_router(name, checkpoint=tmp_path / folder).score(held_out)
        for folder in ("out", "fold")
    )
    assert not np.allclose(with_them, without, atol=1e-3)
