"""BERT's uncased WordPiece tokenizer, with a cache of words."""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

REMEMBERED_BYTES = 4_000_000
"""Most bytes of words and ids in the cache; its dictionary adds up to 3 MB."""

REMEMBERED_CHARACTERS = 16_384
"""Most characters beyond ASCII in the cache (about 2 MB), unless a single text has more."""

LONGEST_WORD = 100
"""In characters. A longer word is one unknown token to BERT."""

_CONTINUES = "##"
_LOWER = bytes(range(256)).lower()
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r")) + b"\x7f"
_MARKS = {mark: b" %c " % mark for mark in string.punctuation.encode()}
_NOT_MARKS = bytes(set(range(256)) - set(_MARKS))

_JAMO = range(0x1100, 0x11C3)
_HANGUL = re.compile("[\uac00-\ud7a3][\uac00-\ud7a3\n]*")
# The ranges that the library takes as Chinese, less those of compatibility characters.
_CHINESE = (
    "\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002a6df\U0002a700-\U0002b81f\U0002b920-\U0002ceaf"
)
# Exceptions to Unicode's categories: compatibility characters are Chinese too, and one symbol
# was punctuation before Unicode 12.
_UNSURE = frozenset([*range(0xF900, 0xFB00), *range(0x2F800, 0x2FA20), 0x166D])
# Letters, numbers, symbols and unassigned characters are parts of words.
_PARTS = frozenset(["Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Sc", "Sk", "Sm", "So", "Cn"])
_PRIVATE = "Co"
_OBJECT_BYTES = sys.getsizeof(b"")
# Stands for any character that no token has; control characters are dropped before.
_UNKNOWN = "\x00"


class WordPiece:
    """Splits texts into token ids, leaving out words that the vocabulary cannot spell.

    The ids are those of the ``tokenizers`` library with ``BertNormalizer``, ``BertPreTokenizer``
    and ``WordPiece``, without the unknown token; lone surrogates, which the library rejects, are
    left out. The ids of each word are cached, which makes it four to six times as fast as
    the library. Thread-safe.

    Args:
        vocabulary: id of each token; ``##`` marks those that continue a word.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self._characters = _Characters(vocabulary)
        self._words = _Words(vocabulary)
        self._ids_of = self._words.__getitem__

    def ids(self, text: str) -> NDArray[np.int64]:
        """Return the token ids of a text: shape (n,), n >= 0."""
        plain = text.encode("utf-8", "ignore").translate(_LOWER, _CONTROLS)
        # Half the time of a regular expression that finds words and marks.
        for mark in set(plain.translate(None, _NOT_MARKS)):
            plain = plain.replace(b"%c" % mark, _MARKS[mark])
        pieces = plain.split()
        if plain.isascii():
            found = b"".join(map(self._ids_of, pieces))
        else:
            found = self._beyond_ascii(pieces)
        return np.frombuffer(found, np.int64)

    def _beyond_ascii(self, pieces: list[bytes]) -> bytes:
        found = [ids for ids in map(self._words.get, pieces) if ids is not None]
        if len(found) < len(pieces):
            found = self._learn(pieces)
        return b"".join(found)

    def _learn(self, pieces: list[bytes]) -> list[bytes]:
        known = {piece: ids for piece in set(pieces) if (ids := self._words.get(piece)) is not None}
        new = list(set(pieces).difference(known))
        # All in one call, which is several times as fast as one by one.
        normal = self._characters.normal(map(bytes.decode, new))
        # Not strict: another thread may have learned them, and no pieces make one empty text.
        for piece, text in zip(new, normal, strict=False):
            known[piece] = ids = b"".join(map(self._ids_of, text.encode().split()))
            self._words.remember(piece, ids)
        return [known[piece] for piece in pieces]


class _Characters:
    """Rewrites characters as BERT does, with spaces around those that are words of their own.

    Each character is rewritten without its context: none is left that Unicode would reorder.
    """

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._spelt = frozenset("".join(vocabulary))
        chinese = re.compile(f"[{_CHINESE}]")
        self._chinese = {ord(c): f" {c} " for c in self._spelt if chinese.match(c)}
        spelt = "".join(map(chr, self._chinese))
        self._unspelt_chinese = re.compile(f"(?:[{_CHINESE}](?<![{spelt}\n]))+")
        self._normalizer = BertNormalizer()
        self._pre_tokenizer = BertPreTokenizer()
        self._table = self._new_table()

    def normal(self, texts: Iterable[str]) -> list[str]:
        """Rewrite texts that have neither line breaks nor ASCII's upper case or marks to part."""
        text = self._unspelt_chinese.sub(" ", "\n".join(texts))
        others = set(map(ord, set(_HANGUL.sub("", text))))
        # Another thread may begin a new table, but takes nothing from this one.
        table = self._table
        new = others.difference(table)
        if new:
            if len(table) + len(new) > REMEMBERED_CHARACTERS:
                self._table = table = self._new_table()
                new = others.difference(table)
            table.update(self._learn(map(chr, new)))
        # Syllables are parted at once, as there are thousands; other characters one by one, for
        # putting a run of marks in order takes Unicode the square of its length.
        text = _HANGUL.sub(lambda found: unicodedata.normalize("NFD", found[0]), text)
        return text.translate(table).split("\n")

    def _new_table(self) -> dict[int, str]:
        table = {ord(c): c for c in map(chr, range(128))} | {0xFFFD: ""} | self._chinese
        return table | {code: self._part(chr(code)) for code in _JAMO}

    def _learn(self, characters: Iterable[str]) -> dict[int, str]:
        learned = {}
        unsure = []
        for character in characters:
            category = unicodedata.category(character)
            code = ord(character)
            if category == _PRIVATE:
                learned[code] = ""
            elif (
                category in _PARTS
                and not unicodedata.decomposition(character)
                and code not in _UNSURE
            ):
                learned[code] = self._part(character.lower())
            else:
                unsure.append(character)
        if unsure:
            learned.update(zip(map(ord, unsure), self._ask_library(unsure), strict=True))
        return learned

    def _ask_library(self, characters: list[str]) -> list[str]:
        # No character beyond ASCII becomes one with "|". Between letters, only what stands alone
        # is a word of one character.
        normal = self._normalizer.normalize_str("|".join(characters))
        tried = "aa".join(["", *set(normal), ""])
        words = {word for word, _ in self._pre_tokenizer.pre_tokenize_str(tried)}
        rewritten = {c: f" {self._part(c)} " if c in words else self._part(c) for c in normal}
        rewritten |= {" ": " ", "|": "|"}
        return "".join(map(rewritten.__getitem__, normal)).split("|")

    def _part(self, character: str) -> str:
        return character if character in self._spelt else _UNKNOWN


