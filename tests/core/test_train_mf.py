"""Training mf: a run that was cut off goes on from where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
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
from tests.fakes.progress import KillAtStep, Killed, Steps
from tests.fakes.training_files import training_files

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
    steps = Steps()
    with pytest.raises(Killed):
        train_mf(files, tmp_path, config, progress=KillAtStep(at))
    train_mf(files, tmp_path, config, progress=steps)
    saved = (at - 1) // mf_fit.SAVE_EVERY * mf_fit.SAVE_EVERY
    assert steps.done == list(range(saved + 1, config.steps + 1))
    for name in (WEIGHTS, CONFIG, METRICS, CARD):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_a_run_on_other_settings_does_not_go_on(
    files: TrainingFiles, config: MFConfig, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        train_mf(files, tmp_path, config, progress=KillAtStep(60))
    with pytest.raises(ConfigError, match="other data or settings"):
        train_mf(files, tmp_path, config.model_copy(update={"seed": 1}))


def test_a_run_on_other_sources_does_not_go_on(config: MFConfig, tmp_path: Path) -> None:
    """The same prompts in the same order, of which ten are in the other source."""
    lines = training_files(tmp_path, "").gold[0].read_text().splitlines(keepends=True)
    sources = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]

    def write(of_the_first: int) -> None:
        sources[0].write_text("".join(lines[:of_the_first]))
        sources[1].write_text("".join(lines[of_the_first:]))

    out = tmp_path / "out"
    plain = config.model_copy(update={"sources": {}})
    write(100)
    with pytest.raises(Killed):
        train_mf(TrainingFiles(gold=sources), out, plain, progress=KillAtStep(60))
    write(110)
    with pytest.raises(ConfigError, match="other data or settings"):
        train_mf(TrainingFiles(gold=sources), out, plain)


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
