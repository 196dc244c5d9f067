"""A causal LLM, tuned to rate how well the weak model would answer a prompt, from 1 to 5.

    P(strong wins | q) = 1 - P([[4]] | q) - P([[5]] | q)

with a softmax over the five labels at the position of the label in the model's reply (Ong et al.,
RouteLLM, arXiv 2406.18665, section 4.2). If the reply has no label, the win rate is 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Checkpoint, find_checkpoint
from ...contracts import Router
from ...errors import ConfigError
from ...optional import require
from ..transformer.pretrained import (
    calls_at_once,
    checked_length,
    fingerprint_of,
    length_limit,
    load_pretrained,
    read_description,
    read_tokenizer,
)
from .local import WHY, LocalRater
from .prompt import (
    MOST_TOKENS,
    RatingPrompt,
    RatingTexts,
    has_llama_format,
    has_template,
    label_ids,
    template_of,
)
from .remote import RemoteRater

_GOOD = 3
"""Index of the first of the labels that favour the weak model: [[4]] and [[5]]."""


class Rater(Protocol):
    """Rates how well the weak model would answer."""

    def rate(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each label: shape (n, 5); NaN where the reply has none."""


class CausalLLMRouter(Router):
    """Win rates from the ratings of a causal LLM: see ``from_pretrained`` and ``from_server``.

    Of a prompt of more than 16,384 characters the beginning and the end are tokenised, with lone
    surrogates replaced by ``?``. If prompt and texts together exceed the model's length, the
    middle of the prompt is left out. Thread-safe.

    Args:
        rater: rates the prompts.
        score_quantiles: quantiles of the scores over usual traffic, or None.
        digest: returns a digest of weights, tokenizer, texts and length; None if it is unknown.
        concurrency: as ``Router.concurrency``.
    """

    def __init__(
        self,
        rater: Rater,
        score_quantiles: NDArray[np.float64] | None = None,
        *,
        digest: Callable[[], str] | None = None,
        concurrency: int | None = None,
    ) -> None:
        self._rater = rater
        self._score_quantiles = score_quantiles
        self._digest = digest
        self.concurrency = concurrency

    @classmethod
    def from_pretrained(
        cls, checkpoint: Checkpoint = "causal_llm", *, device: str | None = None
    ) -> CausalLLMRouter:
        """Load a checkpoint of ``routellm train causal_llm``, or of the original release, to score
        in this process.

        Scores are computed in float32, or in bfloat16 if the weights are stored in it.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.
            device: torch device, such as ``cpu``; None for a CUDA GPU if there is one.

        Raises:
            CheckpointError: the checkpoint is missing or damaged, or has no label tokens.
            MissingExtraError: torch or transformers is not installed.
        """
        torch = require("torch", "causal-llm", WHY)
        transformers = require("transformers", "causal-llm", WHY)
        folder = find_checkpoint(checkpoint)
        described = read_description(folder, "causal_llm")
        texts = RatingTexts.from_folder(folder)
        model, tokenizer = load_pretrained(
            folder, "AutoModelForCausalLM", transformers, keep="bfloat16"
        )
        labels = label_ids(folder, tokenizer.backend_tokenizer)
        length = checked_length(folder, described.max_length, model)
        length = length or length_limit(tokenizer, model, MOST_TOKENS)
        prompt = RatingPrompt(texts, tokenizer.backend_tokenizer, length, template_of(tokenizer))
        model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        settings = {"max_length": length, "system": texts.system, "classifier": texts.classifier}
        return cls(
            LocalRater(model, tokenizer, prompt, labels),
            described.score_quantiles,
            digest=lambda: fingerprint_of(model, tokenizer, settings),
            concurrency=calls_at_once(torch),
        )

    @classmethod
    def from_server(
        cls,
        base_url: str,
        model: str,
        *,
        checkpoint: Checkpoint = "causal_llm",
        api_key_env: str | None = None,
        chat: bool = False,
        top_logprobs: int = 20,
        timeout_s: float = 10.0,
        max_retries: int = 2,
        concurrency: int = 8,
    ) -> CausalLLMRouter:
        """Score with a model that a server runs, over OpenAI's API, as vLLM and TGI offer it.

        Args:
            base_url: address of the server, such as ``http://localhost:8000/v1``.
            model: its name there.
            checkpoint: what the server runs: a bundled name, a folder or a Hugging Face id. The
                two texts, the tokenizer and the quantiles are read from it, the weights are not.
            api_key_env: environment variable that holds the server's key; None: no key is sent.
            chat: ask for chat completions, to which the server applies the model's chat template;
                otherwise for completions of a text in the format of the original release.
            top_logprobs: how many of the most likely tokens to ask for; vLLM returns at most 20,
                TGI 5.
            timeout_s: time limit of each attempt of a request, in seconds.
            max_retries: how often a failed request is retried.
            concurrency: maximum number of simultaneous requests in one call of ``score``, and of
                simultaneous calls of ``score`` in a policy.

        Raises:
            CheckpointError: the checkpoint is missing or damaged.
            ConfigError: a number is out of range, the environment variable of the key is not set,
                or the model has its own chat template and ``chat`` is not set.
            MissingExtraError: the OpenAI client is not installed.
        """
        folder = find_checkpoint(checkpoint, weights=False)
        described = read_description(folder, "causal_llm")
        tokenizer, length = read_tokenizer(folder, MOST_TOKENS)
        if not chat and not has_llama_format(tokenizer) and has_template(folder):
            raise ConfigError(
                f"the model in {folder} has its own chat template: set chat=True, so that the "
                "server applies it"
            )
        prompt = RatingPrompt(
            RatingTexts.from_folder(folder), tokenizer, described.max_length or length
        )
        rater = RemoteRater(
            base_url,
            model,
            prompt,
            api_key_env=api_key_env,
            chat=chat,
            top_logprobs=top_logprobs,
            timeout_s=timeout_s,
            max_retries=max_retries,
            concurrency=concurrency,
        )
        return cls(rater, described.score_quantiles, concurrency=concurrency)

    def score(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

        Raises:
            ScoringError: the model gives NaN or infinity, or its server fails.
        """
        ratings = self._rater.rate(prompts)
        win_rates = 1 - ratings[:, _GOOD:].sum(axis=1)
        return np.where(np.isnan(win_rates), 1.0, win_rates.clip(0, 1))

    @property
    def score_quantiles(self) -> NDArray[np.float64] | None:
        """Quantiles of the scores over the checkpoint's validation prompts."""
        return self._score_quantiles

    @property
    def fingerprint(self) -> str | None:
        """Digest of weights, tokenizer, texts and length; None if a server runs the model."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str | None:
        return None if self._digest is None else f"causal_llm:{self._digest()}"
