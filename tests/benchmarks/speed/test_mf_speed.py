"""mf from a vector to a win rate: the bundled one, and the original release beside its own code.

The original's forward pass is written here from the formula, with torch, as it runs on a CPU:

    score(M, q) = w2^T (v_M / |v_M| * W1 e_q)
    P(strong wins | q) = sigmoid(score(strong, q) - score(weak, q))
"""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from routellm_core import load_router
from routellm_core.checkpoints.store import WEIGHTS
from routellm_core.routers.mf.released import RELEASED_MODELS
from routellm_core.routers.mf.router import MatrixFactorizationRouter
from tests.fakes import checkpoints

from .measure import race

VECTORS = 1000
PAIR = "gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"
RANK = 128
"""That of the released checkpoint."""

MOST_MS = 0.05

LEAST_RATIO = 4.0
"""How many times as long the original takes at least: half of what a quiet machine shows."""


def _vectors(dim):
    return list(np.random.default_rng(1).normal(size=(VECTORS, 1, dim)).astype(np.float32))


def test_after_encoding(benchmark, report):
    router = load_router("mf")
    contestants = {"mf": router.score_embeddings}
    vectors = _vectors(router.encoder.dim)
    times = benchmark.pedantic(race, (contestants, vectors), rounds=1)
    report("mf, after encoding", f"{times['mf'] * 1000:.1f} us", f"{router.encoder.dim} features")
    assert times["mf"] <= MOST_MS


def test_ahead_of_the_original(benchmark, report, tmp_path):
    torch = pytest.importorskip("torch")
    checkpoints.released_mf(tmp_path, RANK)
    router = MatrixFactorizationRouter.from_pretrained(str(tmp_path))
    models, projection, classifier = (
        torch.from_numpy(load_file(tmp_path / WEIGHTS)[name])
        for name in ("P.weight", "text_proj.0.weight", "classifier.0.weight")
    )
    pair = [RELEASED_MODELS.index(model) for model in PAIR]

    @torch.no_grad()
    def original(vector):
        chosen = torch.nn.functional.normalize(models[pair], p=2, dim=1)
        scores = (chosen * (torch.from_numpy(vector) @ projection.T)) @ classifier[0]
        return torch.sigmoid(scores[0] - scores[1]).item()

    vectors = _vectors(checkpoints.RELEASED_DIM)
    for vector in vectors[:20]:
        assert router.score_embeddings(vector)[0] == pytest.approx(original(vector), abs=1e-5)
    contestants = {"mf": router.score_embeddings, "original": original}
    times = benchmark.pedantic(race, (contestants, vectors), rounds=1)
    ratio = times["original"] / times["mf"]
    report("mf, released", f"{times['mf'] * 1000:.1f} us", f"{checkpoints.RELEASED_DIM} numbers")
    report("original, the same", f"{times['original'] * 1000:.1f} us", f"{ratio:.1f} times as long")
    assert times["mf"] <= MOST_MS
    assert ratio >= LEAST_RATIO
