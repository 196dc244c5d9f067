"""Benchmarks from files: published ones and one's own, and what is said of wrong ones."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from routellm_core.data.logs.calls import Skipped
from routellm_core.errors import DataError
from routellm_core.evaluation.benchmarks.benchmark import (
    STRONG_MODEL,
    WEAK_MODEL,
    evaluation_prompts,
    load_benchmark,
    read_hashes,
)

HEADER = f"prompt,{WEAK_MODEL},{STRONG_MODEL}\n"


def _lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An evaluation folder as published, but small."""
    responses = tmp_path / "mmlu" / "responses"
    responses.mkdir(parents=True)
    rows = "a long question,False,True\nshort,True,True\nspoilt,True,False\nthird,1,1\n"
    (responses / "mmlu_law.csv").write_text(HEADER + rows, encoding="utf-8")
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "gsm8k_responses.csv").write_text(HEADER + "sum,False,1\n")
    (tmp_path / "mt_bench").mkdir()
    questions = [
        {"question_id": 81, "category": "writing", "turns": ["write", "rewrite"]},
        {"question_id": 82, "category": "maths", "turns": ["solve", "spoilt"]},
        {"question_id": 83, "category": "maths", "turns": ["prove", "disprove"]},
    ]
    (tmp_path / "mt_bench" / "question.jsonl").write_text(_lines(*questions))
    judged = [
        {"question_id": number, "model": model, "turn": turn, "score": score}
        for number in (81, 82, 83)
        for model, scores in ((STRONG_MODEL, (9, 8)), (WEAK_MODEL, (7, 2.5)))
        for turn, score in enumerate(scores, start=1)
    ]
    (tmp_path / "mt_bench" / "judgements.jsonl").write_text(_lines(*judged))
    for name in ("mmlu", "gsm8k", "mt_bench"):
        (tmp_path / name / "contaminated_prompts.jsonl").write_text(
            _lines({"eval_prompt": "spoilt"})
        )
    return tmp_path


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str | bytes], str]:
    """Write a benchmark of one's own; return its path."""

    def write(content: str | bytes) -> str:
        path = tmp_path / "own.jsonl"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def test_contaminated_and_excluded_prompts_are_left_out(folder: Path) -> None:
    mmlu = load_benchmark("mmlu", folder)
    assert mmlu.prompts == ["a long question", "short", "third"]
    assert mmlu.groups == ["law"] * 3
    assert (mmlu.strong.tolist(), mmlu.weak.tolist()) == ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0])
    short = hashlib.sha256(b"short").hexdigest()
    assert load_benchmark("mmlu", folder, exclude=[short]).prompts == ["a long question", "third"]
    everything = [
        hashlib.sha256(text).hexdigest() for text in (b"short", b"a long question", b"third")
    ]
    with pytest.raises(DataError, match="every prompt is excluded"):
        load_benchmark("mmlu", folder, exclude=everything)


def test_the_first_turn_of_mt_bench_stands_for_both(folder: Path) -> None:
    mt_bench = load_benchmark("mt-bench", folder)
    assert (mt_bench.prompts, mt_bench.groups) == (["write", "prove"], ["writing", "maths"])
    assert (mt_bench.strong.tolist(), mt_bench.weak.tolist()) == ([8.5, 8.5], [4.75, 4.75])


