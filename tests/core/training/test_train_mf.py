"""Training mf on a pair: a closed form whose regularisation is chosen by the labels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

pytest.importorskip("yaml")

from routellm_core import load_router
from routellm_core.checkpoints.store import WEIGHTS
from routellm_core.errors import ConfigError
from routellm_core.training.mf.config import MFConfig
from routellm_core.training.mf.fit import GRID, fit_pair
from routellm_core.training.mf.train import train_mf
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.config import read_config
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.sw_ranking.config import SWRankingConfig
from routellm_core.training.sw_ranking.train import train_sw_ranking
from tests.fakes.training_files import CHAT, SUM, training_files
from tests.fakes.watched_training import Messages

SETTINGS = """
strong_model: big
weak_model: small
validation_share: 0.2
sources:
  battles: {weight: 0.2}
"""
PAIR = MFConfig(strong_model="big", weak_model="small", validation_share=0.2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return training_files(tmp_path_factory.mktemp("data"), SETTINGS)


@pytest.fixture(scope="module")
def trained(files: TrainingFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert files.config is not None
    train_mf(files, folder, read_config(files.config, MFConfig))
    return folder


def gold_file(path: Path, rows: list[tuple[str, float, float]]) -> TrainingFiles:
    """Write gold of (prompt, quality of big, quality of small)."""
    path.write_text(
        "".join(
            json.dumps({"prompt": p, "task": "t", "correct": {"big": b, "small": s}}) + "\n"
            for p, b, s in rows
        )
    )
    return TrainingFiles(gold=[path])


def test_a_wider_pair_has_higher_scores(trained: Path) -> None:
    router = load_router("mf", checkpoint=str(trained))
    wider = load_router("mf", checkpoint=str(trained), weak_model="tiny")
    assert wider.score(["hello 1"])[0] > router.score(["hello 1"])[0]


def test_the_penalty_is_chosen_and_told(trained: Path) -> None:
    assert json.loads((trained / METRICS).read_text())["l2"] in GRID


def test_labels_without_a_pattern_get_the_greatest_penalty_and_clear_ones_a_small_one() -> None:
    rng = np.random.default_rng(0)
    features, ones = rng.normal(size=(300, 40)), np.ones(300)
    fold = rng.integers(5, size=300)
    noise = fit_pair(features, rng.integers(2, size=300) * 1.0, ones, ones, fold)
    clear = fit_pair(features, 1 / (1 + np.exp(-4 * features[:, 0])), ones, ones, fold)
    assert noise.l2 >= 1 > 0.1 >= clear.l2
    assert np.abs(noise.weights).max() < 0.1 < 1 < clear.weights[0]


def test_a_repeated_prompt_counts_as_its_mean(tmp_path: Path) -> None:
    """Ten samples of a prompt are one label, and the same as their mean."""
    rng = np.random.default_rng(1)
    once, often = [], []
    for i in range(120):
        prompt, quality = f"What is {i} + {i * 7}?" if i % 2 else f"Tell me: {i}", i % 2 * 0.6
        once.append((prompt, 1.0, 1 - quality))
        samples = rng.permutation(np.repeat([1.0, 0.0], [10 - 6 * (i % 2), 6 * (i % 2)]))
        often += [(prompt, 1.0, float(sample)) for sample in samples]
    scores = []
    for name, rows in (("once", once), ("often", often)):
        folder = tmp_path / name
        folder.mkdir()
        train_mf(gold_file(folder / "gold.jsonl", rows), folder / "out", PAIR)
        scores.append(load_router("mf", checkpoint=folder / "out").score([SUM, CHAT]))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_sw_ranking_says_so_too(tmp_path: Path) -> None:
    rows = [(f"Question {i} about {i % 7} cats?", 0.5, 0.5) for i in range(200)]
    progress = Messages()
    config = SWRankingConfig(strong_model=PAIR.strong_model, weak_model=PAIR.weak_model)
    files = gold_file(tmp_path / "gold.jsonl", rows)
    train_sw_ranking(files, tmp_path / "out", config, progress=progress)
    assert any("do not tell prompts apart" in line for line in progress.lines), progress.lines


@pytest.mark.parametrize("strong_wins", [1.0, 0.5, 0.0])
def test_labels_of_one_class_make_a_constant_router_and_say_so(
    tmp_path: Path, strong_wins: float
) -> None:
    big, small = min(1.0, 2 * strong_wins), min(1.0, 2 * (1 - strong_wins))
    rows = [(f"Question {i} about {i % 7} cats?", big, small) for i in range(200)]
    progress = Messages()
    train_mf(gold_file(tmp_path / "gold.jsonl", rows), tmp_path / "out", PAIR, progress=progress)
    assert any("do not tell prompts apart" in line for line in progress.lines), progress.lines
    scores = load_router("mf", checkpoint=tmp_path / "out").score(["hi", SUM, "ü" * 9000])
    assert scores == pytest.approx([strong_wins] * 3, abs=0.01)


def test_a_pair_the_wrong_way_round_is_named(files: TrainingFiles, tmp_path: Path) -> None:
    config = MFConfig(strong_model="tiny", weak_model="big", validation_share=0.2)
    with pytest.raises(ConfigError, match="swap strong_model and weak_model"):
        train_mf(files, tmp_path, config)


def test_prompts_of_one_template_teach_nothing_about_the_template(tmp_path: Path) -> None:
    """What hardly varies in them must not decide alone on a prompt that differs in it."""
    rng = np.random.default_rng(0)
    template = "Question: {}\nIs it divisible by 7?\nAnswer:"
    rows = [(template.format(i), 1.0, float(rng.integers(2))) for i in range(1000, 1400)]
    train_mf(gold_file(tmp_path / "gold.jsonl", rows), tmp_path / "out", PAIR)
    usual = template.format(1234)
    changed = [usual + " ", usual.removesuffix("\nAnswer:"), usual.replace("7?", "7 or 9?")]
    scores = load_router("mf", checkpoint=str(tmp_path / "out")).score([usual, *changed])
    assert (np.abs(scores - scores[0]) < 0.25).all(), scores
    assert np.abs(load_file(tmp_path / "out" / WEIGHTS)["features.scale"]).max() <= 100


@pytest.mark.parametrize("learn", ["pair", "outcomes"])
def test_it_needs_no_torch(files: TrainingFiles, tmp_path: Path, learn: Any) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from routellm_core.rules.share import threshold_for_share
from routellm_core.training.mf.config import MFConfig
from routellm_core.training.mf.train import train_mf
from routellm_core.training.shared.files import TrainingFiles
config = MFConfig(
    learn={learn!r}, strong_model="big", weak_model="small", validation_share=0.2
)
train_mf(TrainingFiles(gold=[Path({str(files.gold[0])!r})]), Path({str(tmp_path)!r}), config)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
