"""How much of coding traffic a strong share of usual traffic sends to the strong model.

`python -m tests.benchmarks.coding_share` prints it:

Coding questions of LMSYS's arena and GitHub issues of SWE-bench, as agents are given them
(`train/arena_battles` and `train/gold_swebench_agents` under `$ROUTELLM_DATA`), with bootstrap
95 % intervals.
"""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
from rich.console import Console

from routellm_core import RoutingPolicy
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


def main() -> None:
    texts = {
        "coding questions": [text for text in prompts("arena_battles") if CODE.search(text)],
        "GitHub issues": prompts("gold_swebench_agents"),
    }
    for share in SHARES:
        policy = RoutingPolicy("mf", strong_share=share)
        told = []
        for what, asked in texts.items():
            strong = (policy.scores(asked) >= policy.threshold).astype(np.float64)
            drawn = np.concatenate(list(resamples(np.arange(len(strong)), 1000, seed=0)))
            low, high = interval(drawn @ strong / len(strong))
            told.append(f"{what} {strong.mean():.0%} ({low:.0%}-{high:.0%}, n={len(asked)})")
        Console().print(f"strong_share {share}: {', '.join(told)}", soft_wrap=True)


if __name__ == "__main__":
    main()
