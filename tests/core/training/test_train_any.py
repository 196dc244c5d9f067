"""What training does whatever the router: reads, splits, learns, measures, tells mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("yaml")

from routellm_core import RoutingPolicy, load_router
from routellm_core.checkpoints.store import CARD, CONFIG, WEIGHTS
from routellm_core.cli import app
from routellm_core.data.digests import sha256_of
from routellm_core.data.labels import split_position
from routellm_core.errors import ConfigError, DataError, MissingExtraError
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.config import TrainingConfig, read_config
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import Trainer, find_trainer
from tests.fakes.training_files import CHAT, GOLD, SUM, training_files
from tests.fakes.watched_training import Interrupted, MeanPlugin, Steps

PAIR = "strong_model: big\nweak_model: small\nvalidation_share: 0.2\n"


@dataclass(frozen=True)
class Case:
    """A router to train, in a moment."""

    settings: str
    wrong: tuple[tuple[str, str], ...]
    """Configurations that are wrong, and what is said of them."""
    files: tuple[str, ...] = (CARD, CONFIG, METRICS, WEIGHTS)
    """What it writes."""


CASES = {
    "mf": Case(
        settings=f"""{PAIR}
l2: 0.001
sources:
  gold: {{weight: 2, about: Made up.}}
""",
        wrong=(
            ("lern: pair", "unknown key 'lern': did you mean 'learn'"),
            ("sources: {a: {weigth: 2}}", "did you mean 'weight'"),
            ("sources: {a: {weight: .inf}}", "'sources.a.weight' is inf"),
            ("l2: 0", "'l2' is 0"),
            ("strong_model: 4", "'strong_model' is 4: write a text, a number in quotes"),
            ("sources: {gold: }", "'sources.gold' is None: write a mapping, like"),
            ("models: {big: b}", "'models.big' is 'b': write a list, like"),
            ("l2: .inf", "'l2' is inf: .*finite number"),
            ("strong_ability: .nan", "'strong_ability' is nan: .*finite number"),
            ("{strong_model: big, weak_model: big}", "'weak_model' is 'big': .*name two models"),
        ),
    ),
    "sw_ranking": Case(
        settings=f"""{PAIR}
gamma: 50
traffic: battles
sources:
  gold: {{weight: 2, about: Made up.}}
