"""`routellm label`: from prompts to labels, through the real openai client."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("openai")

from tests.cli.command import called
from tests.fakes.judge_upstream import BIG, JUDGE, SMALL, JudgeUpstream

from .labelling import N, label, labels


def test_labels_pairwise_in_both_orders(upstream: JudgeUpstream, prompts: Path):
    done = label(upstream, prompts)
    assert done.returncode == 0, done.stderr
    assert f"{N} of {N} prompts labelled, cost unknown" in done.stdout
    rows = labels(prompts)
    assert [row["prompt"] for row in rows] == [
        json.loads(line)["prompt"] for line in prompts.read_text().splitlines()
    ]
    for row in rows:
        wanted = (1.0, 0.0) if "hard" in row["prompt"] else (0.5, 0.5)
        assert (row["strong"], row["weak"]) == wanted
        assert row["correct"] == {BIG: wanted[0], SMALL: wanted[1]}
    assert len(upstream.of(JUDGE)) == 2 * N
    assert "50.0 %" in done.stdout
    assert "on 0.0 % of 12 prompts the order decides" in done.stdout


def test_grades_the_weak_answer_beside_the_strong_one(upstream: JudgeUpstream, prompts: Path):
    done = label(upstream, prompts, "--judge", "graded", "--judge-model", JUDGE)
    assert done.returncode == 0, done.stderr
    assert {(row["strong"], row["weak"]) for row in labels(prompts)} == {(1.0, 0.0), (1.0, 1.0)}
    assert len(upstream.of(JUDGE)) == N


def test_exact_match_asks_no_judge(upstream: JudgeUpstream, prompts: Path):
    done = label(upstream, prompts, "--judge", "exact")
    assert done.returncode == 0, done.stderr
    for row in labels(prompts):
        assert (row["strong"], row["weak"]) == (1.0, float("easy" in row["prompt"]))
    assert upstream.of(JUDGE) == []


@pytest.mark.parametrize("answer", [None, "", " "])
def test_exact_match_needs_every_answer(upstream: JudgeUpstream, prompts: Path, answer: str | None):
    rows = [json.loads(line) for line in prompts.read_text().splitlines()]
    rows[3]["answer"] = answer
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = label(upstream, prompts, "--judge", "exact")
    assert done.returncode == 2
    assert "a prompt has no 'answer', which --judge exact compares with" in done.stderr
    assert upstream.of(BIG) == []


def test_adapt_and_train_take_the_labels(upstream: JudgeUpstream, prompts: Path, tmp_path: Path):
    label(upstream, prompts)
    out = str(tmp_path / "labels.jsonl")
    adapted = called("adapt", "--labels", out, "--out", str(tmp_path / "mine"))
    assert adapted.returncode == 0, adapted.stderr
    checked = called("data", "check", out)
    assert checked.returncode == 0
    assert "12 prompts" in checked.stdout


def test_costs_are_counted_and_kept_with_the_labels(upstream: JudgeUpstream, prompts: Path):
    prices = ("--strong-price", "1000,0", "--weak-price", "100,0", "--judge-price", "0,0")
    done = label(upstream, prompts, *prices)
    assert f"${N * 1.1:.4f} spent in all" in done.stdout
    assert {(row["strong_cost"], row["weak_cost"]) for row in labels(prompts)} == {(1.0, 0.1)}


def test_max_cost_ends_it_and_more_goes_on(upstream: JudgeUpstream, prompts: Path):
    prices = ("--strong-price", "1000,0", "--weak-price", "100,0", "--judge-price", "0,0")
    done = label(upstream, prompts, *prices, "--max-cost", "3")
    assert done.returncode == 1
    assert "of --max-cost 3 is spent: to continue, run it again with more" in done.stderr
    assert 3 <= len(upstream.of(BIG)) <= 5  # two prompts are in flight
    before = len(upstream.requests)
    done = label(upstream, prompts, *prices, "--max-cost", "100")
    assert done.returncode == 0, done.stderr
    assert len(labels(prompts)) == N
    assert len(upstream.of(BIG)) == len(upstream.of(SMALL)) == N  # nothing was asked twice
    assert len(upstream.requests) == 4 * N > before


def test_a_line_that_was_cut_off_is_asked_again(upstream: JudgeUpstream, prompts: Path):
    label(upstream, prompts)
    journal = prompts.parent / "labels.jsonl.journal.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data[:-20])
    asked = len(upstream.requests)
    done = label(upstream, prompts)
    assert done.returncode == 0, done.stderr
    assert len(upstream.requests) == asked + 1
    assert len(labels(prompts)) == N


def test_agreement_with_people(upstream: JudgeUpstream, prompts: Path, tmp_path: Path):
    human = tmp_path / "human.jsonl"
    rows = [json.loads(line) for line in prompts.read_text().splitlines()][:8]
    human.write_text(
        "".join(
            json.dumps({"prompt": row["prompt"], "strong": 1, "weak": int("easy" in row["prompt"])})
            + "\n"
            for row in rows
        )
    )
    done = label(upstream, prompts, "--check", str(human), "--budget", "9")
    assert done.returncode == 0, done.stderr
    assert "agreement with people on 8 prompts: 100.0 %, Cohen's kappa 1.000 [" in done.stdout
    assert len(labels(prompts)) == 9


def test_a_budget_meets_all_kinds_of_prompts(upstream: JudgeUpstream, tmp_path: Path):
    kinds = ("How do I cook soup number", "Prove the theorem of set number", "Write SQL for table")
    path = tmp_path / "prompts.jsonl"
    rows = [{"prompt": f"{kinds[number % 3]} {number}?"} for number in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = label(upstream, path, "--budget", "6")
    assert done.returncode == 0, done.stderr
    met = [next(kind for kind in kinds if kind in row["prompt"]) for row in labels(path)]
    assert sorted(met.count(kind) for kind in kinds) == [2, 2, 2]


def test_reads_chat_logs_and_tells_what_it_leaves_out(upstream: JudgeUpstream, tmp_path: Path):
    path = tmp_path / "logs.jsonl"
    asked = {"role": "user", "content": "easy one"}
    more = [asked, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}]
    path.write_text(
        json.dumps({"messages": [asked]}) + "\n" + json.dumps({"messages": more}) + "\n"
    )
    done = label(upstream, path)
    assert "skipped 1: a follow-up" in done.stderr
    assert "1 of 1 prompts labelled" in done.stdout
    assert "1 follow-ups are left out: what these labels say is of first turns alone" in done.stdout
    assert [row["prompt"] for row in labels(path)] == ["easy one"]


def test_what_no_threshold_decides_or_nobody_can_ask_again_is_left_out(
    upstream: JudgeUpstream, tmp_path: Path
):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    parts = [{"type": "text", "text": "hard: what is it?"}, picture]
    rows = [
        {"messages": [{"role": "user", "content": "easy one"}]},
        {"system": "You are a title generator.", "messages": [{"role": "user", "content": "hard"}]},
        {"messages": [{"role": "user", "content": parts}]},
        {"prompt": "easy one"},
        {"prompt": "easy one"},
    ]
    path = tmp_path / "logs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = label(upstream, path)
    assert done.returncode == 0, done.stderr
    assert "skipped 1: a side call, such as a title or a summary, which no thresh" in done.stderr
    assert "skipped 1: a prompt with images or files, which are not asked" in done.stderr
    assert "skipped 2: a prompt that another row has: each is labelled once" in done.stderr
    assert [row["prompt"] for row in labels(path)] == ["easy one"]
    assert len(upstream.of(BIG)) == 1


@pytest.mark.parametrize("form", ["a log", "an export of the store", "a request of Anthropic's"])
def test_a_system_prompt_is_part_of_what_is_asked(
    upstream: JudgeUpstream, tmp_path: Path, form: str
):
    path = tmp_path / "logs.jsonl"

    def write(said: str) -> None:
        if form == "a request of Anthropic's":
            blocks = [{"type": "text", "text": f"{said}\n\nBe brief."}]
            asked = {"system": blocks, "messages": [{"role": "user", "content": "easy one"}]}
            path.write_text(json.dumps(asked) + "\n")
            return
        system = [
            {"role": "system", "content": said},
            {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        ]
        asked = {"messages": [*system, {"role": "user", "content": "easy one"}]}
        beside = {"prompt": "easy one"} if form == "an export of the store" else {}
        path.write_text(json.dumps({**beside, **asked}) + "\n")

    write("Answer in French.")
    assert label(upstream, path).returncode == 0
    for model in (BIG, SMALL):
        (request,) = upstream.of(model)
        assert request["messages"] == [
            {"role": "system", "content": "Answer in French.\n\nBe brief."},
            {"role": "user", "content": "easy one"},
        ]
    for request in upstream.of(JUDGE):
        (message,) = request["messages"]
        assert "System prompt:\nAnswer in French.\n\nBe brief." in message["content"]
        assert "Message of the user:\neasy one\n</request>" in message["content"]
    assert [row["prompt"] for row in labels(path)] == ["easy one"]
    assert label(upstream, path).returncode == 0
    assert len(upstream.requests) == 4  # all of it is kept
    write("Answer in German.")
    assert label(upstream, path).returncode == 0
    assert len(upstream.requests) == 8


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--judge", "pairwise"), "--judge pairwise needs --judge-model"),
        (("--judge", "pair", "--judge-model", "j"), "did you mean 'pairwise'?"),
        (("--max-cost", "1"), "--max-cost needs the price of 'big': give --strong-price"),
        (("--strong-price", "cheap"), "a price is 'cheap'"),
        (
            ("--strong-price", "0.0000025,0.00001", "--max-cost", "5"),
            "a price is '0.0000025,0.00001', which is dollars for one token: write those for a "
            "million, 2.5,10",
        ),
        (("--judge-prompt", "nowhere.txt"), "--judge-prompt nowhere.txt cannot be read"),
        (("--api-key-env", "NOBODYS_KEY"), "set NOBODYS_KEY"),
        (("--strong-model", "small"), "name two models"),
    ],
)
def test_mistakes_are_told_before_anything_is_asked(
    upstream: JudgeUpstream, prompts: Path, more: tuple[str, ...], message: str
):
    done = label(upstream, prompts, *more)
    assert done.returncode == 2
    assert message in done.stderr
    assert upstream.requests == []


def test_other_models_need_another_file(upstream: JudgeUpstream, prompts: Path):
    label(upstream, prompts)
    asked = len(upstream.requests)
    done = label(upstream, prompts, "--strong-model", "bigger")
    assert done.returncode == 2
    assert "was begun with other models" in done.stderr
    assert len(upstream.requests) == asked


def test_a_file_of_someone_else_is_not_overwritten(upstream: JudgeUpstream, prompts: Path):
    (prompts.parent / "labels.jsonl").write_text("mine\n")
    done = label(upstream, prompts)
    assert done.returncode == 2
    assert "exists and has no labels.jsonl.journal.jsonl" in done.stderr
    assert (prompts.parent / "labels.jsonl").read_text() == "mine\n"


def test_a_key_goes_only_where_it_is_meant_to(
    upstream: JudgeUpstream, prompts: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with JudgeUpstream() as local:
        done = label(upstream, prompts, "--weak-model", f"{SMALL}@{local.url}")
        assert done.returncode == 0, done.stderr
        assert len(local.of(SMALL)) == N
    assert upstream.of(SMALL) == []
    assert "secret" not in (prompts.parent / "labels.jsonl.journal.jsonl").read_text()


def exported(prompts: Path, weak: str = SMALL) -> None:
    """Write prompts with answers, as `routellm store export` does."""
    rows = [json.loads(line) for line in prompts.read_text().splitlines()]
    for number, row in enumerate(rows):
        said = "wrong" if "hard" in row["prompt"] else "right"
        row |= {
            "request_id": f"r{number}",
            "messages": [{"role": "user", "content": row["prompt"]}],
            "answers": {"strong": "right", "weak": said},
            "models": {"strong": BIG, "weak": weak},
            "costs": {"strong": 0.02, "weak": 0.001},
        }
    asked = {"role": "user", "content": "easy one"}
    later = [asked, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}]
    rows.append({**rows[0], "request_id": "later", "prompt": "go on", "messages": later})
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_answers_of_the_store_are_judged_and_not_asked_again(
    upstream: JudgeUpstream, prompts: Path, monkeypatch: pytest.MonkeyPatch
):
    exported(prompts)
    prices = ("--strong-price", "9,9", "--weak-price", "9,9", "--judge-price", "0,0")
    done = label(upstream, prompts, *prices)
    assert done.returncode == 0, done.stderr
    assert f"{N} answers of 'big' are in the file" in done.stderr
    assert "skipped 1: a follow-up" in done.stderr
    assert "$0.0000 spent" in done.stdout
    assert upstream.of(BIG) == upstream.of(SMALL) == []
    rows = labels(prompts)
    assert [row["request_id"] for row in rows] == [f"r{number}" for number in range(N)]
    for row in rows:
        assert row["strong"] == (1.0 if "hard" in row["prompt"] else 0.5)
        assert (row["strong_cost"], row["weak_cost"]) == (0.02, 0.001)
    assert label(upstream, prompts, *prices).returncode == 0
    assert len(upstream.of(JUDGE)) == 2 * N


def test_of_a_prompt_that_a_job_repeats_a_request_with_both_answers_is_judged(
    upstream: JudgeUpstream, tmp_path: Path
):
    row = {"prompt": "easy one", "models": {"strong": BIG, "weak": SMALL}}
    answers = ({"strong": "right"}, {"strong": "right", "weak": "right"}, {"weak": "right"})
    rows = [{**row, "request_id": f"r{at}", "answers": each} for at, each in enumerate(answers)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    done = label(upstream, path)
    assert done.returncode == 0, done.stderr
    assert [each["request_id"] for each in labels(path)] == ["r1"]
    assert upstream.of(SMALL) == []


def test_answers_without_a_cost_take_it_from_all_labels_and_that_is_told(
    upstream: JudgeUpstream, prompts: Path
):
    exported(prompts)
    rows = [json.loads(line) for line in prompts.read_text().splitlines()]
    rows[1]["costs"]["weak"] = None
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = label(upstream, prompts)
    assert done.returncode == 0, done.stderr
    assert f"the labels have no costs, since 1 of {2 * N} answers have none" in done.stderr
    assert not any("weak_cost" in row or "strong_cost" in row for row in labels(prompts))


def test_answers_of_another_model_are_asked_for(upstream: JudgeUpstream, prompts: Path):
    exported(prompts, weak="tiny")
    done = label(upstream, prompts)
    assert done.returncode == 0, done.stderr
    assert "the file has weak answers of 'tiny', and --weak-model is 'small'" in done.stderr
    assert "`routellm store export --route` leaves out those of other routes" in done.stderr
    assert (len(upstream.of(BIG)), len(upstream.of(SMALL))) == (0, N)
