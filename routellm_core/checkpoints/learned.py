"""Which prompts a router learned from, so that it is not judged on them unawares."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..data.digests import sha256_of
from .store import Checkpoint, bundled_names, local_folder

METRICS = "metrics.json"
"""The file beside a model card that holds the figures the card shows, and these hashes."""

LEARNED = "learned"
"""Key of the hashes, for each source under ``sources``."""

_HEX = 12
"""Digits that are kept of a SHA-256: with ten thousand prompts learned and as many looked up, one
in three million runs takes a prompt for one that was learned."""


def short_hashes(prompts: Iterable[str]) -> str:
    """Return what ``metrics.json`` keeps of prompts: the beginnings of their SHA-256, sorted, with
    spaces between them.
    """
    return " ".join(sorted({sha256_of(prompt)[:_HEX] for prompt in prompts}))


def learned_hashes(folder: Path | None) -> frozenset[str]:
    """Return the hashes of the prompts that a checkpoint learned from; none if it does not tell."""
    if folder is None:
        return frozenset()
    try:
        sources = json.loads((folder / METRICS).read_text(encoding="utf-8"))["sources"]
        return frozenset(
            each for source in sources.values() for each in source.get(LEARNED, "").split()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # of another kind
        return frozenset()


def learned_by(router: str, checkpoint: Checkpoint | None) -> frozenset[str]:
    """Return the hashes of what a router learned from, by its name and, if one was given, its
    checkpoint; none if that does not tell.
    """
    if checkpoint:
        return learned_hashes(local_folder(checkpoint))
    return learned_hashes(local_folder(router) if router in bundled_names() else None)


def count_learned(prompts: Iterable[str], hashes: frozenset[str]) -> int:
    """Return how many of the prompts have these hashes."""
    return sum(sha256_of(prompt)[:_HEX] in hashes for prompt in prompts) if hashes else 0