class _Words(dict[bytes, bytes]):
    """Maps a word to the bytes of its ids, int64, and remembers those of other pieces too.

    Both are UTF-8. A piece is what stands between spaces and ASCII's punctuation marks; a word is
    one as BERT would have it, which as a piece is itself.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        super().__init__()
        self._remembered = 0
        self._begin = {token: n.to_bytes(8, sys.byteorder) for token, n in vocabulary.items()}
        self._begin_lengths = _lengths(self._begin)
        self._continue = {
            token.removeprefix(_CONTINUES): token_id
            for token, token_id in self._begin.items()
            if token.startswith(_CONTINUES)
        }
        self._continue_lengths = _lengths(self._continue)

    def __missing__(self, word: bytes) -> bytes:
        ids = self._spell(word.decode())
        self.remember(word, ids)
        return ids

    def remember(self, piece: bytes, ids: bytes) -> None:
        if len(piece) <= LONGEST_WORD and piece not in self:
            size = len(piece) + len(ids) + 2 * _OBJECT_BYTES
            if self._remembered + size > REMEMBERED_BYTES:
                self.clear()
                self._remembered = 0
            self._remembered += size
            self[piece] = ids

    def _spell(self, word: str) -> bytes:
        """Spell a word with the longest tokens from the left; nothing if that cannot be done."""
        if len(word) > LONGEST_WORD or _UNKNOWN in word:
            return b""
        ids = []
        start, tokens, lengths = 0, self._begin, self._begin_lengths
        while start < len(word):
            short = lengths.get(word[start : start + 2])
            to_try = (1,) if short is None else lengths.get(word[start : start + 3], short)
            for length in to_try:
                # A slice cut short by the word's end is a token as good as any.
                token_id = tokens.get(word[start : start + length])
                if token_id is not None:
                    break
            else:
                return b""
            ids.append(token_id)
            start += length
            tokens, lengths = self._continue, self._continue_lengths
        return b"".join(ids)


def _lengths(tokens: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Return the lengths to try, longest first, where a word goes on with given characters.

    The keys are the first two and the first three characters of each token of more than one.
    """
    lengths: dict[str, tuple[int, ...]] = {}
    for token in sorted(tokens, key=len):
        length, two, three = len(token), token[:2], token[:3]
        if length > 1 and two not in lengths:
            lengths[two] = tuple(n for n in (2, 1) if two[:n] in tokens)
        if length > 2:
            shorter = lengths.get(three, lengths[two])
            if length not in shorter:
                lengths[three] = (length, *shorter)
    return lengths
