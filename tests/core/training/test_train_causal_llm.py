"""Tuning causal_llm: from a base, with adapters, and from nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("accelerate")
pytest.importorskip("peft")

import torch
from safetensors.numpy import load_file

from routellm_core.checkpoints.store import CARD, CONFIG, DESCRIPTION, WEIGHTS
from routellm_core.errors import CheckpointError, ConfigError
from routellm_core.routers.causal_llm.prompt import CLASSIFIER, LABELS, SYSTEM
from routellm_core.routers.causal_llm.router import CausalLLMRouter
from routellm_core.training.causal_llm.config import CausalLLMConfig
from routellm_core.training.causal_llm.train import train_causal_llm
from routellm_core.training.finetune.state import STATE
from routellm_core.training.shared.card import METRICS
from routellm_core.training.shared.files import TrainingFiles
from tests.fakes import base_models
from tests.fakes.training_files import CHAT, SUM, outcomes_file, training_files
from tests.fakes.watched_training import Interrupted, Steps

FILES = [
    *(CARD, CONFIG, METRICS, WEIGHTS, SYSTEM, CLASSIFIER, "generation_config.json"),
    *(DESCRIPTION, "tokenizer.json", "tokenizer_config.json"),
]

SETTINGS: dict[str, Any] = {
    "strong_model": "big",
    "weak_model": "small",
    "validation_share": 0.2,
    "system": "Rate",
    "max_length": 64,
    "epochs": 5,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "precision": "fp32",
    "save_every": 7,
    "sources": {"battles": {"weight": 0.3}},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TrainingFiles:
    return training_files(tmp_path_factory.mktemp("data"), "")


@pytest.fixture(scope="module")
def based(tmp_path_factory: pytest.TempPathFactory) -> CausalLLMConfig:
    base = base_models.causal(tmp_path_factory.mktemp("bases") / "tiny-llama")
    return CausalLLMConfig(**SETTINGS, base=str(base))


@pytest.fixture(scope="module")
def from_nothing() -> CausalLLMConfig:
    sizes = {"vocabulary": 320, "hidden_size": 32, "layers": 2, "heads": 2}
    passes = {"pretrain_epochs": 2, "pretrain_learning_rate": 1e-2, "epochs": 8}
    return CausalLLMConfig(**{**SETTINGS, **sizes, **passes})


@pytest.fixture(scope="module")
def tuned(
    files: TrainingFiles, based: CausalLLMConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    train_causal_llm(files, folder, based)
    return folder


@pytest.fixture(scope="module")
def made(
    files: TrainingFiles, from_nothing: CausalLLMConfig, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("made")
    train_causal_llm(files, folder, from_nothing)
    return folder


def _learned(folder: Path) -> None:
    prompts = [
        "What is 9 + 63 times 3? moon cat river poem cat",
        "Tell me: 9 moon cat river poem cat",
    ]
    needed, not_needed = CausalLLMRouter.from_pretrained(str(folder)).score(prompts)
    assert needed > not_needed + 0.2
    assert json.loads((folder / METRICS).read_text())["validation"]["gold"]["apgr"] > 0.7


def test_it_learns_what_needs_the_strong_model(tuned: Path) -> None:
    _learned(tuned)


def test_it_writes_a_whole_checkpoint(tuned: Path, based: CausalLLMConfig) -> None:
    assert sorted(path.name for path in tuned.iterdir()) == sorted(FILES)
    assert {str(tensor.dtype) for tensor in load_file(tuned / WEIGHTS).values()} == {"float16"}
    card = (tuned / CARD).read_text()
    assert "| base | tiny-llama |" in card
    assert str(based.base) not in card + (tuned / DESCRIPTION).read_text()
    assert (tuned / SYSTEM).read_text() == "Rate"
    assert (tuned / CLASSIFIER).read_text() == "{question}"
    tokens = [
        token["content"]
        for token in json.loads((tuned / "tokenizer.json").read_text())["added_tokens"]
    ]
    assert set(LABELS) <= set(tokens)


def _prompt(first_words: str, number: int) -> str:
    """Return a prompt that is as long whatever its first words are."""
    words = np.random.default_rng(number).choice(["river", "poem", "cat", "moon"], 2 + number % 7)
    return f"{first_words} {' '.join(words)} {number:03}"


def test_adapters_are_merged_so_that_peft_is_not_needed(
    based: CausalLLMConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gold = tmp_path / "gold.jsonl"
    needed, not_needed = "What is", "Tell me"
    rows = [
        {"prompt": _prompt(words, i), "task": "t", "correct": {"big": 1.0, "small": small}}
        for i in range(100)
        for words, small in ((needed, 0.0), (not_needed, 1.0))
    ]
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows))
    adapted = based.model_copy(update={"lora_rank": 8, "sources": {}})
    out = tmp_path / "out"
    train_causal_llm(TrainingFiles(gold=[gold]), out, adapted)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert "| lora_rank | 8 |" in (out / CARD).read_text()
    for package in ("accelerate", "peft"):
        monkeypatch.setitem(sys.modules, package, None)
    router = CausalLLMRouter.from_pretrained(str(out))
    high, low = (
        router.score([_prompt(words, i) for i in range(500, 540)]).mean()
        for words in (needed, not_needed)
    )
    assert high > low + 0.4


def test_adapters_leave_the_rest_as_it_was(
    files: TrainingFiles, based: CausalLLMConfig, tmp_path: Path
) -> None:
    train_causal_llm(files, tmp_path, based.model_copy(update={"lora_rank": 2, "epochs": 0.2}))
    before = load_file(Path(str(based.base)) / WEIGHTS)
    after = load_file(tmp_path / WEIGHTS)
    words = len(before["lm_head.weight"])
    for name in ("model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"):
        rest = slice(None) if name == "model.norm.weight" else slice(words)
        assert (after[name][rest] == before[name].astype("float16")[rest]).all(), name
    assert len(after["lm_head.weight"]) == words + len(LABELS)


def test_from_nothing_it_learns_too(made: Path) -> None:
    _learned(made)
    card = (made / CARD).read_text()
    assert "trained from nothing" in card
    assert "--set" not in card


@pytest.mark.parametrize(("doing", "at"), [("pretrain", 8), ("tune", 20)])
def test_a_run_that_was_cut_off_ends_with_the_same_bytes(
    files: TrainingFiles,
    from_nothing: CausalLLMConfig,
    made: Path,
    tmp_path: Path,
    doing: str,
    at: int,
) -> None:
    stage = {"pretrain": "Pretraining", "tune": "Fine-tuning"}[doing]
    with pytest.raises(Interrupted):
        train_causal_llm(files, tmp_path, from_nothing, progress=Steps(stage=stage, at=at))
    assert (tmp_path / STATE / doing).exists()
    continued = Steps()
    train_causal_llm(files, tmp_path, from_nothing, progress=continued)
    assert continued.steps[0] == at - at % 7 + 1
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_a_run_on_other_settings_does_not_go_on(
    files: TrainingFiles, from_nothing: CausalLLMConfig, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        train_causal_llm(files, tmp_path, from_nothing, progress=Steps(at=1))
    with pytest.raises(ConfigError, match="other data or settings"):
        train_causal_llm(files, tmp_path, from_nothing.model_copy(update={"system": "Judge"}))


def test_the_score_is_how_likely_the_strong_model_wins(made: Path) -> None:
    """What is learned of the labels is what bert learns: strong wins, tie, weak wins."""
    rated = CausalLLMRouter.from_pretrained(str(made))._rater.rate([SUM])
    assert (rated[:, [1, 2, 4]] < 0.1).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hidden_size": 36, "heads": 4}, "a multiple of twice 'heads', 8"),
        ({"base": "nowhere"}, "no model 'nowhere' to start from"),
    ],
)
def test_what_cannot_be_made_is_an_error(
    files: TrainingFiles,
    from_nothing: CausalLLMConfig,
    tmp_path: Path,
    changed: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises((ConfigError, CheckpointError), match=message):
        train_causal_llm(files, tmp_path, from_nothing.model_copy(update=changed))


def test_a_text_without_a_place_for_the_prompt_is_an_error() -> None:
    with pytest.raises(ValueError, match="classifier"):
        CausalLLMConfig(classifier="Rate.")


def test_a_model_in_bfloat16_stays_so(
    files: TrainingFiles, based: CausalLLMConfig, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = tmp_path / "base"
    AutoTokenizer.from_pretrained(str(based.base)).save_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(str(based.base), dtype=torch.bfloat16)
    model.save_pretrained(base)
    short = based.model_copy(update={"base": str(base), "epochs": 0.5})
    train_causal_llm(files, tmp_path / "out", short)
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["dtype"] == "bfloat16"
    assert 0 <= CausalLLMRouter.from_pretrained(str(tmp_path / "out")).score([SUM])[0] <= 1


def test_it_learns_from_the_outcomes_of_many_models(
    from_nothing: CausalLLMConfig, tmp_path: Path
) -> None:
    """Its score is the win rate of the default pair, and what mf would say is taught as well."""
    files = TrainingFiles(gold=[outcomes_file(tmp_path)])
    settings = {"learn": "outcomes", "l2": 0.01, "teacher_weight": 1.0, "sources": {}}
    folder = tmp_path / "trained"
    train_causal_llm(files, folder, from_nothing.model_copy(update=settings))
    hard, easy = CausalLLMRouter.from_pretrained(str(folder)).score([SUM, CHAT])
    assert 0.8 > hard > easy + 0.02
    assert easy > 0.4
    card, metrics = (folder / CARD).read_text(), json.loads((folder / METRICS).read_text())
    assert "large +" in card
    assert metrics["abilities"]["large"] > metrics["abilities"]["small"]
    described = json.loads((folder / DESCRIPTION).read_text())
    assert (described["strong_model"], described["weak_model"]) == ("strong", "weak")


def test_the_texts_around_a_prompt_have_room_by_default() -> None:
    assert CausalLLMConfig().max_length == 512
