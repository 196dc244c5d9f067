"""Fine-tuning bert, and what all fine-tuning does: targets, order, resuming, the checkpoint."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("transformers")

from safetensors.numpy import load_file

from routellm_core.checkpoints.store import CARD, CONFIG, DESCRIPTION, WEIGHTS
from routellm_core.data.labels import Battle, Gold
from routellm_core.errors import CheckpointError, ConfigError, DataError
from routellm_core.routers.bert.classifier import BERTRouter
from routellm_core.training.bert.config import BERTConfig
from routellm_core.training.bert.train import train_bert
from routellm_core.training.finetune.fit import training_order
from routellm_core.training.finetune.recipe import loss_of, parameter_groups
from routellm_core.training.finetune.state import STATE
from routellm_core.training.finetune.targets import targets_of
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.comparisons import compare_models
from routellm_core.training.shared.files import TrainingFiles
from tests.fakes import base_models
from tests.fakes.training_files import CHAT, SUM, training_files
from tests.fakes.watched_training import Interrupted, Steps

FILES = [CARD, CONFIG, METRICS, WEIGHTS, DESCRIPTION, "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(base_models.bert(tmp_path_factory.mktemp("bases") / "tiny-bert"))


@pytest.fixture(scope="module")
def files(base: str, tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    files = training_files(tmp_path_factory.mktemp("data"), "")
    return replace(files, settings=[f"base={base}"])


@pytest.fixture(scope="module")
def config(base: str) -> BERTConfig:
    return BERTConfig(
        strong_model="big",
        weak_model="small",
        validation_share=0.2,
        base=base,
        max_length=32,
        epochs=3,
        batch_size=16,
        learning_rate=3e-3,
        average=0.5,
        dropout=0.1,
        save_every=7,
        sources={"battles": {"weight": 0.3}},
    )


@pytest.fixture(scope="module")
def trained(
    files: TrainingFiles, config: BERTConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_bert(files, folder, config)
    return folder


def test_it_learns_what_needs_the_strong_model(trained: Path) -> None:
    needed, not_needed = BERTRouter.from_pretrained(str(trained)).score([SUM, CHAT])
    assert needed > not_needed + 0.2
    assert json.loads((trained / METRICS).read_text())["validation"]["gold"]["apgr"] > 0.7


def test_others_may_read_it_as_umask_says(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    modes = {path.name: path.stat().st_mode for path in trained.iterdir()}
    assert modes == dict.fromkeys(FILES, (tmp_path / "other").stat().st_mode)


def test_it_writes_a_whole_checkpoint_in_float16(trained: Path, config: BERTConfig) -> None:
    assert sorted(path.name for path in trained.iterdir()) == sorted(FILES)
    assert {str(tensor.dtype) for tensor in load_file(trained / WEIGHTS).values()} == {"float16"}
    card = (trained / CARD).read_text()
    assert "--set base=tiny-bert" in card
    assert str(config.base) not in card + (trained / DESCRIPTION).read_text()
    base = json.loads((trained / METRICS).read_text())["base_sha256"]
    assert [*base] == [WEIGHTS]
    assert len(base[WEIGHTS]) == 64
    quantiles = BERTRouter.from_pretrained(str(trained)).score_quantiles
    assert quantiles is not None
    assert len(quantiles) == 101


def _kill(files: TrainingFiles, folder: Path, config: BERTConfig, at: int) -> None:
    with pytest.raises(Interrupted):
        train_bert(files, folder, config, progress=Steps(at=at))


@pytest.mark.parametrize("at", [9, 20])
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    files: TrainingFiles, config: BERTConfig, trained: Path, tmp_path: Path, at: int
) -> None:
    _kill(files, tmp_path, config, at)
    assert not (tmp_path / WEIGHTS).exists()
    # As a kill leaves it in the midst of saving: newer, and not whole.
    shutil.copytree(
        tmp_path / STATE / "tune" / f"checkpoint-{at - at % 7}",
        tmp_path / STATE / "tune" / "checkpoint-99",
        ignore=shutil.ignore_patterns("trainer_state.json"),
    )
    continued = Steps()
    train_bert(files, tmp_path, config, progress=continued)
    assert continued.steps[0] == at - at % 7 + 1
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name


def test_a_run_on_other_settings_does_not_go_on(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    _kill(files, tmp_path, config, 1)
    with pytest.raises(ConfigError, match="other data or settings"):
        train_bert(files, tmp_path, config.model_copy(update={"learning_rate": 1e-3}))
    with pytest.raises(ConfigError, match="other data or settings"):
        train_bert(
            TrainingFiles(gold=files.gold), tmp_path, config.model_copy(update={"sources": {}})
        )


def test_it_writes_and_prints_nothing_elsewhere(
    files: TrainingFiles,
    config: BERTConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    short = config.model_copy(update={"epochs": 0.2})
    train_bert(files, tmp_path / "out", short)
    assert os.listdir() == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_base_is_an_error(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    def trying(base: str | None) -> None:
        train_bert(files, tmp_path / "out", config.model_copy(update={"base": base}))

    with pytest.raises(ConfigError, match="as --set base="):
        trying(None)
    with pytest.raises(CheckpointError, match=r"no model '.*nowhere' to start from"):
        trying(str(tmp_path / "nowhere"))
    with pytest.raises(CheckpointError, match="a Hugging Face id, owner/name"):
        trying("bert-base-uncased")
    pickled = tmp_path / "pickled"
    shutil.copytree(str(config.base), pickled)
    (pickled / WEIGHTS).rename(pickled / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled weights are not read"):
        trying(str(pickled))
    damaged = tmp_path / "damaged"
    shutil.copytree(str(config.base), damaged)
    (damaged / WEIGHTS).write_bytes((damaged / WEIGHTS).read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"damaged.model\.safetensors is damaged"):
        trying(str(damaged))


def test_a_base_without_its_own_weights_is_an_error(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    deeper = tmp_path / "deeper"
    shutil.copytree(str(config.base), deeper)
    described = json.loads((deeper / CONFIG).read_text())
    (deeper / CONFIG).write_text(json.dumps({**described, "num_hidden_layers": 3}))
    with pytest.raises(CheckpointError, match=r"no weights for bert\.encoder\.layer\.2"):
        train_bert(files, tmp_path / "out", config.model_copy(update={"base": str(deeper)}))


def test_a_classifier_of_other_labels_gets_a_new_head(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    from transformers import AutoModelForSequenceClassification

    base = tmp_path / "base"
    shutil.copytree(str(config.base), base)
    load = AutoModelForSequenceClassification.from_pretrained
    load(str(config.base), num_labels=2).save_pretrained(base)
    short = config.model_copy(update={"base": str(base), "epochs": 0.2})
    train_bert(files, tmp_path / "out", short)
    assert len(load_file(tmp_path / "out" / WEIGHTS)["classifier.bias"]) == 3


def test_more_tokens_than_the_base_reads_are_an_error(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"'max_length' is 129: .* reads at most 128 tokens"):
        train_bert(files, tmp_path, config.model_copy(update={"max_length": 129}))


def test_targets_are_the_outcomes_by_how_much_better_an_answer_is() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", models={"w": ["w2"]})
    gold = [
        Gold("both", "t", {"s": 1.0, "w": 1.0}),
        Gold("strong", "t", {"s": 0.75, "w": 0.5, "w2": 0.0}),
        Gold("weak", "t", {"s": 0.25, "w": 1.0}),
    ]
    battles = [
        Battle("won", "s", "w", 1.0),
        Battle("lost", "s", "w2", 0.0),
        Battle("tied", "w", "s", 0.5),
        Battle("soft", "w", "s", 0.1),
        Battle("twice", "s", "w", 1.0),
        Battle("twice", "w", "s", 0.5),
        Battle("of others", "s", "x", 1.0),
    ]
    targets = targets_of(compare_models({"b": battles}, {"g": gold}, config), config)
    told = dict(zip(targets.prompts, targets.probabilities.tolist(), strict=True))
    assert told["both"] == [0, 1, 0]
    assert told["strong"] == [0.5, 0.5, 0]
    assert told["weak"] == [0, 0.25, 0.75]
    assert told["won"] == [1, 0, 0]
    assert told["lost"] == [0, 0, 1]
    assert told["tied"] == [0, 1, 0]
    assert told["soft"] == pytest.approx([0.8, 0.2, 0])
    assert told["twice"] == [0.5, 0.5, 0]
    assert "of others" not in told


def test_sources_count_for_their_weights() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", sources={"few": {"weight": 3.0}})
    gold = {
        "few": [Gold(f"f{i}", "t", {"s": 1.0, "w": 0.0}) for i in range(4)],
        "many": [Gold(f"m{i}", "t", {"s": 1.0, "w": 0.0}) for i in range(40)],
    }
    targets = targets_of(compare_models({}, gold, config), config)
    few = np.array([prompt.startswith("f") for prompt in targets.prompts])
    assert targets.weight.mean() == pytest.approx(1)
    assert targets.weight[few].sum() == pytest.approx(3 * targets.weight[~few].sum())
    assert targets.rows == {"few": 4, "many": 40}


def test_a_source_has_a_level_of_its_own() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", sources={"easy": {"own_level": True}})
    gold = {
        "easy": [Gold(f"e{i}", "t", {"s": 1.0, "w": 1.0}) for i in range(4)],
        "hard": [Gold(f"h{i}", "t", {"s": 1.0, "w": 0.0}) for i in range(4)],
    }
    targets = targets_of(compare_models({}, gold, config), config)
    easy = np.array([prompt.startswith("e") for prompt in targets.prompts])
    assert targets.levels[easy] == pytest.approx(np.log([[0.02 / 0.5, 2, 1]] * 4))
    assert (targets.levels[~easy] == 0).all()


def _sums(name: str, sure: float, unsure: float) -> list[Gold]:
    """Return gold in which the strong model is by ``sure`` better on sums, else by ``unsure``."""
    sums = [Gold(f"{name} {i} + {i} times 3?", "t", {"s": 1.0, "w": 1 - sure}) for i in range(20)]
    chat = [Gold(f"Tell {name} {i} cats", "t", {"s": 1.0, "w": 1 - unsure}) for i in range(20)]
    return sums + chat


def test_a_teacher_says_something_of_every_prompt() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", teacher_weight=3.0)
    battles = [
        Battle("What is 99 + 99 times 3?", "x", "w", 1.0),
        Battle("Tell me 9 dogs", "x", "y", 1.0),
    ]
    gold = {"g": _sums("me", 1.0, 0.0)}
    targets = targets_of(compare_models({"b": battles}, gold, config), config)
    others = np.array(
        [prompt in {battle.prompt for battle in battles} for prompt in targets.prompts]
    )
    taught = dict(zip(targets.prompts, targets.taught.tolist(), strict=True))
    # The logits of differences of 1 and 0, as a line tells them: 2 and 0.
    assert taught["What is 99 + 99 times 3?"] == pytest.approx(2, abs=0.5)
    assert taught["Tell me 9 dogs"] == pytest.approx(0, abs=0.5)
    assert targets.teaching == pytest.approx(3 / targets.taught[~others].var(), rel=1e-5)
    assert (targets.weight[others] == 0).all()
    assert (targets.weight[~others] > 0).all()


@pytest.mark.parametrize(
    ("own_level", "expected"), [([], 1.0), (["easy"], 1.5), (["easy", "hard"], 1.0)]
)
def test_a_teacher_speaks_at_the_level_of_sources_without_their_own(
    own_level: list[str], expected: float
) -> None:
    config = BERTConfig(
        strong_model="s",
        weak_model="w",
        teacher_weight=1.0,
        sources={name: {"own_level": True} for name in own_level},
    )
    gold = {"easy": _sums("Ann", 0.5, 0.0), "hard": _sums("Bob", 1.0, 0.5)}
    targets = targets_of(compare_models({}, gold, config), config)
    assert targets.taught.mean() == pytest.approx(expected, abs=1e-4)


def test_a_teacher_stays_near_what_it_says_of_most() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", teacher_weight=1.0)
    chat = [Gold(f"Tell me {i} cats", "t", {"s": 1.0, "w": 1.0}) for i in range(200)]
    sums = [Gold(f"What is {i} + {i} times 3?", "t", {"s": 1.0, "w": 0.0}) for i in range(2)]
    targets = targets_of(compare_models({}, {"g": [*chat, *sums]}, config), config)
    usual = targets.teaching[0] ** -0.5
    assert targets.taught.max() == pytest.approx(2 * 2 / 202 + 4 * usual, rel=1e-4)


def test_a_teacher_without_gold_is_an_error() -> None:
    config = BERTConfig(strong_model="s", weak_model="w", teacher_weight=1.0)
    battles = {"b": [Battle("p", "s", "w", 1.0)]}
    with pytest.raises(ConfigError, match="'teacher_weight' needs gold labels"):
        targets_of(compare_models(battles, {}, config), config)


@pytest.mark.parametrize(
    ("given", "level", "expected"),
    [
        ([0.5, 0.3, 0.2], [1, 1, 1], -2 * np.log(0.3)),
        ([0.25, 0.15, 0.1], [1, 1, 1], -2 * (np.log(0.3) + np.log(0.5))),
        ([0.5, 0.3, 0.2], [1, 2, 1], -2 * np.log(0.6 / 1.3)),
    ],
)
def test_the_loss_of_a_row(given: list[float], level: list[float], expected: float) -> None:
    import torch

    def loss(teaching: float) -> float:
        rows = {
            "probabilities": torch.tensor([[0.0, 1.0, 0.0]]),
            "weight": torch.tensor([2.0]),
            "levels": torch.tensor([level]).log(),
            "taught": torch.tensor([1.0]),
            "teaching": torch.tensor([teaching]),
        }
        return float(loss_of(torch.tensor([given]).log(), rows))

    assert loss(0.0) == pytest.approx(expected, rel=1e-5)
    # The odds of half a tie: (0.5 + 0.3 / 2) to (0.2 + 0.3 / 2), also where more is possible.
    error = (np.log(0.65 / 0.35) - 1) ** 2
    assert loss(3.0) == pytest.approx(expected + 3 * error, rel=1e-5)


def test_nothing_held_out_is_an_error(
    files: TrainingFiles, config: BERTConfig, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="raise 'validation_share'"):
        train_bert(files, tmp_path, config.model_copy(update={"validation_share": 1e-9}))


def test_nothing_about_the_pair_is_an_error() -> None:
    config = BERTConfig(strong_model="s", weak_model="w")
    battles = {"b": [Battle("p", "s", "x", 1.0), Battle("q", "x", "w", 1.0)]}
    with pytest.raises(ConfigError, match="under 'models'"):
        targets_of(compare_models(battles, {}, config), config)


def test_batches_hold_rows_alike_in_length_and_all_rows_each_pass() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 250).tolist()
    order = training_order(lengths, 8, 2.5, np.random.default_rng(1))
    steps = -(-250 // 8)
    assert len(order) == round(2.5 * steps) * 8
    for start in (0, steps * 8):
        assert set(order[start : start + steps * 8]) == set(range(250))
    spread = [np.ptp([lengths[i] for i in batch]) for batch in order.reshape(-1, 8)]
    assert np.mean(spread) < 30
    assert (order == training_order(lengths, 8, 2.5, np.random.default_rng(1))).all()


def test_lower_layers_learn_more_slowly(config: BERTConfig) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(str(config.base), num_labels=3)
    decaying = config.model_copy(update={"layer_decay": 0.5, "learning_rate": 1.0})
    rates = {
        id(tensor): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, decaying)
        for tensor in group["params"]
    }
    told = {name: rates[id(tensor)] for name, tensor in model.named_parameters()}
    assert told["classifier.weight"] == (1.0, 0.01)
    assert told["classifier.bias"] == (1.0, 0.0)
    assert told["bert.encoder.layer.1.output.dense.weight"] == (1.0, 0.01)
    assert told["bert.encoder.layer.0.output.dense.weight"] == (0.5, 0.01)
    assert told["bert.embeddings.word_embeddings.weight"] == (0.25, 0.01)