def test_every_prompt_is_kept_out_of_training(folder: Path) -> None:
    expected = ["a long question", "short", "spoilt", "third", "sum", "write", "solve", "prove"]
    assert list(evaluation_prompts(folder)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt,x\na,1\n", f"has no column '{WEAK_MODEL}'"),
        (HEADER + "a,True,True\nb,maybe,True\n", "row 2: .* is 'maybe'; write True"),
        (HEADER + "a,True\n", "row 1"),
        (HEADER + ",True,True\n", "row 1: the prompt is empty"),
        (HEADER + "a,nan,True\n", "row 1: .* is 'nan'"),
        (HEADER + "a,True,True\n", "the strong model is no better .* no gap"),
        (HEADER + "a,True,False\n", "swapped"),
        (HEADER, "holds no queries"),
        ("", f"has no column '{'prompt'}'"),
        (b"a\nb\xff\n", "line 2: not UTF-8 .*: convert"),
    ],
)
def test_a_wrong_published_file_is_named(folder: Path, text: str | bytes, message: str) -> None:
    path = folder / "mmlu" / "responses" / "mmlu_law.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(DataError, match=message) as error:
        load_benchmark("mmlu", folder)
    assert "mmlu" in str(error.value)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("question.jsonl", '"turns": ["write", "rewrite"]', '"turns": "write"', "line 1: 'turns'"),
        ("question.jsonl", '"turns"', '"turn"', "line 1: no 'turns'"),
        ("judgements.jsonl", '"score": 2.5', '"score": -1', "line 4: 'score' is -1"),
        ("judgements.jsonl", '"score": 9', '"score": "good"', "line 1: 'score' is 'good'"),
        (
            "judgements.jsonl",
            '"turn": 2',
            '"turn": 1',
            "line 2: turn 1 of question 81 occurs twice",
        ),
        (
            "judgements.jsonl",
            '"model": "gpt-4',
            '"model": "gpt-5',
            r"has turns \[\] of question 81",
        ),
        ("contaminated_prompts.jsonl", "eval_prompt", "prompt", "line 1: no 'eval_prompt'"),
        ("contaminated_prompts.jsonl", '"', "'", "line 1: not JSON"),
    ],
)
def test_a_wrong_file_of_mt_bench_is_named(
    folder: Path, file: str, old: str, new: str, message: str
) -> None:
    path = folder / "mt_bench" / file
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message) as error:
        load_benchmark("mt-bench", folder)
    assert "mt_bench" in str(error.value)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"did you mean 'mmlu'\?, or give a \.jsonl file"):
        load_benchmark("mmul", folder)
    with pytest.raises(DataError, match="as --data"):
        load_benchmark("gsm8k")
    (folder / "gsm8k" / "gsm8k_responses.csv").unlink()
    with pytest.raises(DataError, match=r"gsm8k_responses\.csv cannot be read .*routellm/evals"):
        load_benchmark("gsm8k", folder)
    hashes = tmp_path / "hashes.json"
    for content in ('{"a": 1}', "[1]", "[", json.dumps(["z" * 64])):
        hashes.write_text(content)
        with pytest.raises(DataError, match=r"hashes\.json"):
            read_hashes(hashes)


def test_a_benchmark_of_ones_own(own: Callable[[str], str]) -> None:
    rows = [
        {"prompt": "a", "strong": 0.9, "weak": 0.4, "strong_cost": 3, "weak_cost": 0, "note": "x"},
        {"prompt": "b", "strong": True, "weak": False, "strong_cost": 1, "weak_cost": 0.5},
    ]
    benchmark = load_benchmark(own("\ufeff" + _lines(*rows) + "\n"))
    assert (benchmark.name, benchmark.prompts) == ("own", ["a", "b"])
    assert (benchmark.strong.tolist(), benchmark.weak.tolist()) == ([0.9, 1.0], [0.4, 0.0])
    assert benchmark.costs is not None
    assert [costs.tolist() for costs in benchmark.costs] == [[3.0, 1.0], [0.0, 0.5]]
    assert benchmark.units.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("file", "name"), [(b"mmlu.jsonl", "mmlu.jsonl"), (b"caf\xe9.jsonl", "caf\ufffd")]
)
def test_a_file_is_not_called_like_a_published_benchmark(
    tmp_path: Path, file: bytes, name: str
) -> None:
    path = tmp_path / os.fsdecode(file)
    try:
        path.write_text(_lines(*({"prompt": p, "strong": 1, "weak": 0} for p in "ab")))
    except OSError:
        pytest.skip("no such file names here")
    assert load_benchmark(str(path)).name == name


def test_rows_of_a_group_are_one_unit(own: Callable[[str], str]) -> None:
    groups = ["x", None, 7, "x", "7"]
    prompts = ["a", "b", "c", "d", "e"]
    rows = [
        {"prompt": prompt, "strong": 1, "weak": 0, "group": group}
        for prompt, group in zip(prompts, groups, strict=True)
    ]
    assert load_benchmark(own(_lines(*rows))).units.tolist() == [0, 1, 2, 0, 2]


