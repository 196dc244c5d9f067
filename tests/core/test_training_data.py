"""Reading battles and gold, splitting them, leaving out copies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from routellm_core.encoders.base import Encoder
from routellm_core.errors import ConfigError, DataError
from routellm_core.training.battles import (
    Battle,
    Gold,
    is_validation,
    read_battles,
    read_gold,
    source_name,
)
from routellm_core.training.comparisons import compare_models
from routellm_core.training.decontaminate import contaminated
from routellm_core.training.mf_config import MFConfig

BATTLE = {"prompt": "p", "model_a": "a", "model_b": "b"}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_battles_take_winners_and_probabilities(tmp_path: Path) -> None:
    path = _file(
        tmp_path / "b.jsonl",
        {**BATTLE, "winner": "model_b", "more": 1},
        {**BATTLE, "winner": "tie"},
        {**BATTLE, "p_a": 0.25},
    )
    assert [battle.p_a for battle in read_battles(path)] == [0.0, 0.5, 0.25]


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl.gz"
    row = {"prompt": "p", "task": "t", "correct": {"a": 1, "b": 0.5}}
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n\n")
    assert read_gold(path) == [Gold("p", "t", {"a": 1.0, "b": 0.5})]
    assert source_name(path) == "gold"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**BATTLE, "winner": "c"}, "'winner' is 'c': write model_a, model_b or tie"),
        ({**BATTLE}, "'winner' is None"),
        ({**BATTLE, "p_a": 1.5}, "'p_a' is 1.5: write a number in"),
        ({**BATTLE, "p_a": float("nan")}, "'p_a' is nan"),
        ({**BATTLE, "prompt": ""}, "'prompt' is ''"),
        ({**BATTLE, "model_b": "a", "winner": "tie"}, "compared with itself"),
        ([1], "no object"),
    ],
)
def test_a_bad_battle_is_named(tmp_path: Path, row: Any, message: str) -> None:
    path = _file(tmp_path / "b.jsonl", {**BATTLE, "winner": "tie"}, row)
    with pytest.raises(DataError, match=message) as error:
        read_battles(path)
    assert f"{path}, line 2" in str(error.value)


@pytest.mark.parametrize("correct", [None, {}, {"a": 2}, {"a": "yes"}, [1]])
def test_bad_gold_is_named(tmp_path: Path, correct: Any) -> None:
    path = _file(tmp_path / "g.jsonl", {"prompt": "p", "task": "t", "correct": correct})
    with pytest.raises(DataError, match="line 1"):
        read_gold(path)


def test_files_that_are_no_json_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    with pytest.raises(DataError, match="cannot be read"):
        read_battles(path)
    path.write_text("{not json}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        read_battles(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="UTF-8"):
        read_battles(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        read_battles(path)
    torn = tmp_path / "b.jsonl.gz"
    torn.write_bytes(gzip.compress(json.dumps({**BATTLE, "p_a": 1}).encode())[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        read_battles(torn)


def test_the_split_depends_on_the_prompt_alone() -> None:
    prompts = [f"prompt {i}" for i in range(5000)]
    held_out = [is_validation(prompt, 0.1) for prompt in prompts]
    assert held_out == [is_validation(prompt, 0.1) for prompt in prompts]
    assert 0.08 < np.mean(held_out) < 0.12
    wider = [is_validation(prompt, 0.2) for prompt in prompts]
    assert all(b for a, b in zip(held_out, wider, strict=True) if a)
    is_validation("\ud800", 0.1)


class _Planes(Encoder):
    """Reads a prompt as the angle of a vector, in degrees; other prompts as nothing."""

    dim = 2
    fingerprint = "planes"

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        angles = [np.deg2rad(float(p)) if p.isdecimal() else np.nan for p in prompts]
        return np.nan_to_num(np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)


def test_copies_and_near_copies_are_contaminated() -> None:
    prompts = ["10", "28", "29", "unread", "unread too"]
    vectors = _Planes().encode(prompts)
    found = contaminated(prompts, vectors, ["10", "unread"], _Planes())
    assert found.tolist() == [True, True, False, True, False]
    assert not contaminated(prompts, vectors, [], _Planes()).any()


def _config(**settings: Any) -> MFConfig:
    return MFConfig(strong_model="s", weak_model="w", **settings)


def test_gold_compares_tiers_and_averages_them() -> None:
    config = _config(models={"w": ["w2"]})
    gold = {"g": [Gold("p", "t", {"s": 1.0, "w": 0.0, "w2": 1.0, "other": 0.3})]}
    comparisons = compare_models({}, gold, config)
    assert comparisons.models == ["s", "w"]
    assert comparisons.p_first.tolist() == [0.75]
    assert (comparisons.strong[0], comparisons.weak[0]) == (1.0, 0.5)


def test_the_right_answer_stands_in_for_a_strong_model_that_is_missing() -> None:
    config = _config(models={"s": ["right answer"]})
    gold = {"g": [Gold("p", "t", {"w": 0.5}), Gold("q", "t", {"s": 0.0, "w": 0.5})]}
    assert compare_models({}, gold, config).p_first.tolist() == [0.75, 0.25]


def test_only_keeps_comparisons_of_the_prompts_kept() -> None:
    battles = {"b": [Battle("p", "s", "w", 1.0), Battle("q", "w", "s", 0.5)]}
    kept = compare_models(battles, {}, _config()).only(np.array([False, True]))
    assert kept.prompts == ["q"]
    assert kept.prompt.tolist() == [0]
    assert kept.p_first.tolist() == [0.5]


def test_what_does_not_fit_the_configuration_is_an_error() -> None:
    battles = {"battles": [Battle("p", "s", "w", 1.0)]}
    with pytest.raises(ConfigError, match="did you mean 'battles'"):
        compare_models(battles, {}, _config(sources={"battle": {}}))
    with pytest.raises(ConfigError, match="'x' does not occur"):
        compare_models(battles, {}, MFConfig(strong_model="x", weak_model="w"))
    with pytest.raises(ConfigError, match="it has a, b"):
        compare_models(battles, {"g": [Gold("p", "t", {"a": 1, "b": 0})]}, _config())
