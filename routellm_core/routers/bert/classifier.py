"""BERT: a text encoder, fine-tuned to predict which model's answer is preferred.

    P(strong wins | q) = 1 - P(tie | q) - P(weak wins | q)

with a softmax over the three outcomes (Ong et al., RouteLLM, arXiv 2406.18665, section 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import CONFIG, Checkpoint, find_checkpoint
from ...contracts import Router
from ...errors import CheckpointError, ScoringError
from ...optional import require
from ...prompt.excerpt import both_ends, readable
from ..transformer.pretrained import (
    calls_at_once,
    checked_length,
    fingerprint_of,
    length_limit,
    load_pretrained,
    read_description,
)
from ..transformer.token_batches import batches, padded

OUTCOMES = ("strong wins", "tie", "weak wins")
"""Meaning of the model's labels, in order."""

MOST_TOKENS = 512
"""Tokens read if the checkpoint does not say how many, as in the original release."""


class BERTRouter(Router):
    """Win rates from a sequence classifier with three labels: strong wins, tie, weak wins.

    Of a prompt of more tokens than ``max_length`` the first and the last are read; of more than
    16,384 characters, the beginning and the end are tokenised, with lone surrogates replaced by
    ``?``. Scores are computed in float32, in padded batches; padding changes a score by at most
    1e-6, through rounding. Thread-safe.

    Args:
        model: any ``AutoModelForSequenceClassification`` of transformers, in evaluation mode.
        tokenizer: a fast tokenizer of transformers.
        max_length: maximum number of tokens, including special tokens.
        score_quantiles: quantiles of the scores over usual traffic, or None.
        first_tokens: of a long prompt the first tokens alone are read, as in the original release.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        max_length: int,
        score_quantiles: NDArray[np.float64] | None = None,
        *,
        first_tokens: bool = False,
    ) -> None:
        self._torch = require("torch", "torch", "a 'bert' of transformers")
        self.concurrency = calls_at_once(self._torch)
        self._model = model
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._score_quantiles = score_quantiles
        # A copy, since transformers' own tokenizers change their state when they are called.
        self._encode = type(tokenizer.backend_tokenizer).from_str(
            tokenizer.backend_tokenizer.to_str()
        )
        self._encode.no_padding()
        if first_tokens:
            self._encode.enable_truncation(max_length)
        else:
            self._encode.no_truncation()
        self._takes_types = "token_type_ids" in tokenizer.model_input_names
        self._filler = tokenizer.pad_token_id or 0

    @classmethod
    def from_pretrained(
        cls, checkpoint: Checkpoint = "bert", *, device: str | None = None
    ) -> BERTRouter:
        """Load a classifier from ``routellm train bert``, the original release, or elsewhere.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            device: torch device, such as ``cpu``; None for a CUDA GPU if there is one.

        Raises:
            CheckpointError: the checkpoint is missing or damaged, or does not have three labels.
            MissingExtraError: torch or transformers is not installed.
        """
        torch = require("torch", "torch", "a 'bert' of transformers")
        transformers = require("transformers", "torch", "a 'bert' of transformers")
        folder = find_checkpoint(checkpoint)
        described = read_description(folder, "bert")
        model, tokenizer = load_pretrained(
            folder, "AutoModelForSequenceClassification", transformers
        )
        if model.config.num_labels != len(OUTCOMES):
            raise CheckpointError(
                f"{folder / CONFIG} has {model.config.num_labels} labels where 3 are expected "
                f"({', '.join(OUTCOMES)}): give a checkpoint of `routellm train bert`"
            )
        length = checked_length(folder, described.max_length, model)
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(
            model,
            tokenizer,
            length or length_limit(tokenizer, model, MOST_TOKENS),
            described.score_quantiles,
            first_tokens=described.max_length is None,
        )

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ScoringError: the model gives NaN or infinity.
        """
        return self.outcomes(prompts)[:, 0]

    def outcomes(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each outcome: shape (n, 3), in the order of ``OUTCOMES``.

        Raises:
            ScoringError: the model gives NaN or infinity.
        """
        tokens = [self._tokens(prompt) for prompt in prompts]
        logits = np.empty((len(prompts), len(OUTCOMES)))
        for rows in batches([len(ids) for ids, _ in tokens]):
            logits[rows] = self._forward([tokens[row] for row in rows])
        if not np.isfinite(logits).all():
            raise ScoringError(
                "the model of router 'bert' gives NaN or infinity: restore its weights"
            )
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
        return chances

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's validation prompts."""
        return self._score_quantiles

    @cached_property
    def _fingerprint(self) -> str:
        settings = {"max_length": self._max_length}
        return f"bert:{fingerprint_of(self._model, self._tokenizer, settings)}"

    @property
    def fingerprint(self) -> str:
        """Digest of weights, tokenizer and length."""
        return self._fingerprint

    def _tokens(self, prompt: str) -> tuple[list[int], list[int]]:
        """Return the tokens of a prompt that are read, and their types."""
        encoding = self._encode.encode(readable(prompt))
        # Some tokenizers give no token for an empty text, and a model needs one.
        ids, types = encoding.ids or [self._filler], encoding.type_ids or [0]
        return both_ends(ids, self._max_length), both_ends(types, self._max_length)

    def _forward(self, tokens: Sequence[tuple[list[int], list[int]]]) -> NDArray[np.float32]:
        ids = [of_prompt for of_prompt, _ in tokens]
        columns = {
            "input_ids": padded(ids, self._filler),
            "attention_mask": padded([[1] * len(row) for row in ids], 0),
        }
        if self._takes_types:
            columns["token_type_ids"] = padded([types for _, types in tokens], 0)
        with self._torch.inference_mode():
            given = {
                name: self._torch.from_numpy(column).to(self._model.device)
                for name, column in columns.items()
            }
            logits: NDArray[np.float32] = self._model(**given).logits.cpu().numpy()
        return logits
