"""Text to token ids as BERT's uncased WordPiece tokenizer does it, with each piece remembered."""

from __future__ import annotations

import re
import string
from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

REMEMBERED_PIECES = 32_768
"""How many pieces are remembered at most: about 5 MB."""

LONGEST_WORD = 100
"""Characters; BERT takes a longer word as one unknown token."""

_CONTINUES = "##"
_LOWER = bytes(range(256)).lower()
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_MARKS = {mark: b" %c " % mark for mark in string.punctuation.encode()}
_NOT_MARKS = bytes(set(range(256)) - set(_MARKS))
# Chinese characters, and punctuation common beyond ASCII: each is a word by itself.
_ALONE = re.compile("([\u4e00-\u9fff\u2010-\u2027\u3001-\u3003\u3008-\u3011！（），：；？])")


class WordPiece:
    """Splits texts into the ids of a vocabulary, leaving out words it cannot spell.

    The ids are those of the ``tokenizers`` library with ``BertNormalizer``, ``BertPreTokenizer``
    and ``WordPiece``, less the unknown token; lone surrogates, which the library rejects, are
    left out. BERT never looks across a space or a punctuation mark, so the ids of each piece
    between them are remembered: four to six times faster than the library. Thread-safe.

    Args:
        vocabulary: id of each token; ``##`` marks those that continue a word.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._ids_of = _Pieces(vocabulary).__getitem__

    def ids(self, text: str) -> NDArray[np.int64]:
        """Return the token ids of a text: shape (n,), n >= 0."""
        if not text.isascii():
            text = _ALONE.sub(r" \1 ", text)
        plain = text.encode("utf-8", "ignore").translate(_LOWER, _CONTROLS)
        # Half the time of a regular expression that finds words and marks.
        for mark in set(plain.translate(None, _NOT_MARKS)):
            plain = plain.replace(b"%c" % mark, _MARKS[mark])
        return np.frombuffer(b"".join(map(self._ids_of, plain.split())), np.int64)


class _Pieces(dict[bytes, bytes]):
    """Maps a piece of UTF-8 text without space to the bytes of its ids, int64."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._longest = _longest_tokens(vocabulary)
        self._normalizer = BertNormalizer()
        self._pre_tokenizer = BertPreTokenizer()

    def __missing__(self, piece: bytes) -> bytes:
        text = piece.decode()
        words = [text] if piece.isascii() else self._words(text)
        ids = array("q", [i for word in words for i in self._word_ids(word)]).tobytes()
        if len(piece) <= LONGEST_WORD:
            if len(self) >= REMEMBERED_PIECES:
                self.clear()
            self[piece] = ids
        return ids

    def _words(self, text: str) -> list[str]:
        normal = self._normalizer.normalize_str(text)
        return [word for word, _ in self._pre_tokenizer.pre_tokenize_str(normal)]

    def _word_ids(self, word: str) -> list[int]:
        """Spell a word with the longest tokens from the left; [] if that cannot be done."""
        if len(word) > LONGEST_WORD:
            return []
        ids = []
        start, prefix = 0, ""
        while start < len(word):
            longest = self._longest.get(prefix + word[start : start + 2], 1)
            for end in range(min(len(word), start + longest), start, -1):
                token_id = self._vocabulary.get(prefix + word[start:end])
                if token_id is not None:
                    break
            else:
                return []
            ids.append(token_id)
            start, prefix = end, _CONTINUES
        return ids


def _longest_tokens(vocabulary: Iterable[str]) -> dict[str, int]:
    """Return the length of the longest token that begins with given two characters."""
    longest: dict[str, int] = {}
    for token in vocabulary:
        mark = len(_CONTINUES) if token.startswith(_CONTINUES) else 0
        start, length = token[: mark + 2], len(token) - mark
        if length > longest.get(start, 1):
            longest[start] = length
    return longest
