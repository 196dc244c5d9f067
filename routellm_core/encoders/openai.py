"""Embeddings from OpenAI, or from any server that speaks its API (vLLM, TEI, LiteLLM, Ollama)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..contracts import Encoder
from ..errors import ConfigError, ScoringError
from ..openai_client import Server
from ..prompt.excerpt import readable

if TYPE_CHECKING:
    from openai import OpenAI

READ_BYTES = 8_191
"""How much of a prompt is read, in bytes of UTF-8. OpenAI's models take as many tokens, and a
text never has more tokens than bytes."""

_SHORTENING = "text-embedding-3"
"""Part of the names of OpenAI's models that shorten their vectors to ``dimensions``."""


class OpenAIEncoder(Encoder):
    """Gets vectors from an embeddings endpoint.

    Of a prompt of more than 8,191 bytes (UTF-8) the beginning and the end are sent. A blank prompt
    is not sent; its vector is zero. A failed request is retried with growing pauses. Thread-safe.

    Args:
        model: name of the embedding model.
        dim: length of its vectors.
        dimensions: length to which the server is asked to shorten its vectors, which replaces
            ``dim``. None: OpenAI's text-embedding-3 models are asked for ``dim``, others for
            nothing.
        base_url: address of the server. None: the environment variable ``OPENAI_BASE_URL``, or
            else OpenAI's own address.
        api_key_env: environment variable that holds the key. None: ``OPENAI_API_KEY``, or no key
            if ``base_url`` is not OpenAI's own address.
        batch_size: maximum number of prompts in one request.
        timeout_s: time limit of each attempt of a request, in seconds.
        max_retries: how often a failed request is retried.

    Raises:
        ConfigError: ``dim`` or ``dimensions`` is less than 1.
    """

    def __init__(
        self,
        model: str = "text-embedding-3-small",
        dim: int = 1536,
        *,
        dimensions: int | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        batch_size: int = 32,
        timeout_s: float = 10.0,
        max_retries: int = 2,
    ) -> None:
        self.dim = dim if dimensions is None else dimensions
        if self.dim < 1:
            raise ConfigError(f"the encoder 'openai' has dim {self.dim}: write 1 or more")
        self._server = Server.of(base_url, api_key_env)
        self.fingerprint = f"openai:{model}:{self.dim}:{self._server.base_url}"
        self._asked: dict[str, Any] = {"model": model, "encoding_format": "float"}
        if dimensions is not None or _SHORTENING in model:
            self._asked["dimensions"] = self.dim
        self._batch_size = batch_size
        self._timeout_s = timeout_s
        self._max_retries = max_retries

    def check(self) -> None:
        """Raise an error if it cannot encode; nothing is sent.

        Raises:
            ConfigError: the environment variable of the key is not set.
            MissingExtraError: the OpenAI client is not installed.
        """
        _ = self._client

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim).

        Raises:
            ConfigError: as ``check`` does.
            MissingExtraError: likewise.
            ScoringError: the endpoint fails, or returns vectors of another length.
        """
        vectors = np.zeros((len(prompts), self.dim), np.float32)
        texts = [_cut(prompt) for prompt in prompts]
        filled = [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(filled), self._batch_size):
            rows = filled[start : start + self._batch_size]
            vectors[rows] = self._ask([texts[row] for row in rows])
        return vectors

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        client = self._client
        from openai import OpenAIError

        try:
            answer = client.embeddings.create(input=texts, **self._asked)
            found = sorted(answer.data, key=lambda item: item.index)
            vectors = np.array([item.embedding for item in found], np.float32)
        except (OpenAIError, TypeError, ValueError) as error:
            raise ScoringError(
                f"no embeddings from {client.base_url} ({type(error).__name__}: {error})"
            ) from error
        if vectors.shape != (len(texts), self.dim) or not np.isfinite(vectors).all():
            raise ScoringError(
                f"{client.base_url} answered with vectors of shape {vectors.shape}, not "
                f"{(len(texts), self.dim)}: its '{self._asked['model']}' must be the model that "
                "the checkpoint was made with"
            )
        return vectors

    @cached_property
    def _client(self) -> OpenAI:
        return self._server.client(
            "the encoder 'openai'", timeout_s=self._timeout_s, max_retries=self._max_retries
        )


def _cut(prompt: str) -> str:
    """Return what is sent: valid UTF-8 of at most ``READ_BYTES``."""
    data = readable(prompt, READ_BYTES).encode()
    if len(data) <= READ_BYTES:
        return data.decode()
    half = READ_BYTES // 2
    return (data[:half] + data[-half:]).decode("utf-8", "ignore")
