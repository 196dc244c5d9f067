"""Small transformers to start a fine-tuning from, with weights drawn at random."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

# Threads of such small models do nothing but wait for each other where a machine is busy.
torch.set_num_threads(1)

WORDS = "What is times Tell me river poem cat moon hello + ? : Rate 0 1 2 3 4 5 6 7 8 9"
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
}


def bert(folder: Path) -> Path:
    """Write an encoder that knows the words of ``training_files``."""
    tokenizer = _tokenizer()
    transformers.set_seed(0)
    config = transformers.BertConfig(vocab_size=len(tokenizer), **SIZE)
    _save(transformers.BertModel(config), tokenizer, folder)
    return folder


def causal(folder: Path) -> Path:
    """Write a causal model that knows the same words, its two embeddings apart."""
    tokenizer = _tokenizer()
    transformers.set_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), num_key_value_heads=1, tie_word_embeddings=False, **SIZE
    )
    _save(transformers.LlamaForCausalLM(config), tokenizer, folder)
    return folder


def _tokenizer() -> transformers.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    trainer = trainers.WordLevelTrainer(special_tokens=[*special.values()])
    tokenizer.train_from_iterator([WORDS], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=128, **special
    )


def _save(
    model: transformers.PreTrainedModel,
    tokenizer: transformers.PreTrainedTokenizerFast,
    folder: Path,
) -> None:
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
