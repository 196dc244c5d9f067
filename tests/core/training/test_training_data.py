"""Reading battles and gold, splitting them, leaving out copies."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from routellm_core.contracts import Encoder
from routellm_core.data.labels import (
    Battle,
    Gold,
    read_battles,
    read_gold,
    read_prompts,
    source_name,
    split_position,
)
from routellm_core.errors import ConfigError, DataError, MissingExtraError
from routellm_core.training.finetune.config import FinetuneTrainingConfig
from routellm_core.training.finetune.targets import targets_of
from routellm_core.training.mf.config import MFConfig
from routellm_core.training.shared.comparisons import compare_models
from routellm_core.training.shared.decontaminate import contaminated
from routellm_core.training.shared.files import TrainingFiles, read_files

BATTLE = {"prompt": "p", "model_a": "a", "model_b": "b"}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_battles_take_winners_and_probabilities(tmp_path: Path) -> None:
    path = _file(
        tmp_path / "b.jsonl",
        {**BATTLE, "winner": "model_b", "more": 1},
        {**BATTLE, "winner": "tie"},
        {**BATTLE, "winner": "tie (bothbad)"},
        {**BATTLE, "p_a": 0.25},
    )
    assert [battle.p_a for battle in read_battles(path)] == [0.0, 0.5, 0.5, 0.25]


def test_gzip_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl.gz"
    row = {"prompt": "p", "task": "t", "correct": {"a": 1, "b": 0.5}}
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n\n")
    assert read_gold(path) == [Gold("p", "t", {"a": 1.0, "b": 0.5})]
    assert source_name(path) == "gold"


def _parquet(path: Path, *rows: Any, **types: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pylist(list(rows))
    for name, kind in types.items():
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, pa.array([row[name] for row in rows], kind))
    pytest.importorskip("pyarrow.parquet").write_table(table, path)
    return path


def test_parquet_is_read_as_json_lines_are(tmp_path: Path) -> None:
    battles = [
        {**BATTLE, "winner": "model_b", "p_a": None},
        {**BATTLE, "winner": None, "p_a": 0.25, "more": [1]},
    ]
    gold = [{"prompt": "p", "task": "t", "correct": {"a": 1.0, "b": None}}]
    lines = _file(tmp_path / "b.jsonl", *battles), _file(tmp_path / "g.jsonl", *gold)
    tables = _parquet(tmp_path / "b.parquet", *battles), _parquet(tmp_path / "g.parquet", *gold)
    assert read_battles(tables[0]) == read_battles(lines[0])
    assert read_gold(tables[1]) == read_gold(lines[1]) == [Gold("p", "t", {"a": 1.0})]
    assert read_prompts(tables[0]) == ["p", "p"]
    assert source_name(tables[0]) == "b"


def test_correct_may_be_a_struct_or_a_map_in_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = [
        {"prompt": "p", "task": "t", "correct": {"a": 1.0}},
        {"prompt": "q", "task": "t", "correct": {"b": 0.5, "a": None}},
    ]
    expected = [Gold("p", "t", {"a": 1.0}), Gold("q", "t", {"b": 0.5})]
    kinds = {
        "struct": pa.struct([("a", pa.float64()), ("b", pa.float32())]),
        "map": pa.map_(pa.string(), pa.float64()),
    }
    for name, kind in kinds.items():
        assert read_gold(_parquet(tmp_path / name, *rows, correct=kind)) == expected


def test_csv_is_read_as_json_lines_are(tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    gold.write_text(
        'prompt,task,correct.gpt-4.1,correct.small\n"Two lines,\nand a comma",t,1,0.5\nq,t,True,\n'
    )
    as_json = tmp_path / "json.csv.gz"
    with gzip.open(as_json, "wt", encoding="utf-8") as file:
        file.write('\ufeffprompt,task,correct\r\nq,t,"{""gpt-4.1"": 1, ""small"": null}"\r\n')
    first = Gold("Two lines,\nand a comma", "t", {"gpt-4.1": 1.0, "small": 0.5})
    second = Gold("q", "t", {"gpt-4.1": 1.0})
    assert read_gold(gold) == [first, second]
    assert read_gold(as_json) == [second]
    battles = tmp_path / "b.csv"
    battles.write_text("prompt,model_a,model_b,winner,p_a\np,a,b,tie,\n1,a,b,,0.25\n")
    assert read_battles(battles) == [Battle("p", "a", "b", 0.5), Battle("1", "a", "b", 0.25)]
    battles.write_text("prompt,model_a,model_b,p_a\np,a,b,1\np,a,b,often\n")
    with pytest.raises(DataError, match=r"b\.csv, line 3: 'p_a' is 'often': write a number"):
        read_battles(battles)
    battles.write_text("prompt,model_a,model_b,p_a\nwell, p,a,b,1\n")
    with pytest.raises(DataError, match=r"b\.csv, line 2: more cells than columns: quote"):
        read_battles(battles)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**BATTLE, "winner": "modela"}, "'winner' is 'modela': write model_a, model_b or tie"),
        ({**BATTLE, "winner": ["model_a"]}, "'winner' is .*: write model_a"),
        ({**BATTLE, "winer": "tie"}, "'winner' is null: .*the row has .*'winer'"),
        ({**BATTLE, "p_a": 1.5}, "'p_a' is 1.5: write a number in"),
        ({**BATTLE, "p_a": -0.01}, "'p_a' is -0.01"),
        ({**BATTLE, "p_a": float("nan")}, "'p_a' is nan"),
        ({**BATTLE, "p_a": "0.5"}, "'p_a' is '0.5'"),
        ({**BATTLE, "p_a": 10**400}, "'p_a' is 1000"),
        ({**BATTLE, "prompt": "", "winner": "tie"}, "'prompt' is '': write a text"),
        ({**BATTLE, "prompt": " \n", "winner": "tie"}, "'prompt' is ' .*not blank"),
        ({**BATTLE, "prompt": ["p"], "winner": "tie"}, "'prompt' is .*write a text"),
        ({**BATTLE, "model_a": None, "winner": "tie"}, "'model_a' is null"),
        ({"question": "p"}, "'prompt' is null: .*the row has 'question'"),
        ({**BATTLE, "model_b": "a", "winner": "tie"}, "compared with itself"),
        ([1], "not a JSON object"),
        ("text", "not a JSON object"),
    ],
)
def test_a_bad_battle_is_named(tmp_path: Path, row: Any, message: str) -> None:
    path = _file(tmp_path / "b.jsonl", {**BATTLE, "winner": "tie"}, row)
    with pytest.raises(DataError, match=message) as error:
        read_battles(path)
    assert f"{path}, line 2" in str(error.value)


def test_a_file_of_the_other_kind_is_named(tmp_path: Path) -> None:
    battle = _file(tmp_path / "b.jsonl", {**BATTLE, "winner": "tie"})
    with pytest.raises(DataError, match=r"line 1: the row is a battle.*give the file as battles"):
        read_gold(battle)
    for row in ({"prompt": "p", "correct": {"a": 1}}, {"prompt": "p", "strong": 1, "weak": 0}):
        graded = _file(tmp_path / "g.jsonl", row)
        with pytest.raises(DataError, match=r"line 1: the row is a gold label.*file as gold"):
            read_battles(graded)


def test_a_file_given_twice_is_named(tmp_path: Path) -> None:
    path = _file(tmp_path / "b.jsonl", {**BATTLE, "winner": "tie"})
    with pytest.raises(DataError, match=r"b.jsonl is given twice: leave one out"):
        read_files(TrainingFiles([path, path]))


def test_a_bad_row_of_parquet_is_named(tmp_path: Path) -> None:
    rows = [{**BATTLE, "p_a": p_a} for p_a in (*[0.5] * 1500, 1.5)]
    path = _parquet(tmp_path / "b.parquet", *rows)
    with pytest.raises(DataError, match=r"b.parquet, row 1501: 'p_a' is 1.5"):
        read_battles(path)
    path = _parquet(tmp_path / "n.parquet", {"prompt": 7, "task": "t"})
    with pytest.raises(DataError, match=r"n.parquet, row 1: 'prompt' is 7: write a text"):
        read_gold(path)


@pytest.mark.parametrize(
    "correct", [None, {}, {"a": None}, {"a": 2}, {"a": "yes"}, {"a": float("nan")}, [1], "a"]
)
def test_bad_gold_is_named(tmp_path: Path, correct: Any) -> None:
    path = _file(tmp_path / "g.jsonl", {"prompt": "p", "task": "t", "correct": correct})
    with pytest.raises(DataError, match=r"line 1: '(correct|a)' (is|has).*(write|leave)"):
        read_gold(path)


PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
JSON = PLAIN | st.lists(PLAIN, max_size=2) | st.dictionaries(st.text(max_size=3), PLAIN, max_size=2)


# The first draw of text builds tables, which takes seconds on a busy machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    row=st.fixed_dictionaries(
        {},
        optional={
            "prompt": JSON | st.just("p"),
            "task": JSON | st.just("t"),
            "model_a": JSON | st.just("a"),
            "model_b": JSON | st.just("b"),
            "winner": JSON | st.sampled_from(["model_a", "tie"]),
            "p_a": JSON | st.floats(0, 1),
            "correct": JSON | st.dictionaries(st.text(min_size=1), st.floats(0, 1), max_size=2),
        },
    )
)
def test_any_row_is_read_within_range_or_named(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]
) -> None:
    path = _file(tmp_path_factory.getbasetemp() / "any.jsonl", row)
    for read in (read_battles, read_gold):
        try:
            (found,) = read(path)
        except DataError as error:
            where, _ = str(error).split(": ", 1)
            if where != f"{path}, line 1":
                raise
            continue
        qualities = [found.p_a] if isinstance(found, Battle) else found.correct.values()
        assert found.prompt.strip()
        assert qualities
        assert all(0 <= quality <= 1 for quality in qualities)


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    with pytest.raises(DataError, match="cannot be read"):
        read_battles(path)
    path.write_text("{not json}\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1"):
        read_battles(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(DataError, match="damaged UTF-16"):
        read_battles(path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="line 1: not UTF-8"):
        read_battles(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match="no rows"):
        read_battles(path)
    torn = tmp_path / "b.jsonl.gz"
    torn.write_bytes(gzip.compress(json.dumps({**BATTLE, "p_a": 1}).encode())[:-9])
    with pytest.raises(DataError, match="damaged gzip"):
        read_battles(torn)
    table = _parquet(tmp_path / "b.parquet", {**BATTLE, "p_a": 1.0})
    table.write_bytes(table.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"b.parquet.*damaged parquet .*write the file again"):
        read_battles(table)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _parquet(tmp_path / "b.parquet", {**BATTLE, "p_a": 1.0})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"b.parquet.*routellm-plugins\[parquet\]"):
        read_battles(path)


def test_two_files_of_one_name_are_an_error(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths.append(_file(tmp_path / folder / "votes.jsonl", {**BATTLE, "winner": "tie"}))
    with pytest.raises(DataError, match=r"both the source 'votes': rename one"):
        read_files(TrainingFiles(battles=paths))


def test_what_to_keep_out_may_be_tables_of_both_kinds(tmp_path: Path) -> None:
    battles = _file(tmp_path / "votes.jsonl", {**BATTLE, "winner": "tie"})
    lines = _file(tmp_path / "e.jsonl", {"prompt": "one"})
    table = _parquet(tmp_path / "e.parquet", {"prompt": "two"})
    rows = read_files(TrainingFiles(battles=[battles], decontaminate=[lines, table]))
    assert rows.evaluation == ["one", "two"]


def test_the_split_depends_on_the_prompt_alone() -> None:
    prompts = [f"prompt {i}" for i in range(5000)]
    positions = np.array([split_position(prompt) for prompt in prompts])
    assert positions.tolist() == [split_position(prompt) for prompt in prompts]
    assert 0.08 < (positions < 0.1).mean() < 0.12
    assert positions.min() >= 0
    assert positions.max() < 1
    split_position("\ud800")


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


class _Long(_Planes):
    """The same with vectors of another length."""

    fingerprint = "long"

    def __init__(self, length: float) -> None:
        self._length = length

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        return np.float32(self._length) * super().encode(prompts)


@pytest.mark.parametrize("length", [0.1, 20.0])
def test_near_copies_do_not_depend_on_the_length_of_vectors(length: float) -> None:
    """A cosine of .95 is 18 degrees, whatever the length."""
    prompts = ["10", "28", "29", "90", "unread"]
    encoder = _Long(length)
    found = contaminated(prompts, encoder.encode(prompts), ["10"], encoder)
    assert found.tolist() == [True, True, False, False, False]


def _config(**settings: Any) -> MFConfig:
    return MFConfig(strong_model="s", weak_model="w", **settings)


def test_gold_compares_tiers_and_averages_them() -> None:
    config = _config(models={"w": ["w2"]})
    gold = {"g": [Gold("p", "t", {"s": 1.0, "w": 0.0, "w2": 1.0, "other": 0.3})]}
    comparisons = compare_models({}, gold, config)
    assert comparisons.models == ["s", "w"]
    assert comparisons.p_first.tolist() == [0.75]
    assert (comparisons.strong[0], comparisons.weak[0]) == (1.0, 0.5)


def test_gold_that_is_repeated_counts_as_its_mean() -> None:
    """In what mf learns, in what bert learns, and where a router is validated."""
    rows = [(0.0, 1.0), (1.0, 0.0), (1.0, 0.0), (1.0, 0.0)]
    gold = {"g": [Gold("p", "t", {"s": strong, "w": weak}) for strong, weak in rows]}
    comparisons = compare_models({}, gold, _config())
    assert comparisons.p_first.tolist() == [0.75]
    assert (comparisons.strong[0], comparisons.weak[0]) == (0.75, 0.25)
    learned = targets_of(comparisons, FinetuneTrainingConfig(strong_model="s", weak_model="w"))
    assert learned.probabilities.tolist() == [[0.5, 0.5, 0.0]]


def test_the_right_answer_stands_in_for_a_strong_model_that_is_missing() -> None:
    config = _config(models={"s": ["right answer"]})
    gold = {"g": [Gold("p", "t", {"w": 0.5}), Gold("q", "t", {"s": 0.0, "w": 0.5})]}
    assert compare_models({}, gold, config).p_first.tolist() == [0.75, 0.25]


def test_repeats_of_a_gold_prompt_count_as_their_mean() -> None:
    rows = [Gold("p", "t", {"s": s, "w": 1 - s}) for s in (0.0, 1.0, 1.0, 1.0)]
    comparisons = compare_models({}, {"g": rows}, _config())
    assert comparisons.p_first.tolist() == [0.75]
    # Validation figures are made of these.
    assert (comparisons.strong.tolist(), comparisons.weak.tolist()) == ([0.75], [0.25])
    # The strong model is better by a half: what bert and causal_llm learn.
    targets = targets_of(comparisons, FinetuneTrainingConfig(strong_model="s", weak_model="w"))
    assert targets.probabilities.tolist() == [[0.5, 0.5, 0.0]]


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
