"""`routellm data check` on files that a user could have."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import called, routellm

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))

EXAM = [
    {
        "prompt": f"{word} of a {place}, in general?\nA. one\nB. two\nC. three\nD. four",
        "task": "maths",
        "correct": {"big": 0, "small": number % 2},
    }
    for number, (word, place) in enumerate(
        (word, place)
        for word in ("weight", "use", "height", "cost", "age", "name")
        for place in ("hill", "tree", "house", "ship")
    )
]
FAILURE = (
    "format failure: model 'big' on task 'maths': right on 0 % of 24 prompts where guessing gives "
    "25 % and the median of the others is 50 %: left out of training unless the configuration "
    "has 'keep_format_failures: true'"
)


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return str(path)


def test_the_table_and_the_findings_are_printed(tmp_path):
    done = routellm("data", "check", written(tmp_path / "exam.jsonl", EXAM))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "exam.jsonl: 24 rows, 24 prompts" in done.stdout
    (cell,) = [line for line in done.stdout.splitlines() if line.startswith("│ maths │ big ")]
    assert [word.strip() for word in cell.split("│")[1:-1]] == [
        "maths", "big", "24", "0.00", "0.25", "0.50", "format failure",
    ]  # fmt: skip
    assert f"- {FAILURE}" in done.stdout.splitlines()


def test_json_holds_cells_findings_and_failures(tmp_path):
    done = called("data", "check", "--json", written(tmp_path / "exam.jsonl.gz", EXAM))
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["findings"] == []
    (file,) = found["files"]
    assert file["file"] == str(tmp_path / "exam.jsonl.gz")
    assert (file["rows"], file["prompts"]) == (24, 24)
    assert file["cells"][1] == {
        "task": "maths",
        "model": "big",
        "n": 24,
        "mean": 0.0,
        "chance": 0.25,
        "others": 0.5,
        "finding": "format failure",
    }
    assert file["findings"][0] == FAILURE
    assert file["format_failures"] == [["maths", "big"]]


def test_a_file_without_findings_says_so(tmp_path):
    rows = [{**row, "correct": {"big": i % 3 > 0, "small": i % 2}} for i, row in enumerate(EXAM)]
    done = called("data", "check", written(tmp_path / "exam.jsonl", rows))
    assert done.returncode == 0
    assert "- no findings" in done.stdout


def test_options_that_prompts_do_not_show_can_be_given(tmp_path):
    rows = [{**row, "prompt": row["prompt"].split("\n")[0]} for row in EXAM]
    path = written(tmp_path / "exam.jsonl", rows)
    assert "format failure" not in called("data", "check", path).stdout
    assert "format failure" in called("data", "check", path, "--options", "4").stdout


def test_battles_are_recognised(tmp_path):
    rows = [
        {"prompt": f"{row['prompt']}", "model_a": "big", "model_b": "small", "winner": "tie"}
        for row in EXAM
    ]
    done = called("data", "check", written(tmp_path / "votes.jsonl", rows))
    assert done.returncode == 0
    assert "- all ties: no battle has a winner: there is nothing to learn" in done.stdout
    assert "task" not in done.stdout.split("votes.jsonl")[1].split("│")[0]


def test_names_that_differ_by_case_between_files(tmp_path):
    gold = written(tmp_path / "gold.jsonl", EXAM)
    vote = {"prompt": "hello", "model_a": "Big", "model_b": "small", "winner": "model_a"}
    done = called("data", "check", gold, written(tmp_path / "votes.jsonl", [vote]))
    assert "- names: 'Big', 'big' differ only by case or spaces" in done.stdout


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path):
    wrong = written(tmp_path / "wrong.jsonl", [{**EXAM[0], "correct": {"big": 7}}])
    other = written(tmp_path / "other.jsonl", [{"question": "why?"}])
    good = written(tmp_path / "good.jsonl", EXAM)
    missing = str(tmp_path / "missing.jsonl")
    done = called("data", "check", wrong, missing, other, good)
    assert done.returncode == 2
    assert FAILURE in done.stdout
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0] == f"error: {wrong}, line 1: 'big' is 7: write a number in [0, 1]"
    assert lines[1].startswith(f"error: {missing} cannot be read (No such file or directory)")
    assert lines[2].startswith(f"error: {other}, line 1: 'prompt' is null")
    in_json = json.loads(called("data", "check", "--json", missing, good).stdout)
    assert [sorted(file)[:2] for file in in_json["files"]] == [
        ["cells", "file"],
        ["error", "file"],
    ]


def test_names_are_shown_as_they_are(tmp_path):
    rows = [
        {**row, "task": "[bold]\nmaths", "correct": {"[red]x": 0, "small": number % 2}}
        for number, row in enumerate(EXAM)
    ]
    done = called("data", "check", written(tmp_path / "exam.jsonl", rows))
    assert "model '[red]x' on task '[bold]\\nmaths'" in done.stdout
    assert "│ [red]x " in done.stdout


@pytest.mark.skipif(not DATA.is_dir(), reason="the real data is not here")
def test_real_labels_are_checked():
    path = DATA / "train" / "gold_mmlu_pro.jsonl.gz"
    (file,) = json.loads(called("data", "check", "--json", str(path)).stdout)["files"]
    assert file["format_failures"] == [["mmlu_pro/math", "Llama-2-7b-hf_5shots"]]
    assert (file["rows"], len(file["cells"])) == (5222, 271)
