"""Making an sw_ranking router: learns, is deterministic, writes what it promises, loads again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("yaml")

from routellm_core import RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, CARD, CONFIG, WEIGHTS
from routellm_core.errors import CheckpointError, ConfigError, DataError
from routellm_core.routers.sw_ranking import SWRankingRouter
from routellm_core.training.battles import Battle, Gold
from routellm_core.training.card import METRICS
from routellm_core.training.comparisons import compare_models
from routellm_core.training.config import read_config
from routellm_core.training.files import TrainingFiles
from routellm_core.training.sw_ranking import train_sw_ranking
from routellm_core.training.sw_ranking_battles import battles_of
from routellm_core.training.sw_ranking_config import SWRankingConfig

SETTINGS = """
strong_model: big
weak_model: small
gamma: 50
validation_share: 0.2
traffic: battles
sources:
  gold: {weight: 2, about: Made up.}
"""

ODD = ["", " \n\t", "🤷‍♀️" * 50, "\ud800", "x" * 10_000_000, "\0", "何" * 1000, "A. \nB. \nC. "]


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
        {"prompt": f"hello {i}", "model_a": a, "model_b": b, "winner": winner}
        for i, (a, b, winner) in enumerate(
            [
                ("big", "small", "model_a"),
                ("small", "big", "tie"),
                ("big", "tiny", "model_a"),
                ("small", "tiny", "model_a"),
                ("tiny", "small", "tie"),
            ]
            * 20
        )
    ]
    paths = {}
    for name, rows in {"gold": gold, "battles": battles, "evaluation": gold[:10]}.items():
        paths[name] = folder / f"{name}.jsonl"
        paths[name].write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = folder / "config.yaml"
    config.write_text(SETTINGS)
    return TrainingFiles([paths["battles"]], [paths["gold"]], None, [paths["evaluation"]], config)


@pytest.fixture(scope="module")
def config(files: TrainingFiles) -> SWRankingConfig:
    assert files.config is not None
    return read_config(files.config, SWRankingConfig)


@pytest.fixture(scope="module")
def trained(
    files: TrainingFiles, config: SWRankingConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train_sw_ranking(files, folder, config)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture(scope="module")
def router(trained: Path) -> SWRankingRouter:
    return SWRankingRouter.from_pretrained(str(trained))


def test_it_learns_what_needs_the_strong_model(trained: Path) -> None:
    router = load_router("sw_ranking", checkpoint=str(trained))
    sums, chat = router.score(["What is 5 + 9 times 3? river cat", "Tell me: 5 moon poem"])
    assert sums > chat + 0.1
    wider = load_router("sw_ranking", checkpoint=str(trained), weak_model="tiny")
    assert wider.score(["hello 1"])[0] > router.score(["hello 1"])[0]


def test_it_writes_checkpoint_metrics_and_card(trained: Path) -> None:
    metrics = json.loads((trained / METRICS).read_text())
    gold = metrics["sources"]["gold"]
    assert gold["near_evaluation"] >= 10
    assert gold["train_prompts"] + gold["validation_prompts"] + gold["near_evaluation"] == 200
    assert metrics["validation"]["gold"]["apgr"] > 0.7
    assert metrics["votes"]["n"] > 0
    assert metrics["tiers"] == {"big": 0, "small": 1, "tiny": 2}
    card = (trained / CARD).read_text()
    assert "routellm train sw_ranking" in card
    assert "- gold: Made up." in card
    assert sorted(path.name for path in trained.iterdir()) == sorted(
        [CARD, CONFIG, METRICS, WEIGHTS]
    )


def test_the_command_writes_the_same_bytes(
    files: TrainingFiles, trained: Path, tmp_path: Path
) -> None:
    assert files.config is not None
    command = [
        *(sys.executable, "-c", "from routellm_core.cli import main; main()"),
        *("train", "sw_ranking", "--out", str(tmp_path), "--config", str(files.config)),
        *("--battles", str(files.battles[0]), "--gold", str(files.gold[0])),
        *("--decontaminate", str(files.decontaminate[0])),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "gold: APGR" in done.stderr
    for name in (WEIGHTS, CONFIG, METRICS, CARD):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


def test_votes_alone_and_gold_alone_do(files: TrainingFiles, tmp_path: Path) -> None:
    config = SWRankingConfig(strong_model="big", weak_model="small", validation_share=0.2)
    votes = train_sw_ranking(TrainingFiles(battles=files.battles), tmp_path / "votes", config)
    assert votes["validation"] == {}
    gold = train_sw_ranking(TrainingFiles(gold=files.gold), tmp_path / "gold", config)
    assert gold["votes"] is None
    for name in ("votes", "gold"):
        loaded = SWRankingRouter.from_pretrained(str(tmp_path / name))
        assert 0 < loaded.score(["What is 2 + 2?"])[0] < 1


def test_vectors_stay_in_the_file(router: SWRankingRouter) -> None:
    vectors: Any = router._vectors
    while vectors.base is not None and not isinstance(vectors, np.memmap):
        vectors = vectors.base
    assert isinstance(vectors, np.memmap)


def test_quantiles_are_those_of_usual_traffic(router: SWRankingRouter, trained: Path) -> None:
    quantiles = router.score_quantiles
    assert quantiles is not None
    assert (np.diff(quantiles) >= 0).all()
    options = {"checkpoint": str(trained)}
    policy = RoutingPolicy("sw_ranking", strong_share=0.3, router_options=options)
    assert quantiles[0] < policy.threshold < quantiles[-1]


def test_sources_of_gold_are_brought_to_the_level_of_traffic() -> None:
    config = SWRankingConfig(strong_model="s", weak_model="w", traffic="votes")
    votes = [Battle(f"v{i}", "s", "w", float(i < 3)) for i in range(4)]
    hard = [Gold(f"h{i}", "t", {"s": 1.0, "w": 0.0}) for i in range(8)]
    hard += [Gold("tie", "t", {"s": 1.0, "w": 1.0})]
    comparisons = compare_models({"votes": votes}, {"hard": hard}, config)
    battles = battles_of(comparisons, config)
    source = comparisons.source[comparisons.prompt]
    for number in (0, 1):
        own = source == number
        share = np.average(battles.p_first[own], weights=battles.weight[own])
        assert share == pytest.approx(0.75, abs=1e-6)
        assert battles.weight[own].sum() == pytest.approx(len(source))


def test_traffic_without_the_pair_is_an_error(files: TrainingFiles, tmp_path: Path) -> None:
    config = SWRankingConfig(strong_model="other", weak_model="small", traffic="battles")
    gold = tmp_path / "gold.jsonl"
    row = {"prompt": "p", "task": "t", "correct": {"other": 1, "small": 0}}
    gold.write_text("".join(json.dumps({**row, "prompt": f"p{i}"}) + "\n" for i in range(30)))
    with pytest.raises(ConfigError, match="'battles', which has no battle of 'other'"):
        train_sw_ranking(TrainingFiles(files.battles, [gold]), tmp_path / "out", config)


def test_nothing_to_learn_from_is_an_error(config: SWRankingConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        train_sw_ranking(TrainingFiles(), tmp_path, config)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gama: 3", "unknown key 'gama': did you mean 'gamma'"),
        ("sources: {a: {level: own}}", "unknown key 'sources.a.level'"),
        ("gamma: 1", "'gamma' is 1"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_config(path, SWRankingConfig)


def test_few_battles_are_instant_and_many_are_not(router: SWRankingRouter) -> None:
    assert router.instant
    assert not load_router("sw_ranking").instant


def test_the_bundled_checkpoint_is_small_and_has_a_card() -> None:
    files = list((BUNDLED / "sw_ranking").iterdir())
    assert sum(file.stat().st_size for file in files) < 8_000_000
    assert "## Rebuild" in (BUNDLED / "sw_ranking" / CARD).read_text()


def test_the_bundled_checkpoint_is_the_default() -> None:
    policy = RoutingPolicy("sw_ranking", strong_share=0.3)
    assert policy.decide("Why is the sky blue?").cause == "score"
    other = load_router("sw_ranking", strong_model="claude-1", weak_model="dolly-v2-12b")
    assert other.score(["hi"])[0] > load_router("sw_ranking").score(["hi"])[0]


def test_its_copy_takes_the_same_bytes_in_the_same_order() -> None:
    """A checkpoint out of order would be copied into memory."""
    router = SWRankingRouter.from_pretrained()
    assert not router._vectors.flags.owndata


def test_a_change_of_anything_changes_the_fingerprint(folder: Path, trained: Path) -> None:
    config = json.loads((folder / CONFIG).read_text())
    config["gamma"] = 51
    (folder / CONFIG).write_text(json.dumps(config))
    routers = [
        SWRankingRouter.from_pretrained(str(trained)),
        SWRankingRouter.from_pretrained(str(trained), weak_model="tiny"),
        SWRankingRouter.from_pretrained(str(folder)),
    ]
    assert len({router.fingerprint for router in routers}) == 3
    assert routers[0].fingerprint == SWRankingRouter.from_pretrained(str(trained)).fingerprint


def test_scoring_imports_nothing_heavy() -> None:
    code = (
        "import sys; from routellm_core import load_router;"
        "load_router('sw_ranking').score(['hi']);"
        "assert not {'torch', 'pandas', 'transformers', 'yaml', 'openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def _released(folder: Path, dim: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = ["gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1", "llama-2-70b-chat"]
    rows = [
        {"model_a": names[i % 3], "model_b": names[(i + 1) % 3], "winner": winner}
        for i, winner in enumerate(rng.choice(["model_a", "model_b", "tie"], 60))
    ]
    (folder / "battles.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(folder / "battle_embeddings.npy", rng.normal(size=(60, dim)).astype(np.float32))
    return folder


def test_the_data_of_the_original_release_load(tmp_path: Path) -> None:
    router = SWRankingRouter.from_pretrained(str(_released(tmp_path / "released", 1536)))
    assert not router.instant
    assert router.score_quantiles is None
    assert 0 < router.score_embeddings(np.ones((1, 1536)))[0] < 1


def test_embeddings_of_another_encoder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a row of openai:text-embedding-3-small"):
        SWRankingRouter.from_pretrained(str(_released(tmp_path / "released", 384)))


def test_pickled_embeddings_are_not_read(tmp_path: Path) -> None:
    folder = _released(tmp_path / "released", 1536)
    np.save(folder / "battle_embeddings.npy", np.array([{"a": 1}] * 60), allow_pickle=True)
    with pytest.raises(CheckpointError, match=r"battle_embeddings\.npy cannot be read"):
        SWRankingRouter.from_pretrained(str(folder))
