"""`routellm label` with a function of one's own as the judge."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("openai")

from tests.fakes.judge_upstream import JUDGE, JudgeUpstream

from .labelling import N, label, labels

QUALITY = """
def quality(answer, row):
    if row.get("broken"):
        raise KeyError("prompt")
    return answer.endswith(row["answer"].lower()) * row.get("worth", 1)
"""


def own_judge(prompts: Path, text: str = QUALITY) -> str:
    path = prompts.parent / "my_judge.py"
    path.write_text(text)
    return f"{path}:quality"


def test_a_function_of_ones_own_judges(upstream: JudgeUpstream, prompts: Path):
    done = label(upstream, prompts, "--judge", own_judge(prompts))
    assert done.returncode == 0, done.stderr
    for row in labels(prompts):
        assert (row["strong"], row["weak"]) == (1.0, float("easy" in row["prompt"]))
    assert upstream.of(JUDGE) == []


def test_a_module_of_this_folder_is_found(
    upstream: JudgeUpstream, prompts: Path, monkeypatch: pytest.MonkeyPatch
):
    own_judge(prompts)
    monkeypatch.chdir(prompts.parent)
    assert label(upstream, prompts, "--judge", "my_judge:quality").returncode == 0
    sys.modules.pop("my_judge")
    sys.path.remove(str(prompts.parent))


def test_where_the_function_fails_there_is_no_label_and_nothing_is_lost(
    upstream: JudgeUpstream, prompts: Path
):
    rows = [json.loads(line) for line in prompts.read_text().splitlines()]
    rows[1]["broken"], rows[2]["worth"] = True, 7
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judge = own_judge(prompts)
    done = label(upstream, prompts, "--judge", judge)
    assert done.returncode == 1
    assert f"no label for 1: --judge {judge}: it raised KeyError" in done.stderr
    assert f"no label for 1: --judge {judge}: it returned 7, not 0 to 1" in done.stderr
    assert len(labels(prompts)) == N - 2
    own_judge(prompts, "def quality(answer, row): return 0.5\n")
    assert label(upstream, prompts, "--judge", judge).returncode == 0
    assert {(row["strong"], row["weak"]) for row in labels(prompts)} == {(0.5, 0.5)}
    assert len(upstream.requests) == 2 * N  # no answer was paid for twice


def test_a_function_that_always_fails_ends_the_run(upstream: JudgeUpstream, prompts: Path):
    done = label(upstream, prompts, "--judge", own_judge(prompts, "def quality(): return 1\n"))
    assert done.returncode == 1
    assert "10 calls in a row failed, it raised TypeError: fix that" in done.stderr


@pytest.mark.parametrize("name", ["nowhere.py:quality", "no_such_module:quality", "json:no"])
def test_a_function_that_is_not_there_is_told_first(
    upstream: JudgeUpstream, prompts: Path, name: str
):
    done = label(upstream, prompts, "--judge", name)
    assert done.returncode == 2
    assert f"--judge {name} cannot be imported" in done.stderr
    assert upstream.requests == []
