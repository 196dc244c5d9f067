"""Classifiers for ``bert`` in the original release's format, of a given size."""

from __future__ import annotations

from pathlib import Path

import pytest

from routellm_core.checkpoints.store import BUNDLED


def classifier(folder: Path, *, width: int, layers: int) -> Path:
    """Write a classifier with weights drawn at random into a folder, and return that."""
    transformers = pytest.importorskip("transformers")
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(BUNDLED / "bert" / "tokenizer.json"),
        pad_token="[PAD]",
        model_max_length=512,
    ).save_pretrained(folder)
    config = transformers.BertConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        intermediate_size=4 * width,
        max_position_embeddings=512,
        num_labels=3,
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder
