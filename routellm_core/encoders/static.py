"""The bundled encoder: a prompt's vector is the average of its tokens' vectors."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import Checkpoint, find_checkpoint, load_checkpoint
from ..contracts import Encoder
from ..errors import CheckpointError
from ..prompt.excerpt import excerpt
from .surface import READ_CHARACTERS
from .wordpiece import WordPiece

TOKENIZER = "tokenizer.json"


class StaticEncoder(Encoder):
    """Averages the vectors of a prompt's tokens, and scales the average to length 1.

    Of a prompt of more than 1,000 characters the beginning and the end are read. Word order and
    case do not matter. A prompt without a known token (empty, blank, only control characters)
    gives the zero vector. Thread-safe.

    Args:
        table: token vectors, int8 of shape (tokens, dim).
        scales: factor of each row of ``table``, float32 of shape (tokens,).
        vocabulary: row number of each token; ``##`` marks tokens that continue a word.
        fingerprint: as ``Encoder.fingerprint``.
    """

    instant = True

    def __init__(
        self,
        table: NDArray[np.int8],
        scales: NDArray[np.float32],
        vocabulary: Mapping[str, int],
        fingerprint: str,
    ) -> None:
        self.dim = table.shape[1]
        self.fingerprint = fingerprint
        self._table = table
        self._scales = scales
        self._wordpiece = WordPiece(vocabulary)

    @classmethod
    def from_bundled(cls) -> StaticEncoder:
        """Load the encoder that ships with the package."""
        return cls.from_pretrained("static")

    @classmethod
    def from_pretrained(cls, checkpoint: Checkpoint) -> StaticEncoder:
        """Load an encoder that ``routellm distill`` made.

        Args:
            checkpoint: a bundled name, a folder or a Hugging Face id.

        Raises:
            CheckpointError: the checkpoint or one of its files is missing or damaged.
        """
        folder = find_checkpoint(checkpoint)
        tensors, config = load_checkpoint(folder, required=("table", "scales"))
        table, scales = tensors["table"], tensors["scales"]
        tokenizer = _read_tokenizer(folder / TOKENIZER)
        fingerprint = fingerprint_of(table, scales, tokenizer)
        if config.get("fingerprint") != fingerprint:
            raise CheckpointError(
                f"{folder} is damaged: its table or {TOKENIZER} is not the one that config.json "
                "names: restore the folder, or reinstall the package"
            )
        return cls(table, scales, read_vocabulary(tokenizer), fingerprint)

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim), each of length 1 or all zero."""
        vectors = np.zeros((len(prompts), self.dim), np.float32)
        for vector, prompt in zip(vectors, prompts, strict=True):
            ids = self._wordpiece.ids(excerpt(prompt, READ_CHARACTERS))
            total = np.dot(self._scales[ids], self._table.take(ids, axis=0))
            length = math.sqrt(total.dot(total))
            if length > 0:
                np.multiply(total, 1 / length, out=vector)
        return vectors


def fingerprint_of(table: NDArray[np.int8], scales: NDArray[np.float32], tokenizer: bytes) -> str:
    """Return a digest of everything that the vectors depend on."""
    digest = hashlib.sha256()
    for tensor in (table, scales):
        digest.update(np.ascontiguousarray(tensor).data)
    digest.update(tokenizer)
    return f"static:{digest.hexdigest()[:16]}"


def read_vocabulary(tokenizer: bytes) -> dict[str, int]:
    """Return the id of each token of a ``tokenizer.json``."""
    content: dict[str, Any] = json.loads(tokenizer)
    vocabulary: dict[str, int] = content["model"]["vocab"]
    return vocabulary


def _read_tokenizer(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror}): restore it, or reinstall the package"
        ) from error
