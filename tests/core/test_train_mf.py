"""Training mf: learns, is deterministic, goes on after a kill, writes what it promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("yaml")

from routellm_core import load_router
from routellm_core.checkpoints.store import CARD, CONFIG, WEIGHTS
from routellm_core.errors import ConfigError, DataError
from routellm_core.training import mf_fit
from routellm_core.training.card import METRICS
from routellm_core.training.config import read_config
from routellm_core.training.files import TrainingFiles
from routellm_core.training.mf import train_mf
from routellm_core.training.mf_config import MFConfig

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
    """Gold in which the strong model is needed for sums only; votes that big beats small."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    gold = []
    for i in range(200):
        sums = i % 2 == 0
        words = " ".join(rng.choice(["river", "poem", "cat", "moon"], 5))
        prompt = f"What is {i} + {i * 7} times 3? {words}" if sums else f"Tell me: {i} {words}"
        correct = {"big": 1.0, "small": float(not sums), "tiny": 0.0}
        gold.append({"prompt": prompt, "task": "t", "correct": correct})
    battles = [
        {"prompt": f"hello {i}", "model_a": a, "model_b": b, "winner": "model_a"}
        for i, (a, b) in enumerate([("big", "small"), ("big", "tiny"), ("small", "tiny")] * 20)
    ]
    paths = {}
    for name, rows in {"gold": gold, "battles": battles, "evaluation": gold[:10]}.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = folder / "config.yaml"
    config.write_text(SETTINGS)
    return TrainingFiles([paths["battles"]], [paths["gold"]], None, [paths["evaluation"]], config)


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


def test_it_learns_what_needs_the_strong_model(trained: Path) -> None:
    router = load_router("mf", checkpoint=str(trained))
    sums, chat = router.score(["What is 5 + 9 times 3? river cat", "Tell me: 5 moon poem"])
    assert sums > chat + 0.1
    wider = load_router("mf", checkpoint=str(trained), weak_model="tiny")
    assert wider.score(["hello 1"])[0] > router.score(["hello 1"])[0]


def test_it_writes_checkpoint_metrics_and_card(trained: Path) -> None:
    metrics = json.loads((trained / METRICS).read_text())
    gold = metrics["sources"]["gold"]
    assert gold["near_evaluation"] >= 10
    assert gold["train_prompts"] + gold["validation_prompts"] + gold["near_evaluation"] == 200
    assert metrics["validation"]["gold"]["apgr"] > 0.7
    card = (trained / CARD).read_text()
    assert "routellm train mf" in card
    assert "- gold: Made up." in card
    assert sorted(path.name for path in trained.iterdir()) == sorted(
        [CARD, CONFIG, METRICS, WEIGHTS]
    )


class _Killed(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("at", [30, 77, 100])
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    files: TrainingFiles, config: MFConfig, trained: Path, tmp_path: Path, at: int
) -> None:
    def stop(step: int, loss: float) -> None:
        if step == at:
            raise _Killed

    steps: list[int] = []
    with pytest.raises(_Killed):
        train_mf(files, tmp_path, config, progress=stop)
    train_mf(files, tmp_path, config, progress=lambda step, loss: steps.append(step))
    saved = (at - 1) // mf_fit.SAVE_EVERY * mf_fit.SAVE_EVERY
    assert steps == list(range(saved + 1, config.steps + 1))
    for name in (WEIGHTS, CONFIG, METRICS, CARD):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_a_run_on_other_settings_does_not_go_on(
    files: TrainingFiles, config: MFConfig, tmp_path: Path
) -> None:
    def stop(step: int, loss: float) -> None:
        if step == 60:
            raise _Killed

    with pytest.raises(_Killed):
        train_mf(files, tmp_path, config, progress=stop)
    with pytest.raises(ConfigError, match="other data or settings"):
        train_mf(files, tmp_path, config.model_copy(update={"seed": 1}))


def test_the_command_goes_on_after_a_kill(files: TrainingFiles, tmp_path: Path) -> None:
    slow = tmp_path / "slow.yaml"
    slow.write_text(SETTINGS.replace("steps: 120", "steps: 1500"))
    command = [
        *(sys.executable, "-c", "from routellm_core.cli import main; main()"),
        *("train", "mf", "--config", str(slow)),
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
    ]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*command, "--out", str(killed)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (killed / mf_fit.STATE).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    assert (killed / mf_fit.STATE).exists()
    assert not (killed / WEIGHTS).exists()
    subprocess.run([*command, "--out", str(killed)], check=True, capture_output=True)
    train_mf(TrainingFiles(files.battles, files.gold), whole, read_config(slow, MFConfig))
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes()


def test_nothing_to_learn_from_is_an_error(config: MFConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        train_mf(TrainingFiles(), tmp_path, config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: 3", "unknown key 'step': did you mean 'steps'"),
        ("sources: {a: {levle: own}}", "did you mean 'level'"),
        ("rank: 0", "'rank' is 0"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path, MFConfig)


def test_traffic_must_be_a_source(files: TrainingFiles, config: MFConfig, tmp_path: Path) -> None:
    elsewhere = config.model_copy(update={"traffic": "battle"})
    with pytest.raises(ConfigError, match="did you mean 'battles'"):
        train_mf(files, tmp_path, elsewhere)


@pytest.mark.parametrize("package", ["torch", "yaml"])
def test_a_missing_package_names_the_extra(package: str, files: TrainingFiles) -> None:
    code = (
        f"import sys; sys.modules['{package}'] = None; sys.argv[1:] = "
        f"['train', 'mf', '--out', 'unused', '--config', {str(files.config)!r}]; "
        "from routellm_core.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    assert "routellm-plugins[train]" in result.stderr
