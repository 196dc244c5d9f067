"""The mf router: the formula, quantiles, another pair. Contract and damage are tested for all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from routellm_core import RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, CONFIG, WEIGHTS
from routellm_core.encoders.surface import surface_features
from routellm_core.errors import ConfigError
from routellm_core.registry.loading import load_encoder
from routellm_core.routers.embedding_checkpoint import sigmoid
from routellm_core.routers.mf.router import MatrixFactorizationRouter

ODD = ["", " \n\t", "🤷‍♀️" * 50, "\ud800", "x" * 10_000_000, "\0", "何" * 1000, "A. \nB. \nC. "]


@pytest.fixture(scope="module")
def router() -> MatrixFactorizationRouter:
    loaded = load_router("mf")
    assert isinstance(loaded, MatrixFactorizationRouter)
    return loaded


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED / "mf", tmp_path / "mf"))


def test_folding_equals_the_formula(folder: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    tensors = {
        name: tensor.astype(np.float64) for name, tensor in load_file(folder / WEIGHTS).items()
    }
    prompts = ["Why is the sky blue?", "Sum 1 to 10.\nA. 54\nB. 55", *ODD]
    raw = np.hstack([load_encoder("static").encode(prompts), surface_features(prompts)])
    x = (raw - tensors["features.mean"]) * tensors["features.scale"]
    projected = x @ tensors["text_proj.0.weight"].T + tensors["text_proj.0.bias"]

    def score(model: str) -> np.ndarray:
        vector = tensors["P.weight"][config["models"].index(model)]
        return (vector * projected) @ tensors["classifier.0.weight"][0]

    for strong, weak in (
        (config["strong_model"], config["weak_model"]),
        ("claude-2.1", "vicuna-7b"),
    ):
        expected = sigmoid(score(strong) - score(weak))
        loaded = MatrixFactorizationRouter.from_pretrained(
            str(folder), strong_model=strong, weak_model=weak
        )
        assert loaded.score(prompts) == pytest.approx(expected, abs=1e-6)
        assert loaded.score_embeddings(raw) == pytest.approx(expected, abs=1e-6)


def test_what_is_cut_off_is_cut_alike(router: MatrixFactorizationRouter) -> None:
    long = "Prove it. " * 2000
    assert router.score([long])[0] == router.score([long + "Really?" * 1000])[0]


def test_strong_share_of_usual_traffic_goes_to_the_strong_model(
    router: MatrixFactorizationRouter,
) -> None:
    quantiles = router.score_quantiles
    assert quantiles is not None
    assert (np.diff(quantiles) >= 0).all()
    threshold = RoutingPolicy("mf", strong_share=0.3).threshold
    assert np.mean(quantiles >= threshold) == pytest.approx(0.3, abs=0.01)


def test_another_pair_has_its_own_scores_and_quantiles() -> None:
    close = load_router("mf", strong_model="gpt-4-0613", weak_model="gpt-4-0314")
    far = load_router("mf", strong_model="gpt-4-1106-preview", weak_model="dolly-v2-12b")
    assert far.score(["hi"])[0] > close.score(["hi"])[0]
    assert close.score_quantiles is not None
    assert far.score_quantiles is not None
    assert far.score_quantiles[100] > close.score_quantiles[100]


def test_an_unknown_reference_model_is_an_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'gpt-4-1106-preview'"):
        MatrixFactorizationRouter.from_pretrained(strong_model="gpt-4-1106-previeww")
    with pytest.raises(ConfigError, match="weak_model 'x' is not in the checkpoint"):
        MatrixFactorizationRouter.from_pretrained(weak_model="x")


def test_the_bundled_checkpoint_is_small_and_has_a_card() -> None:
    files = list((BUNDLED / "mf").iterdir())
    assert sum(file.stat().st_size for file in files) < 2_000_000
    assert "## Rebuild" in (BUNDLED / "mf" / "README.md").read_text()


def test_scoring_imports_nothing_heavy() -> None:
    code = (
        "import sys; from routellm_core import load_router; load_router('mf').score(['hi']);"
        "assert not {'torch', 'pandas', 'transformers', 'model2vec', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
