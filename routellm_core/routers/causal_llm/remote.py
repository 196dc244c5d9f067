"""Ratings by a causal LLM behind an OpenAI-compatible server, such as vLLM or TGI."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError, ScoringError
from ...openai_client import Server
from .local import NEW_TOKENS, WHY
from .prompt import LABELS, RatingPrompt

Candidates = dict[str, float]
"""The likeliest tokens at one position of a reply, with the logarithms of their probabilities."""


class RemoteRater:
    """Finds the label in the reply of a served model, and the probabilities of all five labels.

    The first request asks for one token. If that is no label, a second asks for a reply of up to
    six tokens. A label that is not among the most likely tokens of a position counts as having
    probability 0 there. A failed request is retried with growing pauses. Thread-safe.

    Args:
        base_url: address of the server, such as ``http://localhost:8000/v1``.
        model: its name there.
        prompt: turns a question into the model's input.
        api_key_env: environment variable that holds the server's key; None: no key is sent.
        chat: ask for chat completions, to which the server applies the model's chat template;
            otherwise for completions of a text that is in the model's format already.
        top_logprobs: how many of the most likely tokens to ask for; vLLM returns at most 20,
            TGI 5.
        timeout_s: time limit of each attempt of a request, in seconds.
        max_retries: how often a failed request is retried.
        concurrency: maximum number of simultaneous requests in one call of ``rate``.

    Raises:
        ConfigError: a number is out of range, or the environment variable of the key is not set.
        MissingExtraError: the client is not installed.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        prompt: RatingPrompt,
        *,
        api_key_env: str | None,
        chat: bool,
        top_logprobs: int,
        timeout_s: float,
        max_retries: int,
        concurrency: int,
    ) -> None:
        if top_logprobs < len(LABELS) or concurrency < 1 or not 0 < timeout_s < math.inf:
            raise ConfigError(
                f"top_logprobs is {top_logprobs}, concurrency {concurrency} and timeout_s "
                f"{timeout_s}: write 5 or more, 1 or more, and a number of seconds"
            )
        self._client: Any = Server.of(base_url, api_key_env).client(
            WHY, timeout_s=timeout_s, max_retries=max_retries
        )
        self._base_url = base_url
        self._model = model
        self._prompt = prompt
        self._chat = chat
        self._top_logprobs = top_logprobs
        self._concurrency = concurrency

    def rate(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Return the probability of each label: shape (n, 5); NaN where the reply has none.

        Raises:
            ScoringError: the server fails, or answers without logprobs.
        """
        if len(questions) < 2:
            rated = [self._rate(question) for question in questions]
        else:
            with ThreadPoolExecutor(min(self._concurrency, len(questions))) as pool:
                rated = list(pool.map(self._rate, questions))
        return np.array(rated, np.float64).reshape(-1, len(LABELS))

    def _rate(self, question: str) -> list[float]:
        for tokens in (1, NEW_TOKENS):
            for token, candidates in self._reply(question, tokens):
                if token in LABELS:
                    return self._chances(token, candidates)
        return [math.nan] * len(LABELS)

    def _chances(self, token: str, candidates: Candidates) -> list[float]:
        most = candidates[token]
        odds = [math.exp(min(0.0, candidates.get(label, -math.inf) - most)) for label in LABELS]
        if not math.isfinite(sum(odds)):
            raise ScoringError(f"{self._base_url} answered with logprobs that are NaN or infinite")
        return [each / sum(odds) for each in odds]

    def _reply(self, question: str, tokens: int) -> list[tuple[str, Candidates]]:
        """Return the tokens of the reply, each with its likeliest alternatives."""
        from openai import OpenAIError

        try:
            if self._chat:
                return _of_chat(
                    self._client.chat.completions.create(
                        model=self._model,
                        messages=self._prompt.messages(question),
                        max_tokens=tokens,
                        temperature=0,
                        logprobs=True,
                        top_logprobs=self._top_logprobs,
                    )
                )
            return _of_completion(
                self._client.completions.create(
                    model=self._model,
                    prompt=self._prompt.text(question),
                    max_tokens=tokens,
                    temperature=0,
                    logprobs=self._top_logprobs,
                )
            )
        except OpenAIError as error:
            raise ScoringError(
                f"no rating from {self._base_url} ({type(error).__name__}: {error})"
            ) from error
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise ScoringError(
                f"{self._base_url} answered without the logprobs that were asked for: "
                "use a server that gives logprobs; some give them in chat completions only, which "
                "chat=True asks for"
            ) from error


def _of_completion(answer: Any) -> list[tuple[str, Candidates]]:
    logprobs = answer.choices[0].logprobs
    positions = zip(logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, strict=True)
    return [
        _position(token, logprob, candidates.items()) for token, logprob, candidates in positions
    ]


def _of_chat(answer: Any) -> list[tuple[str, Candidates]]:
    return [
        _position(
            position.token,
            position.logprob,
            ((other.token, other.logprob) for other in position.top_logprobs),
        )
        for position in answer.choices[0].logprobs.content
    ]


def _position(
    token: str, logprob: float, others: Iterable[tuple[str, float]]
) -> tuple[str, Candidates]:
    candidates = {other.strip(): float(value) for other, value in others}
    return token.strip(), {**candidates, token.strip(): float(logprob)}
