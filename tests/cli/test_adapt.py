"""`routellm adapt`: from labels to a deployable router, and a line that says whether to deploy."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from routellm_core import RoutingPolicy, load_router
from routellm_core.checkpoints.store import BUNDLED, WEIGHTS
from tests.cli.command import called

WORDS = ("river", "poem", "cat", "moon", "letter", "holiday", "garden", "soup")


def rows(n: int, *, hard: float, seed: int = 0, cost: bool = True) -> list[dict[str, object]]:
    """Return labels in which the weak model fails at most sums, a share ``hard`` of all prompts.

    The bundled router is of no use here: the sums are short and easy to its eyes.
    """
    rng = np.random.default_rng(seed)
    found: list[dict[str, object]] = []
    for number in range(n):
        is_sum = rng.random() < hard
        words = " ".join(rng.choice(WORDS, 6))
        prompt = f"{number} + {number * 7} = ?" if is_sum else f"Tell me about {words} {number}"
        weak = float(rng.random() > (0.8 if is_sum else 0.002))
        row: dict[str, object] = {"prompt": prompt, "strong": 1.0, "weak": weak}
        if cost:
            row |= {"strong_cost": 0.01, "weak_cost": 0.001}
        found.append(row)
    return found


def written(path: Path, labels: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in labels))
    return path


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("adapt")
    labels = written(folder / "labels.jsonl", rows(600, hard=0.4))
    done = called("adapt", "--labels", str(labels), "--from", "mf", "--out", str(folder / "mine"))
    assert done.returncode == 0, done.stderr
    return folder / "mine", done.stdout


def test_says_in_one_line_what_deploying_saves(deployed: tuple[Path, str]):
    _, out = deployed
    line = next(line for line in out.splitlines() if line.startswith("deploy"))
    assert line.startswith("deploy: saves ")
    assert line.endswith(" at a quality loss of at most .02 (95 %)")
    saved = int(line.split("saves ")[1].split(" %")[0])
    assert 40 <= saved <= 60  # 60 % of the prompts are not sums, and cost a tenth


def test_compares_with_the_router_it_started_from_length_and_the_mix(deployed: tuple[Path, str]):
    _, out = deployed
    for name in ("adapted", "mf, not adapted", "prompt length", "constant mix"):
        assert name in out


def test_the_folder_is_a_router_with_its_threshold(deployed: tuple[Path, str]):
    folder, _ = deployed
    policy = RoutingPolicy(
        "mf",
        router_options={"checkpoint": str(folder)},
        calibration=str(folder / "calibration.json"),
    )
    sums, chat = policy.decide_many(["917 + 3 = ?", "Tell me about soup cat moon poem cat cat"])
    assert (sums.tier, chat.tier) == ("strong", "weak")
    assert "0.02 below always strong" in (folder / "calibration.json").read_text()


def test_few_labels_keep_the_bundled_router(tmp_path: Path):
    labels = written(tmp_path / "labels.jsonl", rows(8, hard=0.4))
    done = called("adapt", "--labels", str(labels), "--out", str(tmp_path / "mine"))
    assert "not yet: about 192 more labels" in done.stdout
    own, bundled = load_router("mf", checkpoint=tmp_path / "mine"), load_router("mf")
    assert own.fingerprint == bundled.fingerprint
    assert (tmp_path / "mine" / WEIGHTS).stat().st_size == (BUNDLED / "mf" / WEIGHTS).stat().st_size


def test_few_labels_are_no_reason_to_doubt_the_pair_or_to_give_up(tmp_path: Path):
    labels = rows(50, hard=0.5)
    for row in labels:
        row["strong"], row["weak"] = 1, int(sum(map(ord, str(row["prompt"]))) % 3 > 0)
    few = written(tmp_path / "few.jsonl", [{**labels[0], "strong": 0, "weak": 1}])
    done = called("adapt", "--labels", str(few), "--out", str(tmp_path / "few"))
    assert "the strong model is no better" not in done.stderr
    some = written(tmp_path / "some.jsonl", labels)
    done = called("adapt", "--labels", str(some), "--out", str(tmp_path / "some"))
    assert "\nnot yet: about 150 more labels\n" in done.stdout


def test_rows_that_repeat_a_prompt_are_told(tmp_path: Path):
    labels = written(tmp_path / "labels.jsonl", rows(30, hard=0.5) * 2)
    done = called("adapt", "--labels", str(labels), "--out", str(tmp_path / "out"))
    assert "60 rows of labels.jsonl have 30 different prompts: each counts once" in done.stderr
    assert "30 labels, each judged" in done.stdout


def test_a_pair_the_wrong_way_round_is_not_to_be_set_up(tmp_path: Path):
    labels = [{**row, "strong": row["weak"], "weak": row["strong"]} for row in rows(300, hard=0.5)]
    out = tmp_path / "out"
    done = called(
        "adapt", "--labels", str(written(tmp_path / "l.jsonl", labels)), "--out", str(out)
    )
    assert "the weak model's answers are better by +." in done.stdout
    assert "no: the weak model's answers are the better ones" in done.stdout
    assert "set router_options" not in done.stdout


def test_a_name_in_other_letters_is_told_the_right_one(tmp_path: Path):
    labels = [
        {"prompt": row["prompt"], "correct": {"GPT-4o": row["strong"], "gpt-4o-mini": row["weak"]}}
        for row in rows(30, hard=0.5)
    ]
    done = called(
        *("adapt", "--labels", str(written(tmp_path / "l.jsonl", labels))),
        *("--out", str(tmp_path / "out"), "--strong-model", "gpt-4o"),
        *("--weak-model", "gpt-4o-mini"),
    )
    assert done.returncode == 2
    assert "has no labels of model 'gpt-4o': did you mean 'GPT-4o'?" in done.stderr


def test_shuffled_labels_are_no_reason_to_deploy(tmp_path: Path):
    labels = rows(400, hard=0.4)
    rng = np.random.default_rng(1)
    weak = rng.permutation([row["weak"] for row in labels])
    shuffled = [{**row, "weak": float(own)} for row, own in zip(labels, weak, strict=True)]
    path = written(tmp_path / "labels.jsonl", shuffled)
    done = called("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    assert done.returncode == 0
    assert "deploy:" not in done.stdout


def test_models_that_hardly_differ_are_said_to(tmp_path: Path):
    labels = [{**row, "weak": 1.0} for row in rows(400, hard=0.4)]
    labels[7]["weak"] = 0.0
    path = written(tmp_path / "labels.jsonl", labels)
    done = called("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    assert "no: these two models differ too little on your traffic" in done.stdout
    assert "the weak model alone loses at most .02 (95 %)" in done.stdout


def test_without_costs_it_tells_the_share(tmp_path: Path):
    labels = written(tmp_path / "labels.jsonl", rows(500, hard=0.4, cost=False))
    done = called("adapt", "--labels", str(labels), "--out", str(tmp_path / "mine"))
    assert "deploy: sends to the weak model " in done.stdout
    priced = called(
        *("adapt", "--labels", str(labels), "--out", str(tmp_path / "priced")),
        *("--strong-price", "10", "--weak-price", "1"),
    )
    assert "deploy: saves " in priced.stdout


def test_goes_on_from_an_adapted_router(deployed: tuple[Path, str], tmp_path: Path):
    folder, _ = deployed
    labels = written(tmp_path / "labels.jsonl", rows(100, hard=0.4, seed=3))
    done = called(
        *("adapt", "--labels", str(labels), "--from", str(folder), "--out", str(tmp_path / "next"))
    )
    assert done.returncode == 0, done.stderr
    router = load_router("mf", checkpoint=tmp_path / "next")
    sums, chat = router.score(["917 + 3 = ?", "Tell me about soup cat moon poem cat cat"])
    assert sums > chat


def test_takes_qualities_by_model(tmp_path: Path):
    labels = [
        {"prompt": row["prompt"], "correct": {"big": row["strong"], "small": row["weak"]}}
        for row in rows(60, hard=0.4)
    ]
    path = written(tmp_path / "labels.jsonl", labels)
    arguments = ("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    wrong = called(*arguments)
    assert wrong.returncode == 2
    assert "say which are the two with --strong-model and --weak-model" in wrong.stderr
    done = called(*arguments, "--strong-model", "big", "--weak-model", "small")
    assert done.returncode == 0
    config = json.loads((tmp_path / "mine" / "config.json").read_text())
    assert config["strong_model"] in ("big", "strong")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-quality-loss", "0"), "--max-quality-loss is 0"),
        (("--confidence", "1"), "--confidence is 1"),
        (("--strong-price", "2"), "give --strong-price and --weak-price"),
        (("--from", "bert"), "is not a checkpoint of mf"),
        (("--from", "nowhere"), "no checkpoint 'nowhere'"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, options: tuple[str, ...], message: str):
    labels = written(tmp_path / "labels.jsonl", rows(30, hard=0.4))
    done = called("adapt", "--labels", str(labels), "--out", str(tmp_path / "mine"), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "mine").exists()


def test_nothing_is_overwritten(tmp_path: Path):
    labels = written(tmp_path / "labels.jsonl", rows(30, hard=0.4))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept.txt").write_text("mine")
    done = called("adapt", "--labels", str(labels), "--out", str(tmp_path / "mine"))
    assert done.returncode == 2
    assert "exists and is not empty: name a new folder" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["kept.txt"]


@pytest.mark.parametrize("killed_at", ["README.md", "metrics.json", "calibration.json"])
def test_a_run_that_was_killed_while_it_wrote_may_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
):
    def write(path: Path, data: bytes) -> None:
        if path.name == killed_at:
            path.with_name(f"{killed_at}.partial").write_bytes(data[:9])
            raise OSError("as good as killed")
        path.write_bytes(data)

    out = tmp_path / "out"
    command = ("adapt", "--labels", str(written(tmp_path / "l.jsonl", rows(300, hard=0.5))))
    with monkeypatch.context() as patched:
        for module in ("traffic.adapt.adapt", "checkpoints.store"):
            patched.setattr(f"routellm_core.{module}.write_whole", write)
        with suppress(OSError):
            called(*command, "--out", str(out))
    assert f"{killed_at}.partial" in [path.name for path in out.iterdir()]
    (out / "mine.txt").write_text("mine")
    done = called(*command, "--out", str(out))
    assert "exists and is not empty: name a new folder" in done.stderr
    (out / "mine.txt").unlink()
    assert called(*command, "--out", str(out)).returncode == 0
    assert called(*command, "--out", str(tmp_path / "whole")).returncode == 0
    names = [sorted(path.name for path in each.iterdir()) for each in (out, tmp_path / "whole")]
    assert names[0] == names[1]


def test_a_broken_row_is_named_before_work_starts(tmp_path: Path):
    path = written(tmp_path / "labels.jsonl", rows(30, hard=0.4))
    with path.open("a") as file:
        file.write('{"prompt": "x", "strong": 2, "weak": 0}\n')
    done = called("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    assert done.returncode == 2
    assert "line 31: 'strong' is 2" in done.stderr
    assert not (tmp_path / "mine").exists()


def test_a_file_without_labels_is_said_to_have_none(tmp_path: Path):
    path = written(tmp_path / "labels.jsonl", [])
    done = called("adapt", "--labels", str(path), "--out", str(tmp_path / "mine"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {path} has no rows: write a row per prompt, like" in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert not (tmp_path / "mine").exists()


def test_labels_in_csv_give_what_those_in_json_give(tmp_path: Path):
    labels = rows(60, hard=0.4)
    csv = tmp_path / "labels.csv"
    head = list(labels[0])
    csv.write_text(
        "\n".join([",".join(head), *(",".join(str(row[name]) for name in head) for row in labels)])
    )
    verdicts = []
    for name, file in (("a", written(tmp_path / "labels.jsonl", labels)), ("b", csv)):
        done = called("adapt", "--labels", str(file), "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
        verdicts.append(done.stdout.replace(str(tmp_path / name), ""))
    assert verdicts[0] == verdicts[1]


def test_traffic_like_the_labels_has_not_drifted(tmp_path: Path):
    """What was meant is what the router deployed sends: each of the five that judge has a level of
    its own, and their scores together are unlike those of any.
    """
    rng = np.random.default_rng(1)

    def prompts(n: int) -> list[str]:
        return [" ".join(rng.choice(WORDS, rng.integers(3, 30))) for _ in range(n)]

    labels = [
        {"prompt": prompt, "strong": 1.0, "weak": float(rng.random() < 0.8)}
        for prompt in prompts(60)
    ]
    folder = tmp_path / "mine"
    rows = written(tmp_path / "labels.jsonl", labels)
    called("adapt", "--labels", str(rows), "--out", str(folder), "--max-quality-loss", "0.25")
    told = json.loads((folder / "metrics.json").read_text())["at_threshold"]["share"]["value"]
    policy = RoutingPolicy(
        "mf",
        router_options={"checkpoint": str(folder)},
        calibration=str(folder / "calibration.json"),
    )
    policy.decide_many(prompts(1200))
    status = policy.status()
    assert status.warning is None
    assert status.target_share == pytest.approx(1 - told)
