"""A causal model from scratch, where there is none to start from: Llama's architecture, small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ...errors import ConfigError
from ...prompt.excerpt import readable
from ...routers.causal_llm.prompt import HEADERS
from ...routers.transformer.token_batches import padded
from ..finetune.base import attention
from ..finetune.fit import Batch, Ints, Task
from .config import CausalLLMConfig

_IGNORED = -100
_WIDENING = 8 / 3
"""Inner width of a layer by its outer one, as in Llama."""


def new_model(prompts: Sequence[str], config: CausalLLMConfig) -> tuple[Any, Any]:
    """Return a model with weights drawn from the seed, and a tokenizer made for the prompts.

    The tokenizer is byte-level BPE with the tokens of Llama 3's headers.

    Args:
        prompts: to be learned from.
        config: sizes.

    Raises:
        ConfigError: the sizes do not fit each other.
    """
    if config.hidden_size % (2 * config.heads):
        raise ConfigError(
            f"'hidden_size' is {config.hidden_size}: write a multiple of twice 'heads', "
            f"{2 * config.heads}"
        )
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocabulary,
        special_tokens=list(HEADERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(map(readable, prompts), trainer)
    end = HEADERS[-1]
    wrap: Any = transformers.PreTrainedTokenizerFast
    tokenizer = wrap(
        tokenizer_object=bpe, eos_token=end, pad_token=end, model_max_length=config.max_length
    )
    transformers.set_seed(config.seed)
    described = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=int(config.hidden_size * _WIDENING) // 8 * 8,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        max_position_embeddings=config.max_length,
        attention_dropout=config.dropout,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    make: Any = transformers.AutoModelForCausalLM.from_config
    return make(described, attn_implementation=attention()), tokenizer


def next_token_task(tokens: Sequence[Sequence[int]]) -> Task:
    """Return the task of telling each token of a text from those before it.

    Args:
        tokens: of the texts.
    """

    def collate(rows: Ints) -> Batch:
        texts = [tokens[i] for i in rows]
        return {
            "input_ids": torch.from_numpy(padded(texts, 0)),
            "next": torch.from_numpy(padded([text[1:] for text in texts], _IGNORED)),
        }

    def loss(model: Any, batch: Batch) -> torch.Tensor:
        logits = model(input_ids=batch["input_ids"], use_cache=False).logits[:, :-1]
        return torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), batch["next"].flatten(), ignore_index=_IGNORED
        )

    return Task(tokens, collate, loss)
