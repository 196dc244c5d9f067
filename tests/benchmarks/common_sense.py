"""Whether routers put hard prompts above easy ones, in 185 pairs that anyone can read.

    python -m tests.benchmarks.common_sense ROUTER...

Each file has a pair a line, in many subjects and four languages beside English; in those of form
``short-hard`` the hard prompt is short and the easy one long. The 140 pairs of
``common_sense_apart.jsonl``, 60 of them requests to coding assistants, were written without
knowledge of the prompts that routers learn from or of the other 45.
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
APART = Path(__file__).with_name("common_sense_apart.jsonl")


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


def prompts(path: Path = PAIRS) -> list[dict[str, str]]:
    """Return a file's pairs: ``easy``, ``hard``, ``topic``, ``lang`` and ``form``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def sense_of(router: Router, path: Path = PAIRS) -> Sense:
    """Return how a router orders the pairs of a file."""
    pairs = prompts(path)
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
    sys.stdout.write("pairs          router        AUC   pairs right   short hard above long easy\n")
    for path, title in ((PAIRS, "first"), (APART, "written apart")):
        for name in names:
            found = sense_of(load_router(name), path)
            right = f"{found.right} of {found.pairs}"
            short = f"{found.short_right} of {found.short_pairs}"
            sys.stdout.write(f"{title:13}  {name:12}  {found.auc:.3f}  {right:12}  {short}\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["mf"])
