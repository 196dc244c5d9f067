"""Hard prompts above easy ones, in kinds that anyone can judge."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import routellm_core.training
from routellm_core import load_encoder, load_router
from tests.benchmarks.quality.common_sense import APART, FORMS, PAIRS, prompts, sense_of

TRAINING = Path(routellm_core.training.__file__).parent
SIMILAR = {PAIRS: 0.8, APART: 0.95}
"""Cosines from which a prompt counts as near; the second file's author knew no other."""
KINDS = [
    "hi",
    "What should I cook for dinner tonight?",
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in "
    "May. How many clips did Natalia sell altogether in April and May?",
    "Let G be a finite group and p the smallest prime dividing |G|. Prove that every subgroup of "
    "index p is normal.",
]


@pytest.mark.parametrize(
    ("name", "path", "least"),
    [
        ("mf", PAIRS, 0.96),
        ("sw_ranking", PAIRS, 0.94),
        ("bert", PAIRS, 0.96),
        ("mf", APART, 0.86),
        ("sw_ranking", APART, 0.86),
        ("bert", APART, 0.93),
    ],
)
def test_hard_prompts_are_above_easy_ones(name: str, path: Path, least: float) -> None:
    found = sense_of(load_router(name).score, path)
    assert found.pairs >= 40
    assert found.auc >= least


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "least"), [("mf", 0.64), ("sw_ranking", 0.66), ("bert", 0.85)])
def test_hard_prompts_about_a_document_are_above_easy_ones(
    name: str, form: str, least: float
) -> None:
    found = sense_of(load_router(name).score, APART, form=FORMS[form])
    assert found.auc >= least


def test_greetings_chat_school_and_proofs_are_in_order() -> None:
    assert (np.diff(load_router("mf").score(KINDS)) > 0).all()


@pytest.mark.parametrize("path", [PAIRS, APART])
def test_nothing_near_the_test_was_learned(path: Path) -> None:
    written = [TRAINING / "anchors.jsonl", TRAINING / "requests.jsonl"]
    learned = [
        json.loads(line)["prompt"]
        for file in written
        for line in file.read_text("utf-8").splitlines()
    ]
    tested = [pair[key] for pair in prompts(path) for key in ("easy", "hard")]
    units = [
        vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        for vectors in map(load_encoder("static").encode, (learned, tested))
    ]
    assert (units[0] @ units[1].T).max() < SIMILAR[path]
