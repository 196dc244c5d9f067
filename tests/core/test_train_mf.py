"""Training mf: a run that was cut off goes on from where it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("yaml")

from routellm_core import load_router
from routellm_core.checkpoints.store import CARD, CONFIG, WEIGHTS
from routellm_core.cli import app
from routellm_core.errors import ConfigError
from routellm_core.training.mf import fit as mf_fit
from routellm_core.training.mf.config import MFConfig
from routellm_core.training.mf.train import train_mf
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.config import read_config
from routellm_core.training.shared.files import TrainingFiles
from tests.fakes.training_files import training_files
from tests.fakes.watched_training import Interrupted, Steps

SETTINGS = """
strong_model: big
weak_model: small
steps: 120
rank: 2
l2: 0.001
validation_share: 0.2
sources:
  gold: {level: pooled, about: Made up.}
  battles: {weight: 2, level_only: true}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return training_files(tmp_path_factory.mktemp("data"), SETTINGS)


@pytest.fixture(scope="module")
def config(files: TrainingFiles) -> MFConfig:
    assert files.config is not None
    return read_config(files.config, MFConfig)


@pytest.fixture(scope="module")
def trained(
    files: TrainingFiles, config: MFConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_mf(files, folder, config)
    return folder


def test_a_wider_pair_has_higher_scores(trained: Path) -> None:
    router = load_router("mf", checkpoint=str(trained))
    wider = load_router("mf", checkpoint=str(trained), weak_model="tiny")
    assert wider.score(["hello 1"])[0] > router.score(["hello 1"])[0]


@pytest.mark.parametrize("at", [30, 77, 100])
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    files: TrainingFiles, config: MFConfig, trained: Path, tmp_path: Path, at: int
) -> None:
    with pytest.raises(Interrupted):
        train_mf(files, tmp_path, config, progress=Steps(at=at))
    continued = Steps()
    train_mf(files, tmp_path, config, progress=continued)
    saved = (at - 1) // mf_fit.SAVE_EVERY * mf_fit.SAVE_EVERY
    assert continued.steps == list(range(saved + 1, config.steps + 1))
    for name in (WEIGHTS, CONFIG, METRICS, CARD):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_a_run_on_other_settings_does_not_go_on(
    files: TrainingFiles, config: MFConfig, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        train_mf(files, tmp_path, config, progress=Steps(at=60))
    with pytest.raises(ConfigError, match="other data or settings"):
        train_mf(files, tmp_path, config.model_copy(update={"seed": 1}))


def test_a_run_on_the_same_prompts_of_other_sources_does_not_go_on(
    files: TrainingFiles, tmp_path: Path
) -> None:
    """Which source a prompt is of decides what it weighs."""
    rows = files.battles[0].read_text().splitlines(keepends=True)

    def dealt(first: int) -> TrainingFiles:
        folder = tmp_path / str(first)
        folder.mkdir()
        (folder / "a.jsonl").write_text("".join(rows[:first]))
        (folder / "b.jsonl").write_text("".join(rows[first:]))
        return TrainingFiles([folder / "a.jsonl", folder / "b.jsonl"])

    config = MFConfig(strong_model="big", weak_model="small", steps=120, validation_share=0.2)
    with pytest.raises(Interrupted):
        train_mf(dealt(20), tmp_path / "out", config, progress=Steps(at=60))
    with pytest.raises(ConfigError, match="other data or settings"):
        train_mf(dealt(50), tmp_path / "out", config)


def test_prompts_of_one_template_teach_nothing_about_the_template(tmp_path: Path) -> None:
    """What hardly varies in them must not decide alone on a prompt that differs in it."""
    rng = np.random.default_rng(0)
    template = "Question: {}\nIs it divisible by 7?\nAnswer:"
    rows = [
        {
            "prompt": template.format(number),
            "task": "t",
            "correct": {"big": 1, "small": int(rng.integers(2))},
        }
        for number in range(1000, 1400)
    ]
    gold = tmp_path / "gold.jsonl"
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = MFConfig(strong_model="big", weak_model="small", steps=120, validation_share=0.2)
    train_mf(TrainingFiles(gold=[gold]), tmp_path / "out", config)
    usual = template.format(1234)
    changed = [usual + " ", usual.removesuffix("\nAnswer:"), usual.replace("7?", "7 or 9?")]
    scores = load_router("mf", checkpoint=str(tmp_path / "out")).score([usual, *changed])
    assert (np.abs(scores - scores[0]) < 0.25).all(), scores
    assert np.abs(load_file(tmp_path / "out" / WEIGHTS)["features.scale"]).max() <= 100


def test_the_command_goes_on_after_it_was_interrupted(
    files: TrainingFiles, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = mf_fit._save

    def interrupted(*args: Any) -> None:
        save(*args)
        raise KeyboardInterrupt  # what Ctrl-C does, where its signal is not ignored

    command = [
        *("train", "mf", "--out", str(tmp_path), "--config", str(files.config)),
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
        *("--decontaminate", str(files.decontaminate[0])),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(mf_fit, "_save", interrupted)
        assert CliRunner().invoke(app, command).exit_code == 130
    assert [path.name for path in tmp_path.iterdir()] == [mf_fit.UNFINISHED]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (tmp_path / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
