"""Text to token ids as BERT's uncased WordPiece tokenizer does it, with each piece remembered."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

CACHED_PIECES = 32_768
"""How many pieces are remembered at most: about 6 MB."""

LONGEST_WORD = 100
"""Characters; BERT takes a longer word as one unknown token."""

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_LOWER = bytes(range(256)).lower()
_ASCII_WORDS = re.compile(r"[0-9a-z]+|[!-/:-@\[-`{-~]")
_CHUNKS = re.compile(r"[^ \t\n\r]+")


class WordPiece:
    """Splits texts into the ids of a vocabulary, ignoring what the vocabulary cannot spell.

    The ids are those of the ``tokenizers`` library with ``BertNormalizer``, ``BertPreTokenizer``
    and ``WordPiece``, less the unknown token, and in another order: what holds non-ASCII
    characters comes last. BERT never looks beyond a space, so the ids of a piece between spaces
    are remembered; that makes it several times faster than the library. Lone surrogates are
    ignored. Thread-safe.

    Args:
        vocabulary: id of each token; ``##`` marks those that continue a word.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._ids_of = _Pieces(vocabulary).__getitem__

    def ids(self, text: str) -> NDArray[np.int64]:
        """Return the token ids of a text: shape (n,), n >= 0."""
        if text.isascii():
            pieces = _ascii_words(text)
        else:
            chunks = _CHUNKS.findall(text)
            pieces = _ascii_words(" ".join(chunk for chunk in chunks if chunk.isascii()))
            pieces += [chunk for chunk in chunks if not chunk.isascii()]
        return np.frombuffer(b"".join(map(self._ids_of, pieces)), np.int64)


def _ascii_words(text: str) -> list[str]:
    return _ASCII_WORDS.findall(text.encode().translate(_LOWER, _CONTROLS).decode())


class _Pieces(dict[str, bytes]):
    """Maps a piece, an ASCII word or a chunk with other characters, to its ids as int64 bytes."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._longest_token = max(map(len, vocabulary), default=0)
        self._normalizer = BertNormalizer()
        self._pre_tokenizer = BertPreTokenizer()

    def __missing__(self, piece: str) -> bytes:
        words = [piece] if piece.isascii() else self._words(piece)
        ids = np.array([i for word in words for i in self._word_ids(word)], np.int64).tobytes()
        if len(piece) <= LONGEST_WORD:
            if len(self) >= CACHED_PIECES:
                self.clear()
            self[piece] = ids
        return ids

    def _words(self, chunk: str) -> list[str]:
        valid = chunk.encode("utf-8", "ignore").decode()
        normal = self._normalizer.normalize_str(valid)
        return [word for word, _ in self._pre_tokenizer.pre_tokenize_str(normal)]

    def _word_ids(self, word: str) -> list[int]:
        """Spell a word with the longest tokens from the left; [] if that cannot be done."""
        if len(word) > LONGEST_WORD:
            return []
        ids = []
        start, prefix = 0, ""
        while start < len(word):
            for end in range(min(len(word), start + self._longest_token), start, -1):
                token_id = self._vocabulary.get(prefix + word[start:end])
                if token_id is not None:
                    break
            else:
                return []
            ids.append(token_id)
            start, prefix = end, "##"
        return ids
