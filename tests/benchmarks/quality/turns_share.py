"""What momentum costs in strong share on real conversations.

`python -m tests.benchmarks.quality.turns_share` prints it:

OpenAssistant's conversations of two or three turns, half of them not English, as people had them
(`train/judge_oasst_winrate` under `$ROUTELLM_DATA`). The share of all turns that go to the strong
model is told beside that of the first ones, with bootstrap 95 % intervals over conversations.
"""

from __future__ import annotations

import gzip
import json
import re

import numpy as np
from rich.console import Console

from routellm_core import Asked, RoutingPolicy
from routellm_core.evaluation.intervals import interval, resamples

from .data import data_folder

FILE = "train/judge_oasst_winrate.jsonl.gz"


def conversations() -> list[tuple[str, ...]]:
    """Return what the human wrote in each conversation of several turns."""
    with gzip.open(data_folder() / FILE, "rt", encoding="utf-8") as lines:
        prompts = [json.loads(line)["prompt"] for line in lines]
    found = []
    for prompt in prompts:
        parts = re.split(r"(?:^|\n+)(User|Assistant): ", prompt)
        said = zip(parts[1::2], parts[2::2], strict=True)
        found.append(tuple(text.strip() for who, text in said if who == "User"))
    return [turns for turns in found if len(turns) > 1]


def main() -> None:
    talks = conversations()
    for share in (0.3, 0.5):
        for turns in (20, 1):
            policy = RoutingPolicy("mf", strong_share=share, turns=turns)
            rows = []
            for talk in talks:
                asked = [Asked(talk[: last + 1]) for last in range(len(talk))]
                strong = [decision.model == "strong" for decision in policy.decide_many(asked)]
                rows.append((sum(strong), len(strong), strong[0]))
            counted = np.array(rows, np.float64)

            def ratio(weights: np.ndarray, counted: np.ndarray = counted) -> np.ndarray:
                strong, count, first = (weights @ counted).T
                return (strong / count) / (first / weights.sum(axis=1))

            drawn = np.concatenate(list(resamples(np.arange(len(counted)), 1000, seed=0)))
            low, high = interval(ratio(drawn))
            value = ratio(np.ones((1, len(counted))))[0]
            Console().print(
                f"strong_share {share}, turns {turns}: first turns {counted[:, 2].mean():.3f}, all "
                f"turns {value:.2f} x ({low:.2f}-{high:.2f}) of that; {len(talks)} conversations"
            )


if __name__ == "__main__":
    main()
