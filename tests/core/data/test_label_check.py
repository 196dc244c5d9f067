"""The check of labels finds each fault that people's label files have."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from routellm_core.data.answer_options import count_options
from routellm_core.data.label_check import Report, alike_names, check_battles, check_gold
from routellm_core.data.labels import Battle, Gold

DATA = Path(os.environ.get("ROUTELLM_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
MMLU = DATA / "eval" / "routellm_evals" / "mmlu" / "responses"

TOPICS = ["tides", "taxes", "verbs", "ferns", "loans", "stars", "knots", "bread", "glass", "moths"]


def question(number: int, options: str = "\nA. 4\nB. 5\nC. 6\nD. 7") -> str:
    """Return a prompt unlike the others of its task."""
    words = [TOPICS[number // 10 % 10], TOPICS[number % 10], TOPICS[number * 7 % 10]]
    return f"which of these holds for {words[0]}, {words[1]} or, less often, {words[2]}?{options}"


def gold(
    n: int = 60, task: str = "exam", options: str = "\nA. 4\nB. 5\nC. 6\nD. 7", **right: float
) -> list[Gold]:
    """Return rows in which each model is right on a share of the prompts, spread over them."""
    return [
        Gold(
            question(number, options),
            task,
            {
                model: float(int((number + 1) * share) > int(number * share))
                for model, share in right.items()
            },
        )
        for number in range(n)
    ]


def kinds(report: Report) -> list[str]:
    return [line.split(":")[0] for line in report.findings]


def test_labels_without_fault_have_no_findings() -> None:
    report = check_gold(gold(big=0.8, small=0.5))
    assert report.findings == ()
    assert report.format_failures == set()
    assert (report.rows, report.prompts) == (60, 60)
    assert [(cell.task, cell.model, cell.n, cell.chance) for cell in report.cells] == [
        ("exam", "big", 60, 0.25),
        ("exam", "small", 60, 0.25),
    ]
    assert [cell.mean for cell in report.cells] == pytest.approx([0.8, 0.5], abs=0.02)
    assert report.cells[0].others == report.cells[1].mean


def test_verdicts_have_no_chance_to_be_below() -> None:
    shares = [0.0, 0.1, 0.0, 0.1]
    graded = gold(big=0.9, small=0.1)
    rows = [
        Gold(row.prompt, row.task, {"big": 1 - shares[i % 4], "small": shares[i % 4]})
        for i, row in enumerate(graded)
    ]
    report = check_gold(rows)
    assert (report.findings, report.format_failures) == ((), set())
    assert {cell.chance for cell in report.cells} == {None}
    report = check_gold([*rows, Gold("one more?", "exam", {"big": 1.0, "small": 1.0})])
    assert report.format_failures == {("exam", "small")}


@pytest.mark.parametrize(
    ("small", "finding"),
    [(0.0, "one class only: 'big' is better on every prompt"), (0.5, "all ties: no answer")],
)
def test_verdicts_that_are_all_the_same(small: float, finding: str) -> None:
    rows = [Gold(question(i), "exam", {"big": 1 - small, "small": small}) for i in range(60)]
    (line,) = check_gold(rows).findings
    assert line.startswith(finding)


@pytest.mark.parametrize("n", [20, 60, 400])
def test_a_model_far_below_chance_is_a_format_failure(n: int) -> None:
    rows = [*gold(n, big=0.0, small=0.5), *gold(n, task="open", options="", big=0.9, small=0.5)]
    report = check_gold(rows)
    assert report.format_failures == {("exam", "big")}
    assert "'big' on task 'exam': right on 0 % of" in report.findings[0]
    assert "guessing gives 25 % and the median of the others is 50 %" in report.findings[0]
    assert "left out of training unless" in report.findings[0]


def test_the_others_may_be_little_above_chance() -> None:
    report = check_gold(gold(100, big=0.02, small=0.28))
    assert report.format_failures == {("exam", "big")}


@pytest.mark.parametrize(
    ("right", "why"),
    [
        ({"big": 0.2, "small": 0.6}, "within the noise of guessing"),
        ({"big": 0.05, "small": 0.2}, "the other model is no better than chance"),
        ({"big": 0.3, "small": 0.9}, "above chance"),
    ],
)
def test_a_bad_model_is_no_format_failure(right: dict[str, float], why: str) -> None:
    assert check_gold(gold(60, **right)).format_failures == set(), why


def test_an_open_task_has_no_chance_unless_it_is_given() -> None:
    rows = gold(options="", big=0.05, small=0.6)
    assert check_gold(rows).cells[0].chance is None
    assert check_gold(rows).format_failures == set()
    assert check_gold(rows, options=4).format_failures == {("exam", "big")}


def test_few_labels_are_not_judged() -> None:
    report = check_gold(gold(19, big=0.0, small=0.9))
    assert report.format_failures == set()
    assert kinds(report) == ["few prompts"]


def test_copies_of_a_row_are_not_evidence() -> None:
    report = check_gold(gold(10, big=0.0, small=0.5) * 40)
    assert report.format_failures == set()
    assert kinds(report) == ["few prompts", "repeats"]
    assert (report.rows, report.prompts, report.cells[0].n) == (400, 10, 10)


@pytest.mark.parametrize(("share", "finding"), [(0.0, "all wrong"), (1.0, "all right")])
def test_a_model_is_all_right_or_all_wrong(share: float, finding: str) -> None:
    report = check_gold(gold(options="", big=share, small=0.5))
    assert kinds(report) == [finding]
    assert "'big' on task 'exam'" in report.findings[0]
    assert {cell.model: cell.finding for cell in report.cells} == {"big": finding, "small": ""}


def test_a_task_is_all_right_or_all_wrong() -> None:
    rows = [
        *gold(30, big=0.8, small=0.5),
        *gold(30, task="easy", options=" (easy)", big=1, small=1),
        *gold(30, task="odd", options=" (odd)", big=0, small=0),
    ]
    lines = check_gold(rows).findings
    assert [line.split(":")[0] for line in lines] == ["all right", "all wrong"]
    assert "every model on every prompt of task 'easy'" in lines[0]


def test_all_labels_are_the_same() -> None:
    rows = [*gold(30, big=1, small=1), *gold(30, task="other", options="", big=1, small=1)]
    report = check_gold(rows)
    assert report.findings == ("one class only: every quality is 1: there is nothing to learn",)


def test_models_with_equal_columns_are_named() -> None:
    report = check_gold(gold(big=0.8, copy=0.8, small=0.5))
    assert kinds(report) == ["equal columns"]
    assert "'big', 'copy' have the same quality on each of 60 prompts" in report.findings[0]


def test_a_prompt_with_labels_that_conflict() -> None:
    rows = gold(big=0.8, small=0.5)
    other_way = Gold(rows[0].prompt, "exam", {"big": 1 - rows[0].correct["big"]})
    report = check_gold([*rows, other_way])
    assert kinds(report) == ["conflicting repeats"]
    assert "labels of one model on 1 of 60 prompts, more than 0.5 apart on 1" in report.findings[0]
    assert kinds(check_gold([*rows, rows[0]])) == ["repeats"]


def test_models_may_have_rows_of_their_own() -> None:
    rows = [
        Gold(row.prompt, row.task, {model: quality})
        for row in gold(big=0.8, small=0.5)
        for model, quality in row.correct.items()
    ]
    report = check_gold(rows)
    assert kinds(report) == []
    assert [cell.n for cell in report.cells] == [60, 60]
    other = [Gold(f"{row.prompt} of {list(row.correct)}", row.task, row.correct) for row in rows]
    assert "no comparison" in kinds(check_gold(other))


def test_prompts_that_differ_only_in_case_or_spaces() -> None:
    rows = gold(options="", big=0.8, small=0.5)
    again = Gold(rows[0].prompt.upper().replace(" ", "  ") + " ", "exam", rows[0].correct)
    report = check_gold([*rows, again])
    assert kinds(report) == ["near-duplicates"]
    assert "1 of 61 prompts" in report.findings[0]


def test_prompts_from_one_template() -> None:
    filled_in = [
        Gold(f"Is {number} divisible by 7?\nAnswer:", "divisible", row.correct)
        for number, row in enumerate(gold(big=0.8, small=0.5))
    ]
    report = check_gold(filled_in)
    assert kinds(report) == ["template"]
    assert "task 'divisible': 60 of 60 prompts" in report.findings[0]


def test_prompts_with_the_same_long_instruction() -> None:
    instruction = "Say which of the two scenarios is clearly wrong by the standards of today.\n" * 3
    rows = [
        Gold(instruction + row.prompt, "scenarios", row.correct)
        for row in gold(options="", big=0.8, small=0.5)
    ]
    assert kinds(check_gold(rows)) == ["template"]


def test_names_that_differ_by_case() -> None:
    report = check_gold([*gold(30, **{"GPT-4": 0.8, "small": 0.5}), *gold(30, **{"gpt-4": 0.7})])
    assert any(line.startswith("names: 'GPT-4', 'gpt-4' differ only") for line in report.findings)
    assert alike_names(["a", "b", "c"]) == []


def test_a_source_with_one_model() -> None:
    report = check_gold(gold(big=0.8))
    assert report.findings == ("one model: only 'big' has labels: add those of other models",)
    assert report.cells[0].others is None


def battles(n: int = 60, p_a: tuple[float, ...] = (1.0, 0.0, 0.5)) -> list[Battle]:
    return [Battle(question(i, ""), "big", "small", p_a[i % len(p_a)]) for i in range(n)]


def test_battles_without_fault() -> None:
    report = check_battles(battles(p_a=(1.0, 0.5, 1.0, 0.0)))
    assert report.findings == ()
    assert [(cell.model, cell.n, cell.mean) for cell in report.cells] == [
        ("big", 60, 0.625),
        ("small", 60, 0.375),
    ]


@pytest.mark.parametrize(
    ("p_a", "finding"),
    [
        ((0.5,), "all ties: no battle has a winner"),
        ((1.0,), "one class only: model_a wins every battle"),
        ((0.0,), "one class only: model_b wins every battle"),
    ],
)
def test_battles_of_one_outcome(p_a: tuple[float, ...], finding: str) -> None:
    (line,) = check_battles(battles(p_a=p_a)).findings
    assert line.startswith(finding)


def test_a_battle_repeated_the_other_way_round() -> None:
    rows = battles()
    agrees = Battle(rows[0].prompt, "small", "big", 0.0)
    conflicts = Battle(rows[0].prompt, "small", "big", 1.0)
    other_pair = Battle(rows[0].prompt, "big", "third", 0.0)
    assert kinds(check_battles([*rows, agrees])) == ["repeats"]
    assert kinds(check_battles([*rows, conflicts])) == ["conflicting repeats"]
    assert kinds(check_battles([*rows, other_pair])) == []


def test_battles_of_names_that_differ_by_case_and_of_one_template() -> None:
    rows = [Battle(f"Translate {i} into French", "Big", "small", i % 2) for i in range(30)]
    rows.append(Battle("hello", "big", "small", 1.0))
    assert kinds(check_battles(rows)) == ["names", "template"]
    assert "all battles: 30 of 31 prompts" in check_battles(rows).findings[1]


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("2 + 2?\nA. 3\nB. 4\nC. 5\nD. 6\nAnswer:", 4),
        ("2 + 2?\nOptions:\n(A) 3\n(B) 4", 2),
        ("2 + 2? (A) 3 (B) 4 (C) 5", 3),
        ("Q\n" + "\n".join(f"{letter}) x" for letter in "ABCDEFGHIJ"), 10),
        ("选出正确的答案。\nA、甲\nB、乙\nC、丙", 3),
        ("选出正确的答案。（A）甲（B）乙（C）丙（D）丁", 4),
        ("选出答案。A:甲;B:乙;C:丙;D:丁", 4),
        ("Is it so? Answer with 'Yes' or 'No'.", 2),
        ("The sky is green. True/False?", 2),
        ("这样对吗？请回答“是”或“否”。", 2),
        ("Why is the sky blue?", 0),
        ("A: Hi!\nB: Hello, how are you?\nA: Fine. What comes next?", 0),
        ("Answer with a number, a list or True or False.", 0),
        ("Answer yes, no or maybe.", 0),
        ("", 0),
        ("\n" * 200_000 + "A", 0),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_options_are_counted_in_the_prompt(prompt: str, count: int) -> None:
    assert count_options(prompt) == count


@pytest.fixture(scope="module")
def mmlu() -> list[Gold]:
    if not MMLU.is_dir():
        pytest.skip("the published data is not here")
    rows = []
    for path in sorted(MMLU.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                prompt = row.pop("prompt")
                correct = {model: float(value == "True") for model, value in row.items()}
                rows.append(Gold(prompt, path.stem.removeprefix("mmlu_"), correct))
    return rows


def test_the_published_mmlu_file_has_one_format_failure(mmlu: list[Gold]) -> None:
    report = check_gold(mmlu)
    assert report.format_failures == {("high_school_mathematics", "gpt-4-1106-preview")}
    assert kinds(report) == ["format failure", "conflicting repeats"]


def test_the_file_of_high_school_mathematics_has_nothing_else(mmlu: list[Gold]) -> None:
    report = check_gold(row for row in mmlu if row.task == "high_school_mathematics")
    assert kinds(report) == ["format failure"]
    assert "'gpt-4-1106-preview'" in report.findings[0]
    assert "right on 3 % of 270 prompts" in report.findings[0]
