"""Whether routers put hard prompts above easy ones, in 45 pairs that anyone can read.

    python -m tests.benchmarks.common_sense ROUTER...

``common_sense.jsonl`` has a pair a line, in many subjects and four languages; in those of form
``short-hard`` the hard prompt is short and the easy one long.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from routellm_core.contracts import Router
from routellm_core.registry.loading import load_router

PAIRS = Path(__file__).with_name("common_sense.jsonl")


@dataclass(frozen=True)
class Sense:
    """How a router orders the pairs."""

    auc: float
    """Over all hard and easy prompts, how often the hard one is above; a tie is half."""
    right: int
    """Pairs of which the hard one is above."""
    pairs: int
    short_right: int
    """The same of those whose hard prompt is short and whose easy one is long."""
    short_pairs: int


def prompts() -> list[dict[str, str]]:
    """Return the pairs: ``easy``, ``hard``, ``topic``, ``lang`` and ``form``."""
    return [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


def sense_of(router: Router) -> Sense:
    """Return how a router orders the pairs."""
    pairs = prompts()
    easy, hard = (router.score([pair[key] for pair in pairs]) for key in ("easy", "hard"))
    above = hard > easy
    short = np.array([pair["form"] == "short-hard" for pair in pairs])
    every = np.sign(hard[:, None] - easy)
    return Sense(
        auc=float((every.mean() + 1) / 2),
        right=int(above.sum()),
        pairs=len(pairs),
        short_right=int(above[short].sum()),
        short_pairs=int(short.sum()),
    )


def main(names: list[str]) -> None:
    sys.stdout.write("router        AUC   pairs right   short hard above long easy\n")
    for name in names:
        found = sense_of(load_router(name))
        right = f"{found.right} of {found.pairs}"
        short = f"{found.short_right} of {found.short_pairs}"
        sys.stdout.write(f"{name:12}  {found.auc:.3f}  {right:12}  {short}\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["mf"])
