"""How much of each kind of traffic a strong share of usual traffic sends to the strong model.

`python -m tests.benchmarks.quality.share_by_kind [ROUTER ...]` prints it, by default for `mf`,
`sw_ranking` and `bert`, with bootstrap 95 % intervals. The prompts are under `$ROUTELLM_DATA`; the
bundled routers learned none of the prompts of the first three kinds, and were calibrated on none of
them:

- chat: the last message of people in OpenAssistant conversations (`train/judge_oasst_winrate`)
- exams: MMLU's questions that are not among RouteLLM's gold labels
- maths in words: GSM8K's test questions
- coding questions of LMSYS's arena (`train/arena_battles`)
- GitHub issues of SWE-bench, as agents are given them (`train/gold_swebench_agents`)
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from routellm_core import RoutingPolicy, load_router
from routellm_core.evaluation.benchmarks.benchmark import load_benchmark, mmlu_gold_hashes
from routellm_core.evaluation.intervals import interval, resamples

from .data import data_folder

CODE = re.compile(
    r"```|\b(?:python|javascript|typescript|sql|rust|java|code|function|regex|api|bug|script)\b"
    r"|c\+\+",
    re.IGNORECASE,
)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
MOST = 2000
"""Prompts of a kind, drawn from those with more."""
DRAWS = 1000
MIXED = ("chat", "exams", "maths in words")


def prompts(data: Path, name: str, column: str = "prompt") -> list[str]:
    """Return the prompts of a training file, each once."""
    with gzip.open(data / f"train/{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return sorted({json.loads(line)[column] for line in lines})


def kinds(data: Path) -> dict[str, list[str]]:
    evals = data / "eval/routellm_evals"
    gold = mmlu_gold_hashes(evals)
    found = {
        "chat": prompts(data, "judge_oasst_winrate", "last_user"),
        "exams": list(load_benchmark("mmlu", evals, exclude=gold).prompts),
        "maths in words": list(load_benchmark("gsm8k", evals).prompts),
        "coding questions": [text for text in prompts(data, "arena_battles") if CODE.search(text)],
        "GitHub issues": prompts(data, "gold_swebench_agents"),
    }
    draw = np.random.default_rng(0)
    return {
        kind: [texts[at] for at in sorted(draw.permutation(len(texts))[:MOST])]
        for kind, texts in found.items()
    }


def resampled(strong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of resamples of what went to the strong model, shape (DRAWS,)."""
    drawn = np.concatenate(list(resamples(np.arange(len(strong)), DRAWS, seed=0)))
    return np.asarray(drawn @ strong / len(strong))


def told(share: float, draws: NDArray[np.float64]) -> str:
    low, high = interval(draws)
    return f"{share:.0%} ({low:.0%}-{high:.0%})".replace("%-", "-").replace("%)", ")")


def main(routers: list[str]) -> None:
    asked = kinds(data_folder())
    for router in routers:
        scored = {kind: load_router(router).score(texts) for kind, texts in asked.items()}
        table = Table("strong_share", "the first three, a third each", title=router)
        for kind, texts in asked.items():
            table.add_column(f"{kind} (n={len(texts)})")
        for share in SHARES:
            threshold = RoutingPolicy(router, strong_share=share).threshold
            strong = {kind: scores >= threshold for kind, scores in scored.items()}
            means = {kind: float(went.mean()) for kind, went in strong.items()}
            draws = {kind: resampled(went) for kind, went in strong.items()}
            of_three = float(np.mean([means[kind] for kind in MIXED]))
            mixed = told(of_three, np.mean([draws[kind] for kind in MIXED], axis=0))
            table.add_row(f"{share}", mixed, *(told(means[kind], draws[kind]) for kind in asked))
        Console(width=160).print(table)


if __name__ == "__main__":
    main(sys.argv[1:] or ["mf", "sw_ranking", "bert"])
