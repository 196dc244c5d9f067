"""The mf router: the formula, quantiles, another pair. Contract and damage are tested for all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from routellm_core import Encoder, RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, CONFIG, WEIGHTS
from routellm_core.encoders.surface import surface_features
from routellm_core.errors import CheckpointError, ConfigError
from routellm_core.registry.loading import load_encoder
from routellm_core.routers.embedding_checkpoint import sigmoid
from routellm_core.routers.mf.router import MatrixFactorizationRouter
from tests.benchmarks.quality.common_sense import prompts

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
        ("gpt-4-1106-preview", "llama-2-13b-chat"),
    ):
        contrast = x @ tensors["contrast.weight"] + tensors["contrast.bias"]
        gap = sigmoid(score(strong)) - sigmoid(score(weak))
        expected = 0.5 + 0.5 * gap * np.maximum(0, 1 + contrast)
        loaded = MatrixFactorizationRouter.from_pretrained(
            str(folder), strong_model=strong, weak_model=weak
        )
        assert loaded.score(prompts) == pytest.approx(expected, abs=1e-6)
        assert loaded.score_embeddings(raw) == pytest.approx(expected, abs=1e-6)


def test_what_is_left_out_is_left_out_alike(router: MatrixFactorizationRouter) -> None:
    long = "Prove it. " * 2000
    assert router.score([long])[0] == router.score([long + "Really?" * 1000 + long])[0]


def test_strong_share_of_usual_traffic_goes_to_the_strong_model(
    router: MatrixFactorizationRouter,
) -> None:
    quantiles = router.score_quantiles
    assert quantiles is not None
    assert (np.diff(quantiles) >= 0).all()
    threshold = RoutingPolicy("mf", strong_share=0.3).threshold
    assert np.mean(quantiles >= threshold) == pytest.approx(0.3, abs=0.01)


def test_a_score_is_the_same_to_the_bit_whatever_is_scored_beside_it() -> None:
    router = load_router("mf")
    texts = [pair[key] for pair in prompts() for key in ("easy", "hard")]
    alone = [router.score([text])[0] for text in texts]
    for at_once in (2, 7, len(texts)):
        assert router.score(texts[:at_once]).tolist() == alone[:at_once]


def test_another_pair_has_its_own_scores_and_quantiles() -> None:
    close = load_router("mf", strong_model="gpt-4-0613", weak_model="gpt-4-0314")
    far = load_router("mf", strong_model="gpt-4-1106-preview", weak_model="vicuna-7b")
    prompt = ["What is photosynthesis?"]
    assert far.score(prompt)[0] > close.score(prompt)[0]
    assert close.score_quantiles is not None
    assert far.score_quantiles is not None
    assert far.score_quantiles[100] > close.score_quantiles[100]


def test_an_unknown_reference_model_is_an_error() -> None:
    with pytest.raises(ConfigError, match="did you mean 'gpt-4-1106-preview'"):
        MatrixFactorizationRouter.from_pretrained(strong_model="gpt-4-1106-previeww")
    with pytest.raises(ConfigError, match="weak_model 'x' is not in the checkpoint"):
        MatrixFactorizationRouter.from_pretrained(weak_model="x")


def test_two_equal_reference_models_are_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"both 'gpt-4-0613'.*name two models"):
        load_router("mf", strong_model="gpt-4-0613", weak_model="gpt-4-0613")
    own = json.loads((folder / CONFIG).read_text())["weak_model"]
    with pytest.raises(ConfigError, match="name two models"):
        MatrixFactorizationRouter.from_pretrained(folder, strong_model=own)


def test_an_encoder_may_be_given_and_must_be_the_one_it_was_trained_on() -> None:
    encoder = load_encoder("static")
    given = MatrixFactorizationRouter.from_pretrained(encoder=encoder)
    assert (given.score(ODD) == load_router("mf").score(ODD)).all()
    with pytest.raises(CheckpointError, match=r"was trained on .* here they are surface:1"):
        MatrixFactorizationRouter.from_pretrained(encoder=_Other())


def test_a_checkpoint_does_not_choose_where_prompts_are_sent(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("SECRET", "sk-secret")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    config = json.loads((folder / CONFIG).read_text())
    server = "http://elsewhere:1/v1"
    described = {"name": "openai", "model": "ours"}
    config["encoder"] = {**described, "base_url": server, "api_key_env": "SECRET"}
    config["encoder_fingerprint"] = f"openai:ours:1536:{server}"
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=f"{server}: set OPENAI_BASE_URL"):
        load_router("mf", checkpoint=folder)
    # Named by the user as well, it is used, but without a key that the checkpoint chose.
    monkeypatch.setenv("OPENAI_BASE_URL", server)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(CheckpointError, match="tensors' shapes"):
        load_router("mf", checkpoint=folder)
    assert load_encoder(**described)._server.api_key_env is None


class _Other(Encoder):
    dim, fingerprint = 1, "surface:1"

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(prompts), 1), np.float32)


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
