"""Blocks of text between an opening and a closing tag, such as ``<context>...</context>``."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator

REMAINDER = 20
"""A message that has at most this many bytes of UTF-8 once its blocks are left out is taken for the
harness's, if the human wrote before it. Bytes, since twenty Chinese characters are a question."""

# At most 64 and 256 characters are read after each "<", so that time is linear in the text.
_TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,63})(?=[\s/>])([^<>]{0,256})>")

Named = Callable[[str], bool]
"""Whether a tag of this name, in small letters, is meant."""


def without_blocks(text: str, left_out: Named, opened: Named) -> str:
    """Return ``text`` without blocks, stripped if there were any.

    A block runs from an opening tag to the first closing tag of the same name. It begins a line,
    or follows another block: a tag within a sentence is the human's. A tag that is never closed
    stays. Takes time linear in the text.

    Args:
        text: any text.
        left_out: whose blocks are left out.
        opened: of which the tags alone are left out, wherever they stand.
    """
    if "</" not in text:
        return text
    tags = [tag for tag in _tags(text) if left_out(tag[2]) or opened(tag[2])]
    closings: dict[str, list[int]] = {}
    for start, _, name, closing in tags:
        if closing:
            closings.setdefault(name, []).append(start)
    ends = {start: end for start, end, _, _ in tags}
    kept: list[str] = []
    done = 0
    for start, end, name, closing in tags:
        if start < done:
            continue
        if opened(name):
            kept.append(text[done:start])
            done = end
        elif not closing and _begins_line(text, start, done):
            at = bisect_left(closings.get(name, ()), end)
            if at < len(closings.get(name, ())):
                kept.append(text[done:start])
                done = ends[closings[name][at]]
    if not done:
        return text
    kept.append(text[done:])
    return "".join(kept).strip()


def only_block(text: str, meant: Named) -> str | None:
    """Return what is in the one block of a text whose tag is meant; None if there is none, or more
    than one.
    """
    tags = [tag for tag in _tags(text) if meant(tag[2])]
    if [closing for _, _, _, closing in tags] != [False, True] or tags[0][2] != tags[1][2]:
        return None
    return text[tags[0][1] : tags[1][0]].strip() or None


def is_remainder(text: str) -> bool:
    """Return whether a text has at most ``REMAINDER`` bytes."""
    return len(text[: REMAINDER + 1].encode("utf-8", "surrogatepass")) <= REMAINDER


def _tags(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Yield start, end and name of each tag, and whether it closes a block."""
    for found in _TAG.finditer(text):
        yield found.start(), found.end(), found[2].lower(), bool(found[1])


def _begins_line(text: str, start: int, done: int) -> bool:
    """Whether only spaces stand between ``start`` and its line's start or the last block."""
    while start > done and text[start - 1] in " \t":
        start -= 1
    return start == done or text[start - 1] == "\n"
