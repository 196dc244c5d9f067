"""The tokens that bert reads of a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...prompt.excerpt import both_ends, readable


def tokens_of(tokenizer: Any, prompts: Sequence[str], most: int) -> list[list[int]]:
    """Return the ids of each prompt's tokens: of more than ``most``, the first and the last.

    Args:
        tokenizer: of transformers.
        prompts: n texts.
        most: the number of tokens that are read, including special tokens.
    """
    texts = [readable(prompt) for prompt in prompts]
    # Not verbose: it would warn of texts longer than the model, which are shortened here.
    whole = tokenizer(texts, truncation=False, verbose=False)["input_ids"]
    return [both_ends(ids, most) for ids in whole]