""",
        wrong=(
            ("gama: 3", "unknown key 'gama': did you mean 'gamma'"),
            ("sources: {a: {level: own}}", "unknown key 'sources.a.level'"),
            ("gamma: 1", "'gamma' is 1"),
            ("gamma: .inf", "'gamma' is inf: .*finite number"),
            ("strong_model: mixtral-8x7b-instruct-v0.1", "name two models"),
        ),
    ),
}
WRONG = [(name, *wrong) for name, case in CASES.items() for wrong in case.wrong]


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trainer(name: str) -> Trainer:
    return find_trainer(name)


@pytest.fixture(scope="module")
def files(name: str, tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return training_files(tmp_path_factory.mktemp("data"), CASES[name].settings)


@pytest.fixture(scope="module")
def config(trainer: Trainer, files: TrainingFiles) -> TrainingConfig:
    assert files.config is not None
    return read_config(files.config, trainer.config)


@pytest.fixture(scope="module")
def trained(
    trainer: Trainer,
    files: TrainingFiles,
    config: TrainingConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    trainer.train(files, folder, config)
    return folder


def _metrics(folder: Path) -> Any:
    return json.loads((folder / METRICS).read_text())


def test_it_learns_what_needs_the_strong_model(name: str, trained: Path) -> None:
    router = load_router(name, checkpoint=str(trained))
    needed, not_needed = router.score([SUM, CHAT])
    assert needed > not_needed + 0.1
    assert _metrics(trained)["validation"]["gold"]["apgr"] > 0.7


def test_it_writes_checkpoint_metrics_and_card(name: str, trained: Path) -> None:
    card = (trained / CARD).read_text()
    assert f"routellm train {name} --out DIR" in card
    assert "--battles battles.jsonl" in card
    assert "- gold: Made up." in card
    for source in _metrics(trained)["sources"].values():
        assert source["train_sha256"] in card
    assert sorted(path.name for path in trained.iterdir()) == sorted(CASES[name].files)


def test_copies_of_evaluation_prompts_are_left_out(trained: Path) -> None:
    sources = _metrics(trained)["sources"]
    assert sources["battles"]["near_evaluation"] == 0
    gold = sources["gold"]
    assert gold["near_evaluation"] >= 10
    assert gold["train_prompts"] + gold["validation_prompts"] + gold["near_evaluation"] == GOLD


def test_validation_prompts_are_picked_by_their_hash(
    trained: Path, files: TrainingFiles, config: TrainingConfig
) -> None:
    rows = map(json.loads, files.battles[0].read_text().splitlines())
    prompts = [row["prompt"] for row in rows]
    held_out = [prompt for prompt in prompts if split_position(prompt) < config.validation_share]
    assert 0 < len(held_out) < len(prompts)
    told = _metrics(trained)["sources"]["battles"]
    assert told["validation_prompts"] == len(held_out)
    assert told["validation_sha256"] == sha256_of("\n".join(sorted(map(sha256_of, held_out))))


def test_a_share_of_usual_traffic_makes_a_threshold(name: str, trained: Path) -> None:
    options = {"checkpoint": str(trained)}
    quantiles = load_router(name, **options).score_quantiles
    assert quantiles is not None
    assert (np.diff(quantiles) >= 0).all()
    policy = RoutingPolicy(name, strong_share=0.3, router_options=options)
    assert quantiles[0] < policy.threshold < quantiles[-1]


def test_the_command_writes_the_same_bytes(
    name: str, files: TrainingFiles, trained: Path, tmp_path: Path
) -> None:
    arguments = [
        *("train", name, "--out", str(tmp_path), "--config", str(files.config)),
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
        *("--decontaminate", str(files.decontaminate[0])),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "gold: APGR" in done.stderr
    for file in CASES[name].files:
        assert (tmp_path / file).read_bytes() == (trained / file).read_bytes(), file


def test_a_setting_of_the_command_takes_the_place_of_the_files(
    name: str, files: TrainingFiles, tmp_path: Path
) -> None:
    arguments = [
        *("train", name, "--out", str(tmp_path), "--config", str(files.config)),
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
    ]
    done = CliRunner().invoke(app, [*arguments, "--set", "traffic_prompts=7"])
    assert done.exit_code == 0, done.output
    assert _metrics(tmp_path)["traffic"]["prompts"] == 7
    assert "--set traffic_prompts=7" in (tmp_path / CARD).read_text()
    for setting, message in (("trafic=1", "did you mean 'traffic'"), ("traffic", "like --set")):
        refused = CliRunner().invoke(app, [*arguments, "--set", setting])
        assert isinstance(refused.exception, ConfigError)
        assert message in str(refused.exception)


def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    name: str,
    trainer: Trainer,
    files: TrainingFiles,
    config: TrainingConfig,
    trained: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(Interrupted):
        trainer.train(files, tmp_path, config, progress=Steps(stage="Measuring"))
    assert not (tmp_path / WEIGHTS).exists()
    trainer.train(files, tmp_path, config)
    for file in CASES[name].files:
        assert (tmp_path / file).read_bytes() == (trained / file).read_bytes(), file


@pytest.mark.parametrize(("only", "prompt"), [("battles", "hello 7"), ("gold", SUM)])
def test_votes_alone_and_gold_alone_do(
    name: str,
    trainer: Trainer,
    files: TrainingFiles,
    config: TrainingConfig,
    tmp_path: Path,
    only: str,
    prompt: str,
) -> None:
    plain = config.model_copy(update={"sources": {}, "traffic": None})
    metrics = trainer.train(TrainingFiles(**{only: getattr(files, only)}), tmp_path, plain)
    assert list(metrics["sources"]) == [only]
    assert list(metrics["validation"]) == [source for source in [only] if source == "gold"]
    assert 0 < load_router(name, checkpoint=str(tmp_path)).score([prompt])[0] < 1


def test_nothing_held_out_is_an_error_before_training(
    trainer: Trainer, files: TrainingFiles, config: TrainingConfig, tmp_path: Path
) -> None:
    few = config.model_copy(update={"validation_share": 1e-9})
    with pytest.raises(DataError, match="is held out to measure and calibrate the router on"):
        trainer.train(files, tmp_path, few)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_learn_from_is_an_error(
    trainer: Trainer, config: TrainingConfig, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="nothing to learn from: give --battles"):
        trainer.train(TrainingFiles(), tmp_path, config)


def test_a_wrong_row_is_named(
    trainer: Trainer, files: TrainingFiles, config: TrainingConfig, tmp_path: Path
) -> None:
    wrong = tmp_path / "battles.jsonl"
    row = {"prompt": "p", "model_a": "big", "model_b": "small", "winner": "big"}
    wrong.write_text(files.battles[0].read_text() + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"battles\.jsonl, line 101: 'winner' is 'big'"):
        trainer.train(replace(files, battles=[wrong]), tmp_path / "out", config)
    assert not (tmp_path / "out" / WEIGHTS).exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"traffic": "battle"}, "did you mean 'battles'"),
        ({"strong_model": "bigg"}, "'gold' does not compare 'bigg' with 'small'"),
    ],
)
def test_a_configuration_that_does_not_fit_the_data(
    trainer: Trainer,
    files: TrainingFiles,
    config: TrainingConfig,
    tmp_path: Path,
    changed: dict[str, str],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        trainer.train(files, tmp_path, config.model_copy(update=changed))


@pytest.mark.parametrize(("name", "text", "message"), WRONG, indirect=["name"])
def test_a_wrong_configuration_is_named(
    trainer: Trainer, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path, trainer.config)


def test_a_configuration_that_is_no_yaml(trainer: Trainer, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_config(path, trainer.config)


def test_a_missing_package_names_the_extra(
    name: str, files: TrainingFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["train", name, "--out", str(tmp_path), "--config", str(files.config)]
    monkeypatch.setitem(sys.modules, "yaml", None)
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, MissingExtraError)
    assert "routellm-plugins[train]" in str(done.exception)


def test_a_split_without_validation_prompts_is_an_error_before_training(
    trainer: Trainer, files: TrainingFiles, config: TrainingConfig, tmp_path: Path
) -> None:
    """Not NaN in metrics.json and card, and a checkpoint that was never calibrated."""
    rows = map(json.loads, files.gold[0].read_text().splitlines())
    learned = [row for row in rows if split_position(row["prompt"]) >= config.validation_share]
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps(row) + "\n" for row in learned[:30]))
    plain = config.model_copy(update={"sources": {}, "traffic": None})
    with pytest.raises(DataError, match=r"is held out .* raise 'validation_share'") as error:
        trainer.train(TrainingFiles(gold=[few]), tmp_path / "out", plain)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / WEIGHTS).exists()


def test_what_is_set_comes_before_the_file_and_is_in_the_card(
    name: str, files: TrainingFiles, tmp_path: Path
) -> None:
    arguments = [
        *("train", name, "--out", str(tmp_path), "--config", str(files.config)),
        *("--gold", str(files.gold[0]), "--battles", str(files.battles[0])),
        *("--set", "validation_share=0.3", "--set", "notes=Ours."),
    ]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    card = (tmp_path / CARD).read_text()
    assert "--set validation_share=0.3" in card
    assert "| validation_share | 0.3 |" in card
    assert card.endswith("Ours.")
    assert "| strong_model | big |" in card


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("validation_shar=0.3", "unknown key 'validation_shar': did you mean 'validation_share'"),
        ("validation_share=3", "'validation_share' is 3"),
        ("validation_share", "write a key and its value"),
        ("validation_share=[", "not valid YAML"),
    ],
)
def test_what_is_set_wrongly_is_named(
    name: str, tmp_path: Path, written: str, message: str
) -> None:
    done = CliRunner().invoke(app, ["train", name, "--out", str(tmp_path), "--set", written])
    assert isinstance(done.exception, ConfigError)
    assert "--set" in str(done.exception)
    assert message in str(done.exception)


def test_the_command_trains_a_plugins_router(
    plugin: Callable[[object], object], tmp_path: Path
) -> None:
    plugin(MeanPlugin())
    files = training_files(tmp_path, PAIR)
    given = ["--config", str(files.config), "--gold", str(files.gold[0])]
    done = CliRunner().invoke(app, ["train", "mean", *given, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    router = load_router("mean", checkpoint=str(tmp_path / "out"))
    assert router.score(["hello"])[0] == pytest.approx(0.75, abs=0.05)
    wrong = CliRunner().invoke(app, ["train", "maen", *given, "--out", str(tmp_path / "out")])
    assert "did you mean 'mean'" in str(wrong.exception)
