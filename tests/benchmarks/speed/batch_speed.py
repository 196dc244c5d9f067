"""What scoring several prompts together saves, in time on the processor, for each slow router.

It is what `routellm serve` can gain by batching requests. In time on one processor, which a busy
machine does not change; on a GPU, which has room for a batch, it is more.

    python -m tests.benchmarks.speed.batch_speed
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from routellm_core import Router, load_router

from .classifiers import classifier
from .prompts import make_prompts

KINDS = ("bert", "causal_llm", "classifier of MiniLM's size", "classifier of BERT base's size")
BATCH = 16
ROUNDS = 3


def made(kind: str, folder: Path) -> Router:
    if kind == "classifier of MiniLM's size":
        return load_router("bert", checkpoint=classifier(folder, width=384, layers=6))
    if kind == "classifier of BERT base's size":
        return load_router("bert", checkpoint=classifier(folder, width=768, layers=12))
    return load_router(kind)


def processor_ms(router: Router, batches: Sequence[Sequence[str]]) -> float:
    """Return the milliseconds on the processor that each prompt takes."""
    began = time.process_time()
    for batch in batches:
        router.score(batch)
    return (time.process_time() - began) * 1000 / sum(map(len, batches))


def main() -> None:
    for kind in KINDS:
        for words in (10, 100):
            with tempfile.TemporaryDirectory() as folder:
                sys.stdout.write(f"{kind}, {words} words: {measured(kind, words, Path(folder))}\n")
                sys.stdout.flush()


def measured(kind: str, words: int, folder: Path) -> str:
    """Return, in words, what one by one and together take, and their ratio with its range."""
    router = made(kind, folder)
    prompts = make_prompts(words, (ROUNDS + 1) * BATCH, lambda text: len(text.split()))
    first, *every = [prompts[at : at + BATCH] for at in range(0, len(prompts), BATCH)]
    router.score(first)
    times = [
        (processor_ms(router, [[text] for text in texts]), processor_ms(router, [texts]))
        for texts in every
    ]
    alone, together = (statistics.median(values) for values in zip(*times, strict=True))
    ratios = sorted(one / many for one, many in times)
    return (
        f"{alone:.1f} ms of processor one by one, {together:.1f} ms {BATCH} together, "
        f"{statistics.median(ratios):.2f} times as many ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
