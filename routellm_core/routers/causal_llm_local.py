"""Ratings by a causal LLM in this process."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ScoringError
from .causal_llm_prompt import LABELS, RatingPrompt
from .pretrained import extra
from .token_batches import batches, padded

NEW_TOKENS = 6
"""How many tokens a model may generate until a label comes, as in the original release."""


class LocalRater:
    """Finds the label that a model replies with, and how likely each of the five is there.

    The first token of the reply is a label with every model that was tuned for it: one pass over
    the prompts is enough, of which only the last position's logits are computed. Where it is none,
    up to six tokens are generated, the likeliest each.

    A model in float32 takes prompts in batches. In bfloat16, whose rounding depends on what a
    prompt is batched with, they are taken one by one, so that a score does not depend on others.
    Thread-safe.

    Args:
        model: of transformers, in evaluation mode.
        tokenizer: of transformers, a fast one.
        prompt: makes of a question what the model reads.
        labels: tokens of ``LABELS``.
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: RatingPrompt, labels: list[int]) -> None:
        self._torch = extra("torch", "causal_llm", "causal-llm")
        transformers = extra("transformers", "causal_llm", "causal-llm")
        self._model = model
        self._prompt = prompt
        self._labels = labels
        ends = [number for number in (tokenizer.eos_token_id,) if number is not None]
        self._filler = ends[0] if ends else 0
        self._generation = transformers.GenerationConfig(
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=[*ends, *labels],
            pad_token_id=self._filler,
            output_scores=True,
            return_dict_in_generate=True,
        )
        takes = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in takes
        self._settings = {
            name: value
            for name, value in (("logits_to_keep", 1), ("use_cache", False))
            if name in takes
        }

    def rate(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Return how likely each label is: shape (n, 5); NaN where the model gives none.

        Raises:
            ScoringError: the model gives numbers that are none.
        """
        ids = [self._prompt.ids(question) for question in questions]
        logits = np.full((len(ids), len(LABELS)), np.nan)
        lengths = [len(row) for row in ids]
        together = self._model.dtype == self._torch.float32
        for rows in batches(lengths) if together else [[row] for row in range(len(ids))]:
            found = self._first([ids[row] for row in rows])
            logits[rows] = found
            later = [row for row, known in zip(rows, found, strict=True) if np.isnan(known[0])]
            if later:
                logits[later] = self._later([ids[row] for row in later])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return chances

    def _first(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the labels' logits at the reply's first token; NaN where that is no label."""
        given = self._given(ids)
        if self._takes_positions:
            given["position_ids"] = (given["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
        with self._torch.inference_mode():
            logits = self._model(**given, **self._settings).logits[:, -1]
            return self._of_labels(logits, logits.argmax(dim=1))

    def _later(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the labels' logits at the first token that is a label; NaN where none is."""
        given = self._given(ids)
        with self._torch.inference_mode():
            reply = self._model.generate(**given, generation_config=self._generation)
            tokens = reply.sequences[:, given["input_ids"].shape[1] :]
            found = np.full((len(ids), len(LABELS)), np.nan)
            # What follows a row's label is filler, so no row has two.
            for logits, token in zip(reply.scores, tokens.T, strict=True):
                here = self._of_labels(logits, token)
                found = np.where(np.isnan(found), here, found)
            return found

    def _of_labels(self, logits: Any, tokens: Any) -> NDArray[np.float64]:
        """Return the logits of the labels where the token is one, NaN elsewhere: shape (n, 5)."""
        of_labels: NDArray[np.float64] = logits[:, self._labels].double().cpu().numpy()
        if not np.isfinite(of_labels).all():
            raise ScoringError(
                "the model of router 'causal_llm' gives no numbers: restore its weights"
            )
        labelled = np.isin(tokens.cpu().numpy(), self._labels)
        return np.where(labelled[:, None], of_labels, np.nan)

    def _given(self, ids: Sequence[Sequence[int]]) -> dict[str, Any]:
        columns = {
            "input_ids": padded(ids, self._filler, "left"),
            "attention_mask": padded([[1] * len(row) for row in ids], 0, "left"),
        }
        return {
            name: self._torch.from_numpy(column).to(self._model.device)
            for name, column in columns.items()
        }
