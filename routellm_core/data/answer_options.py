"""Count the answers that a multiple-choice prompt offers."""

from __future__ import annotations

import re

_ON_LINES = re.compile(
    r"^[ \t\u3000]*[(\[（【]?([A-J])(?:[.．、)\]）】]|(:|：))\s*\S", re.MULTILINE
)
"""``A. 4``, ``(A) 4``, ``A、4``, ``（A）4`` or ``A: 4``, each on a line of its own."""

_IN_TEXT = re.compile(r"(?<![A-Za-z0-9])([A-J])[:：.．、)）\]】]\s*\S")
"""The same, one after the other in a line."""

_EITHER_OR = re.compile(
    r"(?<!or )\b(?:yes|true)\b['\"”’]?\s*(?:or|/|,)\s*['\"“‘]?\b(?:no|false)\b"
    r"(?!['\"”’]?\s*(?:,\s*)?(?:or\b|/))"
    r"|(?:是|对|正确)['\"”’」]?\s*(?:或者?|还是|/|、)\s*['\"“‘「]?(?:否|错|错误)",
    re.IGNORECASE,
)
"""Two answers that are the only ones: not "a number or True or False", "yes, no or maybe"."""


def count_options(prompt: str) -> int:
    """Return how many answers a prompt offers, 0 if it shows none.

    Options are letters from A to J in their order, or yes and no (true and false, 是 and 否).
    A and B before colons, or within a line, are not enough: they may be two speakers.
    """
    on_lines = list(_ON_LINES.finditer(prompt))
    count = _in_order([match[1] for match in on_lines])
    if count >= 3 or (count == 2 and not any(match[2] for match in on_lines)):
        return count
    count = _in_order(_IN_TEXT.findall(prompt))
    if count >= 3:
        return count
    return 2 if _EITHER_OR.search(prompt) else 0


def _in_order(letters: list[str]) -> int:
    """Return how far the letters go on from A, others between them skipped."""
    count = 0
    for letter in letters:
        if letter == chr(ord("A") + count):
            count += 1
    return count
