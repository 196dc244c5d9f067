"""The bundled bert: how long one prompt takes, and how much a batch saves."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch

from routellm_core.checkpoints.store import BUNDLED
from routellm_core.encoders.static import TOKENIZER, read_vocabulary
from routellm_core.encoders.wordpiece import WordPiece
from routellm_core.routers.bert import BERTRouter

from .measure import race
from .prompts import make_prompts

TOKENS, PROMPTS, BATCH = 100, 40, 16

LEAST_GAIN = 0.5
"""How many times as many prompts a second a batch scores at least. On one thread all time goes
into arithmetic, of which a batch saves none: it must not cost either."""


@pytest.fixture(scope="module")
def bert():
    return BERTRouter.from_pretrained("bert", device="cpu")


@pytest.fixture(scope="module")
def prompts():
    wordpiece = WordPiece(read_vocabulary((BUNDLED / "static" / TOKENIZER).read_bytes()))
    return make_prompts(TOKENS, PROMPTS, lambda text: len(wordpiece.ids(text)))


@pytest.fixture(params=["one thread", "all threads"])
def threads(request):
    before = torch.get_num_threads()
    if request.param == "one thread":
        torch.set_num_threads(1)
    yield request.param
    torch.set_num_threads(before)


def test_time_to_score(benchmark, report, bert, prompts, threads):
    times = benchmark.pedantic(
        race, ({"one": lambda text: bert.score([text])}, prompts, 2), rounds=1
    )
    report(f"bert, {TOKENS} tokens", f"{times['one']:.1f} ms", threads)


def test_batch(benchmark, report, bert, prompts):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    batches = [prompts[start : start + BATCH] for start in range(0, 2 * BATCH, BATCH)]
    contestants = {"batch": bert.score, "one": lambda batch: bert.score(batch[:1])}
    times = benchmark.pedantic(race, (contestants, batches, 2), rounds=1)
    torch.set_num_threads(before)
    each = times["batch"] / BATCH
    gain = times["one"] / each
    report(f"bert, batch of {BATCH}", f"{each:.1f} ms", f"per prompt; {gain:.1f} x as fast")
    assert gain >= LEAST_GAIN
