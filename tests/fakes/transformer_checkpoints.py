"""Tiny checkpoints of transformers, with weights drawn at random."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

# Threads of such small models do nothing but wait for each other where a machine is busy.
torch.set_num_threads(1)

LABELS = [f"[[{rating}]]" for rating in range(1, 6)]
HEADERS = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
FIRST = "<|think|>"
"""What a causal LLM says before its label, if not the label at once."""

SYSTEM, CLASSIFIER = "Rate the answer.\n", "Q: {question}\n\nRating:\n"


def write_bert(folder: Path, *, labels: int = 3, **described: Any) -> None:
    """Write a sequence classifier over letters.

    Args:
        folder: made if absent.
        labels: how many.
        described: what ``routellm.json`` says besides its router; without, there is none.
    """
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,?!+-*/=()'\""]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{each}" for each in letters)]
    tokenizer = Tokenizer(
        models.WordPiece({token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=0.3,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    if described:
        _describe(folder, {"router": "bert", **described})


def write_causal_llm(
    folder: Path, *, says_first: bool = False, never: bool = False, llama: bool = True, **more: Any
) -> None:
    """Write a causal LLM over bytes whose reply begins with a label.

    Args:
        folder: made if absent.
        says_first: its reply begins with ``FIRST`` instead, then comes a label.
        never: there is no label in its reply.
        llama: it has the tokens of Llama 3's headers.
        more: ``template``, a chat template; ``labels``, other label tokens; ``dtype``; the rest
            is what ``routellm.json`` says.
    """
    template, dtype = more.pop("template", None), more.pop("dtype", torch.float32)
    labels = more.pop("labels", LABELS)
    special = ["<|end|>", FIRST, *(HEADERS if llama else []), *labels]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({each: i for i, each in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", model_max_length=256
    )
    wrapped.chat_template = template
    wrapped.save_pretrained(folder)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=512,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=wrapped.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        # The first number of what is passed on says whether a label is to come.
        embedding, head = model.get_input_embeddings().weight, model.lm_head.weight
        embedding[:, 0] = 6.0
        first, numbers = (wrapped.convert_tokens_to_ids(each) for each in (FIRST, labels))
        rated = head[numbers]
        head *= 0.2
        head[numbers] = rated
        head[:, 0] = 0.0
        head[numbers, 0] = -2.0 if says_first or never else 2.0
        head[first, 0] = 1.0
        if says_first:
            embedding[first, 0] = -6.0
    model.to(dtype).save_pretrained(folder)
    (folder / "system_ft_v5.txt").write_text(SYSTEM)
    (folder / "classifier_ft_v5.txt").write_text(CLASSIFIER)
    if more:
        _describe(folder, {"router": "causal_llm", **more})


def _describe(folder: Path, described: Mapping[str, Any]) -> None:
    said = {"max_length": 64, "score_quantiles": None, **described}
    (folder / "routellm.json").write_text(json.dumps(said))
