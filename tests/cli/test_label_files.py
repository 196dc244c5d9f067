"""Label files as people have them: one schema for training, checking and evaluating."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from routellm_core.data.labelled import read_labelled
from routellm_core.data.labels import read_gold
from routellm_core.data.logs.calls import Skipped
from routellm_core.evaluation.benchmarks.benchmark import load_benchmark
from tests.cli.command import called
from tests.cli.label_files import (
    NAMED,
    PAIR,
    ROWS,
    as_lines,
    by_model,
    own,
    trained,
)


@pytest.mark.parametrize(
    "name",
    [
        "own.jsonl",
        "flat.jsonl",
        "own.csv",
        "own.json",
        "lines.json",
        "flat.parquet",
        "text.parquet",
    ],
)
def test_one_file_is_checked_learned_and_evaluated(tmp_path: Path, name: str) -> None:
    path = own(tmp_path / name)
    assert "60 prompts" in called("data", "check", str(path)).stdout
    assert trained(path, *PAIR).returncode == 0
    judged = called(
        "evaluate", "--router", "mf", "--benchmark", str(path), *NAMED, "--draws", "100",
        "--no-cache",
    )  # fmt: skip
    assert judged.returncode == 0, judged.stderr
    assert f"{path.stem}, n = 60" in judged.stdout


@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("True", "False"), ("TRUE", "FALSE")])
def test_words_for_right_and_wrong_are_read_as_programs_write_them(
    tmp_path: Path, yes: str, no: str
) -> None:
    rows = [f"{row['prompt']},{yes if row['big'] else no},{row['small']}" for row in ROWS]
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["prompt,correct.big,correct.small", *rows]) + "\n")
    done = trained(path, *PAIR)
    assert done.returncode == 0, done.stderr
    assert (
        "fewer than 100 validation prompts are too few to judge by: `routellm cross-validate`"
        in done.stderr
    )


def test_rows_with_strong_and_weak_are_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [{"prompt": r["prompt"], "strong": r["big"], "weak": r["small"]} for r in ROWS]
    path.write_text(as_lines(rows))
    done = trained(path, "--set", "strong_model=strong", "--set", "weak_model=weak")
    assert done.returncode == 0, done.stderr


def test_who_names_no_models_is_told_how(tmp_path: Path) -> None:
    done = trained(own(tmp_path / "own.jsonl"))
    assert done.returncode == 2
    assert done.stderr.endswith(
        "error: source 'own' does not compare 'gpt-4-1106-preview' with "
        "'mixtral-8x7b-instruct-v0.1'; it has big, small: name two of them with --set "
        "strong_model=NAME --set weak_model=NAME or in the configuration, or say under 'models' "
        "there which of them count as the two\n"
    )


def test_rows_that_are_left_out_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [by_model(row) for row in ROWS]
    for row in rows[::3]:
        del row["correct"]["small"]
    path.write_text(as_lines(rows))
    said = "own: 20 of 60 prompts have no labels of both 'big' and 'small' and are left out"
    assert said in trained(path, *PAIR).stderr
    judged = called(
        "evaluate", "--router", "random", "--benchmark", str(path), *NAMED, "--draws", "100"
    )
    assert "skipped 20: not both models were measured" in judged.stderr
    assert "own, n = 40" in judged.stdout


def test_samples_of_a_prompt_count_as_their_mean(tmp_path: Path) -> None:
    """Judged, they are one query; APGR and its interval are those of the means."""
    four = [
        {
            "prompt": row["prompt"],
            "strong": int(at < 3 * row["big"]),
            "weak": int(at < row["small"]),
        }
        for row in ROWS
        for at in range(4)
    ]
    means = [
        {"prompt": row["prompt"], "strong": 0.75 * row["big"], "weak": 0.25 * row["small"]}
        for row in ROWS
    ]
    found = {}
    for name, rows in {"samples": four, "means": means}.items():
        (tmp_path / f"{name}.jsonl").write_text(as_lines(rows))
        done = called(
            "evaluate", "--router", "mf", "--benchmark", str(tmp_path / f"{name}.jsonl"),
            "--draws", "200", "--out", str(tmp_path / name),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        line = "samples: 180 labels repeat the prompt of another: each prompt counts once"
        assert (line in done.stderr) == (name == "samples")
        (benchmark,) = json.loads((tmp_path / name / "results.json").read_text())["benchmarks"]
        found[name] = benchmark["results"][0]
    assert found["samples"]["apgr"] == found["means"]["apgr"]
    assert found["samples"]["over"] == found["means"]["over"]
    # Of answers that are right or wrong, one is better as often as the means differ.
    reliability = found["samples"]["reliability"]
    outcome = np.array([(1 + row["strong"] - row["weak"]) / 2 for row in means])
    assert np.average(reliability["outcome"], weights=reliability["count"]) == pytest.approx(
        outcome.mean()
    )
    assert reliability["brier_of_mean"] == pytest.approx(outcome.var())


def test_models_may_have_rows_of_their_own(tmp_path: Path) -> None:
    """What is learned is what one row of all models would teach."""
    path = tmp_path / "own.jsonl"
    weights = []
    for rows in (
        [by_model(row) for row in ROWS],
        [
            {"prompt": row["prompt"], "correct": {name: row[name]}}
            for name in ("small", "big")
            for row in ROWS
        ],
    ):
        path.write_text(as_lines(rows))
        done = trained(path, *PAIR)
        assert done.returncode == 0, done.stderr
        assert "left out" not in done.stderr
        weights.append((tmp_path / "router" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_battles_are_no_labels_to_judge_on(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"prompt": "Why?", "model_a": "big", "model_b": "small", "winner": "tie"}')
    for command in (
        ("evaluate", "--router", "random", "--benchmark", str(path)),
        ("calibrate", "--labelled", str(path), "--strong-share", "0.3"),
    ):
        done = called(*command)
        assert done.returncode == 2
        said = "own.jsonl, line 1: a battle, which does not say how good the two answers are: write"
        assert said in done.stderr


@pytest.mark.parametrize(
    ("ending", "absent"),
    [*(("csv", word) for word in ("NaN", "nan", "NA", "null", "")), ("jsonl", "NaN")],
)
def test_what_programs_write_for_an_absent_label_is_one(
    tmp_path: Path, ending: str, absent: str
) -> None:
    path = tmp_path / f"own.{ending}"
    if ending == "csv":
        head = "prompt,correct.big,correct.small\n"
        path.write_text(head + f"Why?,1,0\nHow?,1,{absent}\nWho?,1,1\n")
    else:
        rows = [by_model({"prompt": f"{at}?", "big": 1, "small": at % 2}) for at in range(3)]
        path.write_text(as_lines(rows).replace('"small": 1', f'"small": {absent}'))
    assert [len(row.correct) for row in read_gold(path)] == [2, 1, 2]
    skipped = Skipped()
    assert len(load_benchmark(str(path), models=("big", "small"), skipped=skipped).prompts) == 2
    assert len(list(read_labelled(path, ("big", "small"), skipped))) == 2
    assert skipped.total == 2


@pytest.mark.parametrize("router", ["mf", "sw_ranking"])
def test_a_pair_the_wrong_way_round(tmp_path: Path, router: str) -> None:
    path = own(tmp_path / "own.jsonl")
    done = called(
        "train", router, "--gold", str(path), "--out", str(tmp_path / "router"),
        "--set", "strong_model=small", "--set", "weak_model=big",
    )  # fmt: skip
    assert done.returncode == 2
    assert "'big' wins more often than 'small' (a win rate of 0.725 over 60" in done.stderr
    assert done.stderr.endswith("swap strong_model and weak_model, or name other models\n")
    assert not (tmp_path / "router").exists()


def test_evaluate_is_told_the_models(tmp_path: Path) -> None:
    path = own(tmp_path / "own.jsonl")
    judge = ("evaluate", "--router", "mf", "--benchmark", str(path))
    unnamed = called(*judge)
    assert unnamed.returncode == 2
    assert "line 1: 'correct' has labels of big, small: say which are the two" in unnamed.stderr
    misspelt = called(*judge, "--strong-model", "bigg", "--weak-model", "small")
    assert misspelt.stderr.endswith("has no labels of model 'bigg': did you mean 'big'?\n")
    same = called(*judge, "--strong-model", "big", "--weak-model", "big")
    assert "--strong-model and --weak-model are both 'big': name two models" in same.stderr


def test_several_checkpoints_are_compared(tmp_path: Path) -> None:
    path = own(tmp_path / "own.jsonl")
    trained(path, *PAIR)
    router = f"mf={tmp_path / 'router'}"
    judge = ("evaluate", "--benchmark", str(path), *NAMED, "--draws", "100", "--no-cache")
    done = called(*judge, "--router", "mf", "--router", router, "--out", str(tmp_path / "results"))
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert "--router mf --router mf=router" in results["command"]
    assert "mf=router" in done.stdout
    also = called(
        *judge, "--router", "mf", "--checkpoint", str(tmp_path / "router"), "--checkpoint", "mf"
    )
    assert also.returncode == 0, also.stderr
    assert "mf=router" in also.stdout
    assert "mf=mf" in also.stdout
    twice = called(*judge, "--router", router, "--router", f"mf={tmp_path}/./router")
    assert "two routers are called 'mf=router': rename one of the folders" in twice.stderr
    both = called(*judge, "--router", router, "--checkpoint", "mf")
    assert "write NAME=FOLDER, and leave out --checkpoint" in both.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own.csv", "prompt;correct.big\na;1\n", "line 1: its columns are separated by ';'"),
        ("own.csv", "prompt\tcorrect.big\na\t1\n", r"line 1: its columns are separated by '\t'"),
        ("own.csv", "prompt,weak,weak\na,1,0\n", "line 1: two columns are called 'weak'"),
        ("own.csv", "prompt,correct,correct.big\na,x,1\n", "line 2: 'correct' is 'x'"),
        ("own.json", '[{"prompt": "a"}]', "row 1: 'correct' is null: write {model: quality"),
        ("own.json", '[\n {"prompt": "a"} b\n]', "line 2: not JSON ("),
        (
            "own.json",
            '[{"prompt": "a", "strong": 1, "weak": 0}, 7]',
            "row 2: not a JSON object but",
        ),
    ],
)
def test_other_forms_are_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)
    done = called("data", "check", str(tmp_path / name))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "l2: 1\nl2: 2\n",
            "c.yaml has the key 'l2' twice in the mapping that begins on line 1: keep one",
        ),
        ("sources: {a: {weight: 1, weight: 2}}", "c.yaml has the key 'weight' twice"),
        ("- l2\n", "c.yaml is not a mapping: write keys and values, like 'strong_model: big'"),
        ("a: [1\n", "c.yaml, line 2: not valid YAML (expected ',' or ']'"),
        ("l2: .inf\n", "c.yaml: 'l2' is inf: input should be a finite number"),
        ("embedding_scale: 1.0e+300\n", "'embedding_scale' is 1e+300: input should be less than"),
    ],
)
def test_wrong_configurations_are_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(content)
    done = trained(own(tmp_path / "own.jsonl"), "--config", str(tmp_path / "c.yaml"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_a_configuration_may_merge_keys(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "strong_model: big\nweak_model: small\n"
        "sources: {own: &own {weight: 2}, other: {<<: *own, about: x}}\n"
    )
    path = own(tmp_path / "own.jsonl")
    other = own(tmp_path / "other.jsonl")
    done = trained(path, "--gold", str(other), "--config", str(tmp_path / "c.yaml"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("router", ["mf", "sw_ranking"])
@pytest.mark.parametrize("learn", ["pair", "outcomes"])
def test_quick_routers_are_trained_without_torch(tmp_path: Path, router: str, learn: str) -> None:
    path, out = own(tmp_path / "own.jsonl"), tmp_path / "router"
    words = ["routellm", "train", router, "--gold", str(path), "--out", str(out), *PAIR]
    script = (
        "import sys; sys.modules |= dict.fromkeys(('torch', 'transformers', 'sklearn', 'scipy'))\n"
        f"sys.argv = {[*words, '--set', f'learn={learn}']!r}\n"
        "from routellm_plugins.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (out / "model.safetensors").is_file()


def test_candidates_share_settings(tmp_path: Path) -> None:
    path = own(tmp_path / "own.jsonl")
    done = called(
        "cross-validate", "mf", "sw_ranking", "--gold", str(path), *PAIR, "--folds", "2",
        "--draws", "100", "--out", str(tmp_path / "compared"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "compared" / "results.json").read_text())
    assert results["command"].endswith("--set strong_model=big --set weak_model=small")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--folds", "59"), "--folds is 59, which leaves a fold without any of the 60"),
        (("--by", "source"), "--by source: no prompt is left to train on while the only"),
        (("--by", "task", "--folds", "2"), "--by task needs gold of two tasks or more"),
    ],
)
def test_folds_that_cannot_be_dealt(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    path, out = own(tmp_path / "own.jsonl"), tmp_path / "compared"
    done = called("cross-validate", "mf", "--gold", str(path), *PAIR, "--out", str(out), *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert not out.exists()


def test_adapting_a_pair_the_wrong_way_round(tmp_path: Path) -> None:
    path, out = own(tmp_path / "own.jsonl"), str(tmp_path / "router")
    swapped = ("--strong-model", "small", "--weak-model", "big")
    done = called("adapt", "--labels", str(path), "--out", out, *swapped)
    assert "no: the weak model's answers are the better ones: check that the two" in done.stdout
