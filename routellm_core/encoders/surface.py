"""Surface features of a prompt: length, kinds of characters, form of the question.

Normalised mean-pooled embeddings do not contain them, and prompt length alone is a strong baseline
on benchmarks, so routers use both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..prompt.excerpt import excerpt

SURFACE_VERSION = 1
"""Changes whenever a feature does. A checkpoint names the version it was trained on."""

READ_CHARACTERS = 1_000
"""How much of a prompt is read. In an average over a long document, or in its counts, a question
about it is next to nothing; and however long a prompt is, it takes no longer."""

_BYTE_CLASSES: dict[str, bytes] = {
    "lower_case": bytes(range(ord("a"), ord("z") + 1)),
    "upper_case": bytes(range(ord("A"), ord("Z") + 1)),
    "digits": b"0123456789",
    "spaces": b" \t",
    "line_breaks": b"\n\r",
    "full_stops": b".",
    "commas": b",",
    "question_marks": b"?",
    "brackets": b"()[]{}",
    "maths_signs": b"+-*/=<>^|%",
}

_WORDS = ("What ", "hat ", "hich ", " not ", " total", " each ", "ecause")
"""Substrings that are counted, without a first letter that may be a capital."""

_COUNTED = (
    *("characters", *_BYTE_CLASSES),
    *("numbers", "distinct_numbers"),
    *("answer_options", "characters_before_options", "characters_of_last_line"),
    *(f"word:{word.strip()}" for word in _WORDS),
)

SURFACE_NAMES = (*_COUNTED, "open", *(f"open*{name}" for name in _COUNTED))
"""Name of each feature. Each is log(1 + count); ``open`` is 1 for a prompt without answer
options. The products with ``open`` give a count a weight of its own in open questions."""

SURFACE_DIM = len(SURFACE_NAMES)

_CLASSES = len(_BYTE_CLASSES)
_CLASS_OF_BYTE = bytes(
    next((at for at, members in enumerate(_BYTE_CLASSES.values()) if byte in members), _CLASSES)
    for byte in range(256)
)
"""The place of each byte's class; bytes of none have one more than there are."""

_AT_ONCE = 1024
"""Prompts whose counts are held at once as numbers of Python."""

_ANSWER_OPTION = re.compile(r"\n\(?[A-J][.)]")
_DIGITS_ONLY = bytes(byte if byte in b"0123456789" else ord(" ") for byte in range(256))


def surface_features(prompts: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of each prompt: shape (n, SURFACE_DIM), each in [0, 12].

    Any string gives finite numbers. Of more than ``READ_CHARACTERS`` the beginning and the end
    count.
    """
    features = np.empty((len(prompts), SURFACE_DIM), np.float32)
    write_surface_features(prompts, features)
    return features


def write_surface_features(prompts: Sequence[str], features: NDArray[np.float32]) -> None:
    """Write the features of n prompts into an array of shape (n, SURFACE_DIM)."""
    for start in range(0, len(prompts), _AT_ONCE):
        _write(prompts[start : start + _AT_ONCE], features[start : start + _AT_ONCE])


def _write(prompts: Sequence[str], features: NDArray[np.float32]) -> None:
    width = len(_COUNTED)
    counts, is_open = features[:, :width], features[:, width : width + 1]
    # Few calls of numpy: between other work, each takes ten times as long as in a row.
    features[:, : width + 1] = [_counted(excerpt(prompt, READ_CHARACTERS)) for prompt in prompts]
    np.log1p(counts, out=counts)
    np.multiply(counts, is_open, out=features[:, width + 1 :])


def _counted(text: str) -> tuple[int, ...]:
    """Return the counts of a text, and 1 if it has no answer options, else 0."""
    data = text.encode("utf-8", "surrogatepass")
    classes = np.frombuffer(data.translate(_CLASS_OF_BYTE), np.uint8)
    numbers = data.translate(_DIGITS_ONLY).split()
    options = [match.start() for match in _ANSWER_OPTION.finditer(text)]
    return (
        len(text),
        *np.bincount(classes, minlength=_CLASSES + 1)[:_CLASSES].tolist(),
        len(numbers),
        len(set(numbers)),
        len(options),
        options[0] if options else len(text),
        len(text) - 1 - text.rfind("\n"),
        *map(text.count, _WORDS),
        not options,
    )
