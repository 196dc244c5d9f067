"""The bundled bert: how long one prompt takes."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime")

from routellm_core.checkpoints.store import BUNDLED
from routellm_core.encoders.static import TOKENIZER, read_vocabulary
from routellm_core.encoders.wordpiece import WordPiece
from routellm_core.routers.bert.onnx import BERTOutcomesRouter

from .measure import race
from .prompts import make_prompts

TOKENS, PROMPTS = 100, 40


def test_time_to_score(benchmark, report):
    bert = BERTOutcomesRouter.from_pretrained("bert")
    wordpiece = WordPiece(read_vocabulary((BUNDLED / "static" / TOKENIZER).read_bytes()))
    prompts = make_prompts(TOKENS, PROMPTS, lambda text: len(wordpiece.ids(text)))
    times = benchmark.pedantic(
        race, ({"one": lambda text: bert.score([text])}, prompts, 5), rounds=1
    )
    report(f"bert, {TOKENS} tokens", f"{times['one']:.1f} ms", "two threads at most")
