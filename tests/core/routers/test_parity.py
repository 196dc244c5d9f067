"""The formats of the original RouteLLM release give the figures of its code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from routellm_core.routers.mf.router import MatrixFactorizationRouter
from routellm_core.routers.sw_ranking.router import SWRankingRouter

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
PARITY = DATA.parent / "parity"

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason="the reference outputs are not here")


@pytest.mark.parametrize(
    ("compat", "expected"),
    [(False, "win_rate_same_tier_dropped"), (True, "win_rate_as_released")],
)
def test_sw_ranking(compat: bool, expected: str) -> None:
    folder = PARITY / "sw_ranking"
    reference = json.loads((folder / "expected.json").read_text())
    router = SWRankingRouter(
        [json.loads(line) for line in (folder / "battles.jsonl").read_text().splitlines()],
        np.load(folder / "battle_embeddings.npy"),
        strong_model=reference["strong"],
        weak_model=reference["weak"],
        num_tiers=reference["num_tiers"],
        compat=compat,
    )
    assert router.tiers == reference["tiers"]
    scores = router.score_embeddings(np.load(folder / "query_embeddings.npy"))
    assert scores == pytest.approx(reference[expected], abs=1e-6)


@pytest.mark.parametrize("case", range(3))
def test_mf(case: int) -> None:
    folder = PARITY / "mf"
    reference = json.loads((folder / "expected.json").read_text())["cases"][case]
    router = MatrixFactorizationRouter.from_pretrained(
        str(folder), strong_model=reference["strong"], weak_model=reference["weak"]
    )
    scores = router.score_embeddings(np.load(folder / "prompt_embeddings.npy"))
    assert scores == pytest.approx(reference["win_rate"], abs=1e-5)
