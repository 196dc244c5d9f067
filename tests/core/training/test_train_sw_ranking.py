"""Making an sw_ranking router: its battles and votes, the bundled one, the released data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("yaml")

from routellm_core import RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, CARD, CONFIG
from routellm_core.data.labels import Battle, Gold
from routellm_core.errors import CheckpointError, ConfigError
from routellm_core.routers.sw_ranking import directions
from routellm_core.routers.sw_ranking.router import SWRankingRouter
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.comparisons import compare_models
from routellm_core.training.shared.config import read_config
from routellm_core.training.shared.files import TrainingFiles
from routellm_core.training.sw_ranking.battles import battles_of
from routellm_core.training.sw_ranking.config import SWRankingConfig
from routellm_core.training.sw_ranking.train import train_sw_ranking
from tests.fakes.training_files import SUM, training_files

SETTINGS = """
strong_model: big
weak_model: small
gamma: 50
validation_share: 0.2
traffic: battles
sources:
  gold: {weight: 2, about: Made up.}
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return training_files(tmp_path_factory.mktemp("data"), SETTINGS)


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


def test_it_measures_votes_and_ranks_the_models(trained: Path) -> None:
    metrics = json.loads((trained / METRICS).read_text())
    assert metrics["votes"]["n"] > 0
    assert metrics["tiers"] == {"big": 0, "small": 1, "tiny": 2}
    assert f"On {metrics['votes']['n']} votes held out" in (trained / CARD).read_text()


def test_a_wider_pair_has_higher_scores(trained: Path) -> None:
    router = load_router("sw_ranking", checkpoint=str(trained))
    wider = load_router("sw_ranking", checkpoint=str(trained), weak_model="tiny")
    assert wider.score(["hello 1"])[0] > router.score(["hello 1"])[0]


def test_without_votes_none_are_measured(
    files: TrainingFiles, config: SWRankingConfig, tmp_path: Path
) -> None:
    plain = config.model_copy(update={"traffic": None})
    assert train_sw_ranking(TrainingFiles(gold=files.gold), tmp_path, plain)["votes"] is None


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


def test_few_battles_are_instant_and_many_are_not(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SWRankingRouter.from_pretrained(str(trained)).instant
    monkeypatch.setattr(directions, "INSTANT_SIZE", 100)
    assert not SWRankingRouter.from_pretrained(str(trained)).instant


def test_the_bundled_checkpoint_is_small_and_has_a_card() -> None:
    files = list((BUNDLED / "sw_ranking").iterdir())
    assert sum(file.stat().st_size for file in files) < 1_300_000
    assert "## Rebuild" in (BUNDLED / "sw_ranking" / CARD).read_text()


def test_the_bundled_checkpoint_is_the_default() -> None:
    policy = RoutingPolicy("sw_ranking", strong_share=0.3)
    assert policy.decide("Why is the sky blue?").cause == "score"
    other = load_router(
        "sw_ranking", strong_model="gpt-4o-2024-05-13", weak_model="llama-2-7b-chat"
    )
    assert other.score([SUM])[0] > load_router("sw_ranking").score([SUM])[0]


def test_its_copy_takes_the_same_bytes_in_the_same_order() -> None:
    """The vectors of a checkpoint out of order would be copied once more."""
    router = SWRankingRouter.from_pretrained()
    assert not router._directions.vectors.flags.owndata


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
