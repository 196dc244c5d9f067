"""How much of coding traffic a strong share of usual traffic sends to the strong model.

`python -m tests.benchmarks.coding_share [ROUTER]` prints it, by default for `mf`:

Coding questions of LMSYS's arena and GitHub issues of SWE-bench, as agents are given them
(`train/arena_battles` and `train/gold_swebench_agents` under `$ROUTELLM_DATA`), with bootstrap
95 % intervals.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
from rich.console import Console

from routellm_core import RoutingPolicy, load_router
from routellm_core.evaluation.intervals import interval, resamples

CODE = re.compile(
    r"```|\b(?:python|javascript|typescript|sql|rust|java|code|function|regex|api|bug|script)\b"
    r"|c\+\+",
    re.IGNORECASE,
)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def prompts(name: str) -> list[str]:
    """Return the prompts of a file, each once."""
    path = Path(os.environ["ROUTELLM_DATA"]) / f"train/{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return sorted({json.loads(line)["prompt"] for line in lines})


def main(router: str) -> None:
    texts = {
        "coding questions": [text for text in prompts("arena_battles") if CODE.search(text)],
        "GitHub issues": prompts("gold_swebench_agents"),
    }
    scores = {what: load_router(router).score(asked) for what, asked in texts.items()}
    for share in SHARES:
        threshold = RoutingPolicy(router, strong_share=share).threshold
        told = []
        for what, scored in scores.items():
            strong = (scored >= threshold).astype(np.float64)
            drawn = np.concatenate(list(resamples(np.arange(len(strong)), 1000, seed=0)))
            low, high = interval(drawn @ strong / len(strong))
            told.append(f"{what} {strong.mean():.0%} ({low:.0%}-{high:.0%}, n={len(scored)})")
        Console().print(f"strong_share {share}: {', '.join(told)}", soft_wrap=True)


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["mf"])
