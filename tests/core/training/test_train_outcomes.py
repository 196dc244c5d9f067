"""Learning from the outcomes of many models: difficulty, abilities, and any pair of models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

pytest.importorskip("yaml")

from routellm_core import ConfigError, RoutingPolicy, load_router
from routellm_core.checkpoints.store import CARD, CONFIG, WEIGHTS
from routellm_core.cli import app
from routellm_core.data.labels import Gold
from routellm_core.data.outcomes import Outcomes
from routellm_core.errors import CheckpointError, DataError
from routellm_core.evaluation.pairs import mean_over_pairs
from routellm_core.training.outcomes.rasch import fit_rasch, posterior_difficulty
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.trainers import find_trainer
from tests.fakes import checkpoints
from tests.fakes.training_files import CHAT, SUM

ABILITIES = {"large": 3.0, "medium": 1.5, "small": 0.0, "tiny": -1.0}
SETTINGS: dict[str, Any] = {
    "learn": "outcomes",
    "validation_share": 0.2,
    "traffic_prompts": 60,
    "models": {"large": ["Large-XL"]},
}


def sigmoid(x: float) -> float:
    return 1 / (1 + float(np.exp(-x)))


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    """Two sources in which sums are harder than talk; a multiple-choice task in which one model
    never answers in the format asked for.
    """
    folder = tmp_path_factory.mktemp("outcomes")
    rng = np.random.default_rng(0)

    def rows(names: dict[str, str], count: int) -> list[dict[str, Any]]:
        found = []
        for i in range(count):
            sums = i % 2 == 0
            words = " ".join(rng.choice(["river", "poem", "cat", "moon"], 5))
            prompt = f"What is {i} + {i * 7} times 3? {words}" if sums else f"Tell me: {i} {words}"
            difficulty = 1.5 if sums else -1.5
            correct = {
                name: float(rng.random() < sigmoid(ABILITIES[model] - difficulty))
                for model, name in names.items()
            }
            found.append({"prompt": prompt, "task": "t", "correct": correct})
        return found

    first = rows({model: model for model in ABILITIES}, 400)
    second = rows({"large": "Large-XL", "small": "small"}, 200)
    options = "\nA. one\nB. two\nC. three\nD. four\nAnswer:"
    for i in range(60):
        correct = {"large": 0.0, "medium": 1.0, "small": float(i % 2), "tiny": float(i % 3 == 0)}
        first.append({"prompt": f"Pick {i}{options}", "task": "pick", "correct": correct})
    return TrainingFiles(
        gold=[write(folder / "first.jsonl", first), write(folder / "second.jsonl", second)]
    )


def train(name: str, files: TrainingFiles, folder: Path, **settings: Any) -> None:
    trainer = find_trainer(name)
    trainer.train(files, folder, trainer.config(**settings))


@pytest.fixture(scope="module", params=["mf", "sw_ranking"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def trained(name: str, files: TrainingFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(name, files, folder, **SETTINGS)
    return folder


def test_hard_prompts_go_to_the_strong_model(name: str, trained: Path) -> None:
    router = load_router(name, checkpoint=trained)
    hard, easy = router.score([SUM, CHAT])
    assert hard > easy + {"mf": 0.03, "sw_ranking": 0.01}[name]
    assert router.score([SUM])[0] == pytest.approx(hard, abs=1e-6)
    middle = (hard + easy) / 2
    policy = RoutingPolicy(name, threshold=middle, router_options={"checkpoint": trained})
    assert [policy.decide(text).tier for text in (SUM, CHAT)] == ["strong", "weak"]


def test_abilities_are_in_order_and_a_model_of_two_names_is_one(trained: Path) -> None:
    abilities = json.loads((trained / METRICS).read_text())["abilities"]
    assert abilities["large"] > abilities["medium"] > abilities["small"] > abilities["tiny"]
    assert "Large-XL" not in abilities
    assert "large +" in (trained / CARD).read_text()


def test_any_two_models_and_any_abilities_make_a_pair(name: str, trained: Path) -> None:
    def rates(**options: Any) -> Any:
        return load_router(name, checkpoint=trained, **options).score([SUM, CHAT])

    abilities = json.loads((trained / METRICS).read_text())["abilities"]
    named = rates(strong_model="medium", weak_model="tiny")
    numbers = rates(strong_ability=abilities["medium"], weak_ability=abilities["tiny"])
    # In these data models differ by ability alone; mf looks for more, and finds next to nothing.
    assert named == pytest.approx(numbers, abs={"mf": 5e-3, "sw_ranking": 1e-5}[name])
    # A wider gap wins more often, and two models alike win half of the time.
    assert (rates(strong_model="large", weak_model="tiny") > named).all()
    assert rates(strong_ability=0.01, weak_ability=0.0) == pytest.approx([0.5, 0.5], abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strong_model": "tiny", "weak_model": "large"}, "must be above the weak model's"),
        ({"strong_model": "huge"}, "strong_model 'huge' is not in the checkpoint: known"),
        ({"strong_model": "large", "strong_ability": 1.0}, "both strong_model and strong_ability"),
    ],
)
def test_a_pair_that_cannot_be_meant(
    name: str, trained: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_router(name, checkpoint=trained, **options)


def test_format_failures_are_left_out_and_named(trained: Path) -> None:
    metrics = json.loads((trained / METRICS).read_text())
    findings = [each for each in metrics["label_findings"]["first"] if "format failure" in each]
    (finding,) = findings
    assert "large" in finding
    assert f"- first: {finding}" in (trained / CARD).read_text()


def test_the_same_files_give_the_same_bytes(
    name: str, files: TrainingFiles, trained: Path, tmp_path: Path
) -> None:
    train(name, files, tmp_path, **SETTINGS)
    for file in (CARD, CONFIG, METRICS, WEIGHTS):
        assert (tmp_path / file).read_bytes() == (trained / file).read_bytes(), file


def test_usual_traffic_is_of_the_kinds_that_are_named(
    name: str, files: TrainingFiles, tmp_path: Path
) -> None:
    only = {**SETTINGS, "traffic_kinds": [["second"]], "traffic_prompts": 20}
    train(name, files, tmp_path / "one", **only)
    assert json.loads((tmp_path / "one" / METRICS).read_text())["traffic"]["prompts"] == 20
    assert "equal parts:\n\n- second\n" in (tmp_path / "one" / CARD).read_text()
    train(name, files, tmp_path / "two", **{**only, "traffic_kinds": [["second"], ["first"]]})
    quantiles = [
        load_router(name, checkpoint=tmp_path / each).score_quantiles for each in ("one", "two")
    ]
    assert quantiles[0].tolist() != quantiles[1].tolist()
    with pytest.raises(ConfigError, match="a source 'thrid' but no such file was given"):
        train(name, files, tmp_path / "none", **{**only, "traffic_kinds": [["thrid"]]})


def test_votes_alone_have_no_outcomes(name: str, tmp_path: Path) -> None:
    row = {"prompt": "p", "model_a": "large", "model_b": "small", "winner": "model_a"}
    votes = TrainingFiles(battles=[write(tmp_path / "votes.jsonl", [row] * 9)])
    with pytest.raises(DataError, match="learning from outcomes needs gold"):
        train(name, votes, tmp_path / "out", learn="outcomes")


def test_abilities_the_wrong_way_round_are_refused(name: str, tmp_path: Path) -> None:
    wrong = ["--set", "learn=outcomes", "--set", "weak_ability=2"]
    done = CliRunner().invoke(app, ["train", name, "--out", str(tmp_path / "out"), *wrong])
    assert isinstance(done.exception, ConfigError)
    assert "'weak_ability' is 2: it must be below 'strong_ability'" in str(done.exception)


def test_a_prompts_own_outcomes_move_its_difficulty() -> None:
    """All right: easier than its features tell; all wrong: harder; not measured: as they tell."""
    quality = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    found = posterior_difficulty(np.zeros(3), quality, np.array([1.0, 0.0, -1.0]))
    assert found[0] < -0.3 < 0.3 < found[1]
    assert found[2] == 0


def test_a_large_set_of_outcomes_becomes_a_limited_number_of_battles(
    files: TrainingFiles, tmp_path: Path
) -> None:
    train("sw_ranking", files, tmp_path, **SETTINGS, battles=50)
    tensors = load_file(tmp_path / WEIGHTS)
    assert len(tensors["difficulty"]) == len(tensors["vectors"]) == 50
    hard, easy = load_router("sw_ranking", checkpoint=tmp_path).score([SUM, CHAT])
    assert hard > easy


@pytest.mark.parametrize("broken", ["ability", "difficulty", "weight", "vectors"])
def test_a_damaged_checkpoint_of_outcomes_is_told(
    files: TrainingFiles, tmp_path: Path, broken: str
) -> None:
    train("sw_ranking", files, tmp_path, **SETTINGS, battles=50)
    tensors = load_file(tmp_path / WEIGHTS)
    save_file({**tensors, broken: tensors[broken][1:]}, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match="is damaged"):
        load_router("sw_ranking", checkpoint=tmp_path)
    del tensors[broken]
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(CheckpointError, match=f"has no tensor '{broken}'"):
        load_router("sw_ranking", checkpoint=tmp_path)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            ["learn=outcomes", "weak_model=small", "strong_model=large"],
            "'strong_model', 'weak_model' have no effect with 'learn: outcomes'",
        ),
        (["strong_ability=2"], "'strong_ability' has no effect with 'learn: pair', the default"),
    ],
)
def test_settings_without_effect_are_named_before_work(
    name: str, tmp_path: Path, settings: list[str], line: str
) -> None:
    absent = ["--gold", str(tmp_path / "absent.jsonl"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(
        app, ["train", name, *absent, *(word for each in settings for word in ("--set", each))]
    )
    assert "absent.jsonl cannot be read" in str(done.exception)
    assert line in done.stderr


def test_a_checkpoint_of_one_pair_has_no_abilities(name: str, tmp_path: Path) -> None:
    getattr(checkpoints, name)(tmp_path)
    with pytest.raises(ConfigError, match="no scale of abilities"):
        load_router(name, checkpoint=tmp_path, strong_ability=1.0)


def test_repeats_of_a_prompt_count_as_their_mean() -> None:
    rows = [Gold("p", "t", {"a": 1.0}), Gold("p", "t", {"a": 0.0, "B": 1.0}), Gold("q", "t", {})]
    found = Outcomes.of("s", rows, {"B": "b"})
    assert (found.prompts, found.models) == (["p", "q"], ["a", "b"])
    np.testing.assert_array_equal(found.quality, [[0.5, 1.0], [np.nan, np.nan]])
    assert found.measured.tolist() == [2, 0]
    assert np.isnan(found.without({("t", "b")}).quality[0, 1])


def test_the_difficulty_that_made_the_outcomes_is_found_again() -> None:
    rng = np.random.default_rng(1)
    features, weights = rng.normal(size=(2_000, 3)), np.array([1.0, -0.5, 0.0])
    ability = np.array([2.0, 0.5, -0.5])
    p = 1 / (1 + np.exp(-(ability[None] - (features @ weights)[:, None])))
    quality = (rng.random(p.shape) < p).astype(float)
    quality[rng.random(p.shape) < 0.3] = np.nan
    outcomes = Outcomes("s", [str(i) for i in range(2_000)], ["t"] * 2_000, list("abc"), quality)
    found = fit_rasch([(outcomes, features, 1.0)], 1e-4)
    np.testing.assert_allclose(found.weights, weights, atol=0.1)
    assert found.ability["a"] - found.ability["c"] == pytest.approx(2.5, abs=0.3)
    assert found.l2 == 1e-4


def test_the_penalty_of_outcomes_is_chosen_by_what_they_tell() -> None:
    rng = np.random.default_rng(3)
    features, prompts = rng.normal(size=(300, 30)), [str(i) for i in range(300)]
    level = {"clear": 2 * features[:, 0], "noise": np.zeros(300)}
    chosen = {}
    for name, difficulty in level.items():
        p = 1 / (1 + np.exp(-(np.array([1.0, 0.0, -1.0])[None] - difficulty[:, None])))
        quality = (rng.random(p.shape) < p).astype(float)
        outcomes = Outcomes("s", prompts, ["t"] * 300, list("abc"), quality)
        chosen[name] = fit_rasch([(outcomes, features, 1.0)]).l2
    assert chosen["noise"] >= 0.3 > 0.1 >= chosen["clear"]


def test_an_order_is_judged_over_all_pairs() -> None:
    rng = np.random.default_rng(2)
    hard = rng.random(400) < 0.5
    quality = np.stack([np.ones(400), ~hard, rng.random(400) < 0.98], axis=1).astype(float)
    found = mean_over_pairs(
        quality, {"right": hard * 1.0, "wrong": ~hard * 1.0, "blind": np.zeros(400)}
    )
    assert found is not None
    assert found.pairs == 2
    assert found.mean["right"] > 0.55 > found.mean["blind"] > 0.45 > found.mean["wrong"]
    assert found.mean["blind"] == pytest.approx(0.5)
    low, high = found.interval["right"]
    assert low < found.mean["right"] < high
    assert mean_over_pairs(np.ones((400, 3)), {"blind": np.zeros(400)}) is None


def test_a_pair_is_judged_on_its_own_prompts() -> None:
    """What other pairs have labels of may be ordered before or after it all."""
    rng = np.random.default_rng(4)
    own = np.arange(6_000) < 80
    quality = np.full((6_000, 4), np.nan)
    quality[own, :2] = np.stack([np.ones(80), rng.random(80) < 0.6], axis=1)
    quality[~own, 2:] = np.stack([np.ones(5_920), rng.random(5_920) < 0.1], axis=1)
    scores = {"above": own * 1.0, "below": ~own * 1.0, "drawn": rng.random(6_000)}
    found = mean_over_pairs(quality, scores)
    alone = mean_over_pairs(quality[own, :2], {name: each[own] for name, each in scores.items()})
    assert found is not None
    assert alone is not None
    assert found.pairs == alone.pairs == 1
    assert found.mean["above"] == pytest.approx(0.5)
    assert found.mean["below"] == pytest.approx(0.5)
    assert found.mean["drawn"] == pytest.approx(alone.mean["drawn"])
    assert np.isfinite(found.interval["drawn"]).all()