GOOD = '{"prompt": "a", "strong": 1, "weak": 0}\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no queries"),
        (GOOD, "own.* has a single query"),
        (
            '{"prompt": "a", "strong": 1, "weak": 0, "group": "x"}\n'
            '{"prompt": "b", "strong": 1, "weak": 0, "group": "x"}',
            "a single group",
        ),
        (GOOD + '{"prompt": "b", "strong": 1}', "line 2: no 'weak': write the quality"),
        (GOOD + '{"prompt": "b", "strong": "1", "weak": 0}', "line 2: 'strong' is '1': write"),
        (GOOD + '{"prompt": "b", "strong": NaN, "weak": 0}', "line 2: 'strong' is nan: write"),
        (GOOD + '{"prompt": "b", "strong": 1, "weak": -1e308}', "line 2: 'weak' is -1e\\+308"),
        (GOOD + '{"prompt": "b", "strong": 1, "weak": null}', "line 2: 'weak' is null: write"),
        (GOOD + '{"prompt": "b", "strong": 1' + 400 * "0" + ', "weak": 0}', "line 2: 'strong'"),
        (GOOD + '{"prompt": " ", "strong": 1, "weak": 0}', "line 2: 'prompt' is ' '"),
        (GOOD + '{"promt": "b", "strong": 1, "weak": 0}', "line 2: 'prompt' is null"),
        (GOOD + '{"prompt": "b"', "line 2: not JSON"),
        (GOOD + '["b", 1, 0]', "line 2: not a JSON object"),
        (b"\n\xe9", "line 2: not UTF-8"),
        ('{"prompt": "a", "strong": 1, "weak": 1}', "no gap to recover"),
        ('{"prompt": "a", "strong": 0, "weak": 1}', "swapped"),
        ('{"prompt": "a", "strong": 1, "weak": 0, "group": ""}', "line 1: 'group' is ''"),
        ('{"prompt": "a", "strong": 1, "weak": 0, "weak_cost": 1}', "line 1: no 'strong_cost'"),
        (
            '{"prompt": "a", "strong": 1, "weak": 0, "strong_cost": 1, "weak_cost": -1}',
            "line 1: 'weak_cost' is -1: write the cost",
        ),
        (
            GOOD + '{"prompt": "b", "strong": 1, "weak": 0, "strong_cost": 1, "weak_cost": 1}',
            "line 2: give .* in every line or in none; .*line 1 has none",
        ),
        (
            '{"prompt": "b", "strong": 1, "weak": 0, "strong_cost": 0, "weak_cost": 1}',
            "every 'strong_cost' is 0",
        ),
    ],
)
def test_a_wrong_file_of_ones_own_is_named(
    own: Callable[[str | bytes], str], content: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message) as error:
        load_benchmark(own(content))
    assert "own.jsonl" in str(error.value)


def test_rows_of_a_prompt_are_one_query_of_their_means(own: Callable[[str], str]) -> None:
    rows = [
        {"prompt": "a", "strong": 1, "weak": 0, "strong_cost": 3, "weak_cost": 1},
        {"prompt": "b", "strong": 0.5, "weak": 0, "strong_cost": 3, "weak_cost": 1},
        {"prompt": "a", "strong": 0, "weak": 0, "strong_cost": 5, "weak_cost": 0},
        {"prompt": "a", "strong": 1, "weak": 1, "strong_cost": 4, "weak_cost": 2},
    ]
    benchmark = load_benchmark(own(_lines(*rows)))
    assert (benchmark.prompts, benchmark.repeats) == (["a", "b"], 2)
    assert benchmark.strong.tolist() == pytest.approx([2 / 3, 0.5])
    assert benchmark.weak.tolist() == pytest.approx([1 / 3, 0])
    assert benchmark.better is not None
    # Of nine pairs of answers to a, four are won, one is lost and four are ties.
    assert benchmark.better.tolist() == pytest.approx([(4 + 4 / 2) / 9, 1])
    assert benchmark.costs is not None
    assert [costs.tolist() for costs in benchmark.costs] == [[4, 3], [1, 1]]
    assert benchmark.units.tolist() == [0, 1]


def test_models_may_have_rows_of_their_own(own: Callable[[str], str], tmp_path: Path) -> None:
    rows = [
        {"prompt": prompt, "correct": {model: quality}}
        for prompt, qualities in {"a": (1, 0), "b": (1, 1), "c": (0, None)}.items()
        for model, quality in zip(("big", "small"), qualities, strict=True)
        if quality is not None
    ]
    skipped = Skipped()
    benchmark = load_benchmark(own(_lines(*rows)), models=("big", "small"), skipped=skipped)
    assert (benchmark.prompts, benchmark.repeats) == (["a", "b"], 0)
    assert (benchmark.strong.tolist(), benchmark.weak.tolist()) == ([1, 1], [0, 1])
    (line,) = skipped.lines()
    assert line.startswith("skipped 1: not both models were measured (")
    assert line.endswith("line 5)")


def test_the_same_prompt_twice_needs_the_same_group(own: Callable[[str], str]) -> None:
    for groups in ("xy", ["x", None]):
        rows = [{"prompt": "a", "strong": 1, "weak": 0, "group": group} for group in groups]
        with pytest.raises(DataError, match=r"line 2: the same prompt .* in another 'group': give"):
            load_benchmark(own(_lines(*rows)))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").mkdir()
    with pytest.raises(DataError, match=r"x\.jsonl cannot be read \(Is a directory\)"):
        load_benchmark(str(tmp_path / "x.jsonl"))
    with pytest.raises(DataError, match="no benchmark"):
        load_benchmark(str(tmp_path))
