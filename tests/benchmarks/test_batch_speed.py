"""What scoring several prompts together saves, in time on the processor, for each slow router.

It is what `routellm serve` can gain by batching requests. In time on one processor, which a busy
machine does not change; on a GPU, which has room for a batch, it is more.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from routellm_core import Router, load_router

from .classifiers import classifier
from .prompts import make_prompts

BATCH = 16
ROUNDS = 3


def made(kind: str, folder: Path) -> Router:
    if kind == "classifier of MiniLM's size":
        return load_router("bert", checkpoint=classifier(folder, width=384, layers=6))
    if kind == "classifier of BERT base's size":
        return load_router("bert", checkpoint=classifier(folder, width=768, layers=12))
    pytest.importorskip({"bert": "onnxruntime", "causal_llm": "transformers"}[kind])
    return load_router(kind)


def processor_ms(router: Router, batches: Sequence[Sequence[str]]) -> float:
    """Return the milliseconds on the processor that each prompt takes."""
    began = time.process_time()
    for batch in batches:
        router.score(batch)
    return (time.process_time() - began) * 1000 / sum(map(len, batches))


@pytest.mark.parametrize(
    "kind",
    ["bert", "causal_llm", "classifier of MiniLM's size", "classifier of BERT base's size"],
)
@pytest.mark.parametrize("words", [10, 100])
@pytest.mark.timeout(900)
def test_a_batch_beside_one_by_one(
    benchmark: Any, report: Any, kind: str, words: int, tmp_path: Path
) -> None:
    router = made(kind, tmp_path)
    prompts = make_prompts(words, (ROUNDS + 1) * BATCH, lambda text: len(text.split()))
    every = [prompts[at : at + BATCH] for at in range(0, len(prompts), BATCH)]

    def measured() -> list[tuple[float, float]]:
        router.score(every[0])
        return [
            (processor_ms(router, [[text] for text in texts]), processor_ms(router, [texts]))
            for texts in every[1:]
        ]

    times = benchmark.pedantic(measured, rounds=1)
    alone, together = (statistics.median(values) for values in zip(*times, strict=True))
    ratios = sorted(one / many for one, many in times)
    note = f"{statistics.median(ratios):.2f} times as many ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    value = f"{alone:.1f} -> {together:.1f} ms of processor"
    report(f"{kind}, {words} words: one by one -> {BATCH} together", value, note)
