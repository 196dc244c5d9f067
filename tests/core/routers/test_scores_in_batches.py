"""A prompt's score does not depend on the prompts that are scored beside it."""

from __future__ import annotations

import pytest

from routellm_core import load_router
from tests.benchmarks.quality.common_sense import prompts

EXTRA = {"bert": "onnxruntime", "causal_llm": "transformers"}
BOUND = {"sw_ranking": 1e-6, "causal_llm": 1e-5}
"""Of the difference, where prompts share a product and sums are rounded by how many there are."""


@pytest.mark.parametrize("name", ["sw_ranking", "bert", "causal_llm"])
def test_alone_and_in_a_batch(name: str) -> None:
    if name in EXTRA:
        pytest.importorskip(EXTRA[name])
    router = load_router(name)
    texts = [pair[key] for pair in prompts() for key in ("easy", "hard")]
    alone = [router.score([text])[0] for text in texts]
    for at_once in (2, 7, len(texts)):
        together = router.score(texts[:at_once]).tolist()
        if name in BOUND:
            assert together == pytest.approx(alone[:at_once], abs=BOUND[name])
        else:
            assert together == alone[:at_once]
