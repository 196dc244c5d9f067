"""Small files to train on, in which it is plain what a router is to learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from routellm_core.training.shared.files import TrainingFiles

SUM, CHAT = "What is 5 + 9 times 3? river cat", "Tell me: 5 moon poem"
"""Prompts that need the strong model, and do not."""

GOLD = 200


def training_files(folder: Path, settings: str) -> TrainingFiles:
    """Write gold in which ``big`` is needed for sums only, votes that ``big`` beats ``small``,
    and evaluation prompts that are the first ten of gold.

    Args:
        folder: where to.
        settings: what the configuration file is to say.
    """
    rng = np.random.default_rng(0)
    gold = []
    for i in range(GOLD):
        sums = i % 2 == 0
        words = " ".join(rng.choice(["river", "poem", "cat", "moon"], 5))
        prompt = f"What is {i} + {i * 7} times 3? {words}" if sums else f"Tell me: {i} {words}"
        correct = {"big": 1.0, "small": float(not sums), "tiny": 0.0}
        gold.append({"prompt": prompt, "task": "t", "correct": correct})
    votes = [
        ("big", "small", "model_a"),
        ("small", "big", "tie"),
        ("big", "tiny", "model_a"),
        ("small", "tiny", "model_a"),
        ("tiny", "small", "tie"),
    ]
    battles = [
        {"prompt": f"hello {i}", "model_a": a, "model_b": b, "winner": winner}
        for i, (a, b, winner) in enumerate(votes * 20)
    ]
    paths = {}
    for name, rows in {"gold": gold, "battles": battles, "evaluation": gold[:10]}.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = folder / "config.yaml"
    config.write_text(settings)
    return TrainingFiles([paths["battles"]], [paths["gold"]], None, [paths["evaluation"]], config)


def outcomes_file(folder: Path) -> Path:
    """Write the outcomes of three models on prompts of which sums are harder than talk."""
    rng, rows = np.random.default_rng(0), []
    for i in range(300):
        sums = i % 2 == 0
        words = " ".join(rng.choice(["river", "poem", "cat", "moon"], 5))
        prompt = f"What is {i} + {i * 7} times 3? {words}" if sums else f"Tell me: {i} {words}"
        right = {
            name: float(rng.random() < 1 / (1 + np.exp((1.5 if sums else -2.5) - ability)))
            for name, ability in {"large": 3.0, "medium": 1.5, "small": 0.0}.items()
        }
        rows.append({"prompt": prompt, "task": "t", "correct": right})
    path = folder / "outcomes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
