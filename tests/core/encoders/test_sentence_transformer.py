"""The sentence_transformer encoder: its vectors, what it refuses, and routers trained on it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")

import torch
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from routellm_core import load_router
from routellm_core.contracts import Encoder
from routellm_core.errors import CheckpointError, ConfigError, MissingExtraError
from routellm_core.registry.loading import load_encoder
from routellm_core.training.shared.config import read_config
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import find_trainer

WEIGHTS = "model.safetensors"
PROMPTS = ["what is a cat", "", "   ", "🙂🙂", "\ud800 river", "prove it " * 400, "cat\nriver"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two layers with weights drawn at random, as sentence-transformers saves it."""
    path = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "what", "is", "a", "cat", "river", "prove", "it"]
    vocabulary = {word: number for number, word in enumerate([*words, *"0123456789+"])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, sep_token="[SEP]", **marks)
    fast.save_pretrained(path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(path)
    parts = [("Transformer", ""), ("Pooling", "1_Pooling")]
    modules = [
        {"idx": i, "name": str(i), "path": folder, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, folder) in enumerate(parts)
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "sentence_bert_config.json").write_text('{"max_seq_length": 48}')
    (path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return path


def _load(folder: Path) -> Encoder:
    return load_encoder("sentence_transformer", model=str(folder))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def test_vectors_are_the_librarys_own_of_length_1(folder: Path) -> None:
    ours = _load(folder).encode(["what is a cat", "river"])
    theirs = SentenceTransformer(str(folder), device="cpu").encode(["what is a cat", "river"])
    lengths = np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(ours, theirs / lengths, atol=1e-6)
    assert (ours.shape, ours.dtype) == ((2, _load(folder).dim), np.float32)


def test_any_text_gives_finite_vectors_the_same_for_one_and_for_many(folder: Path) -> None:
    encoder = _load(folder)
    vectors = encoder.encode(PROMPTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    each = np.vstack([encoder.encode([prompt]) for prompt in PROMPTS])
    np.testing.assert_allclose(vectors, each, atol=1e-6)
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_of_a_long_prompt_the_beginning_and_the_end_are_read(folder: Path) -> None:
    encoder = _load(folder)
    plain, middle, start, end = encoder.encode(
        [
            "cat " * 9_000,
            "cat " * 9_000 + "river " * 1_700_000 + "cat " * 9_000,
            "river " + "cat " * 9_000,
            "cat " * 9_000 + "river",
        ]
    )
    np.testing.assert_allclose(plain, middle, atol=1e-6)
    assert not np.allclose(plain, start, atol=1e-4)
    assert not np.allclose(plain, end, atol=1e-4)


def test_threads_get_what_one_alone_gets(folder: Path) -> None:
    encoder = _load(folder)
    alone = [encoder.encode([prompt]) for prompt in PROMPTS]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda prompt: encoder.encode([prompt]), PROMPTS * 8))
    for expected, vector in zip(alone * 8, together, strict=True):
        np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_the_fingerprint_is_of_the_content_not_of_the_path(folder: Path, copy: Path) -> None:
    fingerprint = _load(folder).fingerprint
    assert _load(copy).fingerprint == fingerprint
    pooling = next(copy.glob("1_Pooling/config.json"))
    pooling.write_text(pooling.read_text() + "\n")
    assert load_encoder("sentence_transformer", model=f"{copy}{os.sep}").fingerprint != fingerprint


def test_nothing_is_fetched(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("it went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _load(copy).encode(["what is a cat"])


def test_weights_stored_in_float16_are_computed_in_float32(folder: Path, copy: Path) -> None:
    weights = load_file(copy / WEIGHTS)
    save_file({name: w.astype(np.float16) for name, w in weights.items()}, copy / WEIGHTS)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    half, single = (_load(path).encode(["what is a cat"]) for path in (copy, folder))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, single, atol=2e-3)


def _without_a_layer(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    kept = {name: w for name, w in weights.items() if "layer.1.attention" not in name}
    save_file(kept, folder / WEIGHTS)


def _with_nan(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    save_file({name: w * np.float32(np.nan) for name, w in weights.items()}, folder / WEIGHTS)


def _truncated(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def _pickled(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    torch.save({name: torch.tensor(w) for name, w in weights.items()}, folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _modules_torn(folder: Path) -> None:
    (folder / "modules.json").write_text("[{")


def _code_of_its_own(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "evil.Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "evil.py").write_text("raise SystemExit('run')\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_a_layer, "incomplete.*restore"),
        (_with_nan, "incomplete.*restore"),
        (_truncated, "cannot be read.*restore"),
        (_pickled, "pytorch_model.bin is pickled.*safe_serialization"),
        (_without_config, "cannot be read.*restore"),
        (_modules_torn, "modules.json is damaged.*restore"),
        (_code_of_its_own, "cannot be read"),
    ],
)
def test_a_damaged_model_is_refused(copy: Path, damage: object, message: str) -> None:
    assert callable(damage)
    damage(copy)
    with pytest.raises(CheckpointError, match=message):
        _load(copy)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        _load(tmp_path / "none")
    with pytest.raises(ConfigError, match="'model'"):
        load_encoder("sentence_transformer")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtraError, match=r"routellm-plugins\[sentence-transformers\]"):
        _load(tmp_path)


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "gold.jsonl"
    rows = [
        {
            "prompt": f"prove it {i} + {i}" if hard else f"what is a cat {i}",
            "task": "t",
            "correct": {"big": 1, "small": int(not hard)},
        }
        for i in range(60)
        for hard in (True, False)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("router", ["mf", "sw_ranking"])
def test_a_router_is_trained_on_it_and_knows_it_again(
    folder: Path, copy: Path, gold: Path, tmp_path: Path, router: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "strong_model: big\nweak_model: small\n"
        f"encoder: {{name: sentence_transformer, model: {copy}}}\n"
    )
    trainer = find_trainer(router)
    out = tmp_path / "router"
    trainer.train(TrainingFiles(gold=[gold]), out, read_config(config, trainer.config))
    scores = load_router(router, checkpoint=str(out)).score(["prove it 9 + 9", "what is a cat 9"])
    assert scores[0] > scores[1] + 0.1
    assert "`sentence_transformer` embedding" in (out / "README.md").read_text()

    moved = json.loads((out / "config.json").read_text())
    moved["encoder"]["model"] = str(folder)
    (out / "config.json").write_text(json.dumps(moved))
    again = load_router(router, checkpoint=f"{out}{os.sep}")
    np.testing.assert_allclose(again.score(["prove it 9 + 9"]), scores[:1], atol=1e-6)

    pooling = next(copy.glob("1_Pooling/config.json"))
    pooling.write_text(pooling.read_text() + "\n")
    moved["encoder"]["model"] = f"{copy}{os.sep}"
    (out / "config.json").write_text(json.dumps(moved))
    with pytest.raises(CheckpointError, match="was trained on the features of encoder"):
        load_router(router, checkpoint=f"{out}{os.sep}.")


def test_an_encoder_that_is_described_wrongly_is_reported(gold: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("strong_model: big\nweak_model: small\nencoder: {model: x}\n")
    trainer = find_trainer("mf")
    with pytest.raises(ConfigError, match=r"write its name, or \{name"):
        trainer.train(TrainingFiles(gold=[gold]), tmp_path, read_config(config, trainer.config))
