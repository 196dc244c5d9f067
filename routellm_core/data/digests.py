"""SHA-256 digests: of prompts, of files, and of everything that a result depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 20

Part = str | NDArray[np.generic]


def sha256_of(text: str) -> str:
    """Return the digest (64 hex digits) of a text in UTF-8, by which lists name prompts."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the digest (64 hex digits) of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class TextsDigest:
    """One digest of many texts, in the order in which they are added."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, text: str) -> None:
        """Add a text, with its length, so that no two sequences of texts are alike."""
        data = text.encode("utf-8", "surrogatepass")
        self._digest.update(b"%d\0" % len(data) + data)

    def value(self) -> str:
        """Return the digest, 64 hex digits, of all texts so far."""
        return self._digest.hexdigest()


def digest_of(parts: Iterable[Part]) -> str:
    """Return one digest (64 hex digits) of texts and arrays, in their order.

    Type, shape and length of each part count too, so that no two sequences of parts are alike.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            data = part.encode("utf-8", "surrogatepass")
            digest.update(f"text {len(data)}\0".encode() + data)
        else:
            digest.update(f"{part.dtype} {part.shape}\0".encode())
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
