"""Embeddings from OpenAI, or from any server that speaks its API (vLLM, TEI, LiteLLM, Ollama)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..contracts import Encoder
from ..errors import ConfigError, MissingExtraError, ScoringError

if TYPE_CHECKING:
    from openai import OpenAI

READ_BYTES = 8_191
"""How much of a prompt is read, in UTF-8: so many bytes are never more tokens, and that many
tokens are what OpenAI's models take."""

API_KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"


class OpenAIEncoder(Encoder):
    """Asks an embeddings endpoint. Key and address come from the environment.

    ``OPENAI_API_KEY`` is the key, ``OPENAI_BASE_URL`` the address if it is not OpenAI's own; a
    server of one's own may need no key. Only the first 8,191 bytes of a prompt (UTF-8) are sent,
    and nothing for a blank one, whose vector is zero. A call that fails is tried again, after
    growing pauses. Thread-safe.

    Args:
        model: name of the embedding model.
        dim: length of its vectors.
        batch_size: how many prompts one request carries.
        timeout_s: how long one try of a request may take, in seconds.
        max_retries: how often a request that failed is tried again.
    """

    def __init__(
        self,
        model: str = "text-embedding-3-small",
        dim: int = 1536,
        *,
        batch_size: int = 32,
        timeout_s: float = 10.0,
        max_retries: int = 2,
    ) -> None:
        self.dim = dim
        self.fingerprint = f"openai:{model}"
        self._model = model
        self._batch_size = batch_size
        self._timeout_s = timeout_s
        self._max_retries = max_retries

    def check(self) -> None:
        """Raise what would keep it from encoding, without sending anything.

        Raises:
            ConfigError: there is neither a key nor the address of a server of one's own.
            MissingExtraError: the client is not installed.
        """
        _ = self._client

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim).

        Raises:
            ConfigError: as ``check`` does.
            MissingExtraError: likewise.
            ScoringError: the endpoint fails, or answers with vectors of another length.
        """
        vectors = np.zeros((len(prompts), self.dim), np.float32)
        texts = [_cut(prompt) for prompt in prompts]
        filled = [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), self._batch_size):
            rows = filled[start : start + self._batch_size]
            vectors[rows] = self._ask([texts[row] for row in rows])
        return vectors

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        from openai import OpenAIError

        try:
            answer = self._client.embeddings.create(
                input=texts, model=self._model, encoding_format="float"
            )
            found = sorted(answer.data, key=lambda item: item.index)
            vectors = np.array([item.embedding for item in found], np.float32)
        except (OpenAIError, TypeError, ValueError) as error:
            raise ScoringError(
                f"no embeddings from {self._client.base_url} ({type(error).__name__}: {error})"
            ) from error
        if vectors.shape != (len(texts), self.dim) or not np.isfinite(vectors).all():
            raise ScoringError(
                f"{self._client.base_url} answered with vectors of shape {vectors.shape}, not "
                f"{(len(texts), self.dim)}: its '{self._model}' must be the model that the "
                "checkpoint was made with"
            )
        return vectors

    @cached_property
    def _client(self) -> OpenAI:
        try:
            from openai import OpenAI
        except ImportError as error:
            raise MissingExtraError(
                "the encoder 'openai' needs its client: pip install \"routellm-plugins[openai]\""
            ) from error
        key, address = os.environ.get(API_KEY), os.environ.get(BASE_URL)
        if not key and not address:
            raise ConfigError(
                f"the encoder 'openai' has no key: set {API_KEY}, or {BASE_URL} to the address of "
                "a server that needs none"
            )
        return OpenAI(
            api_key=key or "unused", timeout=self._timeout_s, max_retries=self._max_retries
        )


def _cut(prompt: str) -> str:
    """Return what is sent: valid UTF-8, no longer than is read."""
    data = prompt[:READ_BYTES].encode("utf-8", "replace")
    return data[:READ_BYTES].decode("utf-8", "ignore")
