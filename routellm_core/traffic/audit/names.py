"""How names from a log are shown: keys and hashes never in full."""

from __future__ import annotations

import re

_SECRET = re.compile(r"(?:sk|pk|rk|key|tok)[-_]\S{8,}", re.IGNORECASE)
_RANDOM = re.compile(r"[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIXED = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])\S{24,}")
_LONGEST = 60


def shown_name(name: str) -> str:
    """Return a name as a report may hold it.

    Of a key (``sk-...``) its first three characters and its last four; of a hash, of a UUID or of
    another long word of letters and digits its first eight; else the name, on one line, of at most
    60 characters.
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in name[:1_000]).split())
    if _SECRET.fullmatch(text):
        return f"{text[:3]}...{text[-4:]}"
    if _RANDOM.fullmatch(text) or (_MIXED.fullmatch(text) and not _worded(text)):
        return f"{text[:8]}..."
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _worded(text: str) -> bool:
    """Whether it is made of words and numbers, as ``claude-3-5-sonnet-20241022`` is."""
    parts = re.split(r"[-_./:@]", text)
    return len(parts) > 1 and all(
        part.isdigit() or part.isalpha() or len(part) <= 8 for part in parts
    )
