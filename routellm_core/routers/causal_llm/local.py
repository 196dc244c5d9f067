"""Ratings by a causal LLM in this process."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ScoringError
from ...optional import require
from ..transformer.token_batches import batches
from .prompt import LABELS, RatingPrompt

WHY = "the router 'causal_llm'"
"""What needs the optional packages, for error messages."""

NEW_TOKENS = 6
"""How many tokens a model may generate until a label comes, as in the original release."""


class LocalRater:
    """Finds the label in a model's reply, and the probabilities of all five labels there.

    A model tuned for labels begins its reply with one, so one pass over the prompt is enough, and
    only the logits of the last position are computed. If a reply begins with another token, up to
    six tokens are generated greedily.

    A score must not depend on the rest of the batch. In float32, a batch holds prompts with the
    same number of tokens, without padding; its size changes a score by at most 1e-5, through
    rounding. In bfloat16 the rounding would reach hundredths, so prompts are scored one by one.
    Thread-safe.

    Args:
        model: a causal LM of transformers, in evaluation mode.
        tokenizer: a fast tokenizer of transformers.
        prompt: turns a question into the model's input.
        labels: token ids of ``LABELS``.
    """

    def __init__(self, model: Any, tokenizer: Any, prompt: RatingPrompt, labels: list[int]) -> None:
        self._torch = require("torch", "causal-llm", WHY)
        transformers = require("transformers", "causal-llm", WHY)
        self._model = model
        self._prompt = prompt
        self._labels = labels
        end = tokenizer.eos_token_id
        self._generation = transformers.GenerationConfig(
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            eos_token_id=labels if end is None else [end, *labels],
            pad_token_id=labels[0] if end is None else end,
            output_scores=True,
            return_dict_in_generate=True,
        )
        takes = inspect.signature(model.forward).parameters
        wanted = {"use_cache": False, "logits_to_keep": 1}
        self._settings = {name: value for name, value in wanted.items() if name in takes}

    def rate(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each label: shape (n, 5); NaN where the reply has none.

        Raises:
            ScoringError: the model gives NaN or infinity.
        """
        ids = [self._prompt.ids(question) for question in questions]
        logits = np.full((len(ids), len(LABELS)), np.nan)
        together = self._model.dtype == self._torch.float32
        alone = ([row] for row in range(len(ids)))
        with self._torch.inference_mode():
            for rows in batches([len(row) for row in ids], equal=True) if together else alone:
                logits[rows] = self._first([ids[row] for row in rows])
            for row in np.flatnonzero(np.isnan(logits[:, 0])):
                logits[row] = self._later(ids[row])
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return chances

    def _first(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the labels' logits at the reply's first token; NaN where that is no label."""
        logits = self._model(input_ids=self._tensor(ids), **self._settings).logits
        return self._of_labels(logits[:, -1])

    def _later(self, ids: Sequence[int]) -> NDArray[np.float64]:
        """Return the labels' logits at the first token that is a label; NaN where none is."""
        given = self._tensor([ids])
        reply = self._model.generate(
            input_ids=given,
            attention_mask=self._torch.ones_like(given),
            generation_config=self._generation,
        )
        # It ends with the first label, or with the end of the text.
        logits: NDArray[np.float64] = self._of_labels(reply.scores[-1])[0]
        return logits

    def _of_labels(self, logits: Any) -> NDArray[np.float64]:
        """Return the logits of the labels, NaN where another token is likelier: shape (n, 5)."""
        of_labels: NDArray[np.float64] = logits[:, self._labels].double().cpu().numpy()
        if not np.isfinite(of_labels).all():
            raise ScoringError(
                "the model of router 'causal_llm' gives NaN or infinity: restore its weights"
            )
        labelled = np.isin(logits.argmax(dim=1).cpu().numpy(), self._labels)
        of_labels[~labelled] = np.nan
        return of_labels

    def _tensor(self, rows: Sequence[Sequence[int]]) -> Any:
        return self._torch.tensor(rows, device=self._model.device)
