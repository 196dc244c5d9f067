"""bert that learns from the outcomes of many models: its training and its ONNX checkpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnxruntime
import torch
import transformers

from routellm_core import CheckpointError, ConfigError, ScoringError, load_router
from routellm_core.checkpoints.store import CARD, CONFIG
from routellm_core.routers.bert.onnx import MODEL, BERTOutcomesRouter
from routellm_core.testing import RouterContractTests
from routellm_core.training.bert.config import BERTConfig
from routellm_core.training.bert.export import int8_model
from routellm_core.training.bert.network import LENGTH, ItemNetwork
from routellm_core.training.bert.train import train_bert
from routellm_core.training.finetune.state import STATE
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.files import TrainingFiles
from tests.fakes import base_models
from tests.fakes.training_files import CHAT, SUM, outcomes_file
from tests.fakes.watched_training import Interrupted, Steps

FILES = [CARD, CONFIG, METRICS, MODEL, "tokenizer.json"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    folder = tmp_path_factory.mktemp("outcomes")
    gold = outcomes_file(folder)
    base = base_models.bert(folder / "tiny-bert")
    return TrainingFiles(gold=[gold], settings=[f"base={base}"])


@pytest.fixture(scope="module")
def config(files: TrainingFiles) -> BERTConfig:
    return BERTConfig(
        learn="outcomes",
        base=files.settings[0].removeprefix("base="),
        l2=0.01,
        validation_share=0.2,
        max_length=32,
        epochs=4,
        kept_layers=[1],
        kept_epochs=2,
        batch_size=16,
        learning_rate=2e-3,
        precision="fp32",
        save_every=5,
    )


@pytest.fixture(scope="module")
def trained(
    files: TrainingFiles, config: BERTConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_bert(files, folder, config)
    return folder


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_hard_prompts_go_to_the_strong_model(trained: Path) -> None:
    router = load_router("bert", checkpoint=trained)
    hard, easy = router.score([SUM, CHAT])
    assert hard > easy + 0.05
    assert [router.score([text])[0] for text in (SUM, CHAT)] == [hard, easy]
    quantiles = router.score_quantiles
    assert quantiles is not None
    assert easy <= quantiles[-1] + 0.1


def test_the_checkpoint_is_whole_and_has_the_kept_layers_alone(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == sorted(FILES)
    model = onnx.load(trained / MODEL)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    names = {tensor.name for tensor in model.graph.initializer}
    assert any(".layer.0." in name for name in names)
    assert not any(".layer.1." in name for name in names)
    card = (trained / CARD).read_text()
    assert "--set base=tiny-bert" in card
    assert "large +" in card


def test_any_two_models_make_a_pair(trained: Path) -> None:
    def rates(**options: Any) -> Any:
        return load_router("bert", checkpoint=trained, **options).score([SUM, CHAT])

    abilities = json.loads((trained / METRICS).read_text())["abilities"]
    assert abilities["large"] > abilities["medium"] > abilities["small"]
    named = rates(strong_model="large", weak_model="medium")
    numbers = rates(strong_ability=abilities["large"], weak_ability=abilities["medium"])
    assert named == pytest.approx(numbers, abs=1e-3)
    assert (rates(strong_model="large", weak_model="small") >= named).all()
    with pytest.raises(ConfigError, match="strong_model 'huge' is not in the checkpoint"):
        rates(strong_model="huge")
    with pytest.raises(ConfigError, match=r"scored by ONNX Runtime on the CPU: remove 'device'"):
        rates(device="cpu")


@pytest.mark.parametrize(
    ("part", "stage", "at"),
    [("tune", "Fine-tuning", 30), ("keep", "Fine-tuning the kept layers", 20)],
)
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    files: TrainingFiles,
    config: BERTConfig,
    trained: Path,
    tmp_path: Path,
    part: str,
    stage: str,
    at: int,
) -> None:
    with pytest.raises(Interrupted):
        train_bert(files, tmp_path, config, progress=Steps(at=at, stage=stage))
    assert (tmp_path / STATE / part).is_dir()
    assert not (tmp_path / CONFIG).exists()
    train_bert(files, tmp_path, config)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name


def test_scoring_needs_neither_torch_nor_transformers(trained: Path) -> None:
    code = (
        "import sys; from routellm_core import load_router;"
        f"load_router('bert', checkpoint={str(trained)!r}).score(['hi']);"
        "assert not {'torch', 'transformers', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_int8_says_nearly_what_the_network_says(tmp_path: Path) -> None:
    folder = base_models.bert(tmp_path / "base")
    torch.manual_seed(0)
    network = ItemNetwork(transformers.BertModel.from_pretrained(folder, add_pooling_layer=False))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    network.eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    heads = network.encoder.config.num_attention_heads
    model = int8_model(weights, heads, weights["head.weight"] * LENGTH, weights["head.bias"])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 20, size) for size in (1, 2, 5, 9, 30, 60, 120)]
    ours = np.array([session.run(None, {"token_ids": row})[0] for row in rows])
    with torch.inference_mode():
        exact = [
            network(torch.from_numpy(row)[None], torch.ones(1, len(row), dtype=torch.int64))[0]
            for row in rows
        ]
    np.testing.assert_allclose(ours, np.array(exact), atol=0.1 * np.std(exact))


@pytest.mark.parametrize("layers", [[5], [1, 0], [-1], [0, 0]])
def test_layers_that_do_not_exist(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path, layers: list[int]
) -> None:
    wrong = config.model_copy(update={"kept_layers": layers, "epochs": 0.1})
    with pytest.raises(ConfigError, match=r"'kept_layers' is .*: name layers in ascending order"):
        train_bert(files, tmp_path, wrong)
    assert not (tmp_path / STATE / "tune").exists(), "it was found after the fine-tuning"


def test_only_a_bert_learns_outcomes(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    other = base_models.causal(tmp_path / "llama")
    wrong = config.model_copy(update={"base": str(other)})
    with pytest.raises(ConfigError, match=r"is a 'llama'.*needs a BERT with gelu"):
        train_bert(files, tmp_path / "out", wrong)


def test_a_flipped_or_missing_byte_of_the_model_is_told(copy: Path) -> None:
    content = bytearray((copy / MODEL).read_bytes())
    content[len(content) // 2] ^= 1
    for damaged in (bytes(content), bytes(content[:1000]), b""):
        (copy / MODEL).write_bytes(damaged)
        with pytest.raises(CheckpointError, match=rf"{MODEL} is damaged"):
            load_router("bert", checkpoint=copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"router": "mf"}, "is a checkpoint of router 'mf', not of 'bert'"),
        ({"abilities": [1.0]}, "its lists do not fit each other"),
        ({"traffic": [[1.0, None]]}, "is damaged"),
        ({"max_length": 0}, "do not fit"),
        ({"models": None}, "'models' cannot be None"),
    ],
)
def test_a_damaged_configuration_is_told(copy: Path, change: dict[str, Any], message: str) -> None:
    config = json.loads((copy / CONFIG).read_text())
    (copy / CONFIG).write_text(json.dumps({**config, **change}))
    with pytest.raises(CheckpointError, match=message):
        load_router("bert", checkpoint=copy)


@pytest.mark.parametrize("name", [CONFIG, "tokenizer.json"])
def test_a_missing_or_garbled_file_is_told(copy: Path, name: str) -> None:
    (copy / name).write_text("{")
    with pytest.raises(CheckpointError, match=rf"{name} is damaged"):
        load_router("bert", checkpoint=copy)
    (copy / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_router("bert", checkpoint=copy)


def test_nan_is_no_score(trained: Path) -> None:
    class Session:
        def run(self, *_: Any) -> list[Any]:
            return [np.array([np.nan, 0.0])]

    router = BERTOutcomesRouter.from_pretrained(trained)
    router._session = Session()
    with pytest.raises(ScoringError, match="gives NaN or infinity"):
        router.score(["hi"])


def test_the_fingerprint_names_the_pair(trained: Path) -> None:
    def name(**options: Any) -> Any:
        return load_router("bert", checkpoint=trained, **options).fingerprint

    assert name() == name() != name(strong_ability=9.0)


class TestContract(RouterContractTests):
    @pytest.fixture(autouse=True)
    def _trained(self, trained: Path) -> None:
        self.folder = trained

    def router(self) -> BERTOutcomesRouter:
        return BERTOutcomesRouter.from_pretrained(self.folder)
