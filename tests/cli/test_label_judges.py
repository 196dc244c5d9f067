"""`routellm label` with judges that are biased, refuse, fail, hang or run out of money."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("openai")

from tests.cli.command import called
from tests.fakes.judge_upstream import BIG, JUDGE, SMALL, JudgeUpstream
from tests.fakes.refusing_judge import WAYS, RefusingJudge

from .labelling import N, label, labels


def test_a_judge_that_goes_by_position_is_told(upstream: JudgeUpstream, prompts: Path):
    upstream.mood = "first"
    done = label(upstream, prompts)
    assert done.returncode == 0
    assert "position: 100.0 %" in done.stdout
    assert "on 100.0 % of 12 prompts the order decides" in done.stdout
    assert "the judge goes by the order of the answers" in done.stderr
    assert {(row["strong"], row["weak"]) for row in labels(prompts)} == {(0.5, 0.5)}


def test_a_judge_that_talks_nonsense_labels_nothing(upstream: JudgeUpstream, prompts: Path):
    upstream.mood = "nonsense"
    done = label(upstream, prompts)
    assert done.returncode == 1
    assert f"0 of {N} prompts labelled" in done.stdout
    assert f"no label for {N}: the judge's reply has no verdict" in done.stderr
    assert labels(prompts) == []
    asked = len(upstream.requests)
    label(upstream, prompts)
    assert len(upstream.requests) == asked  # nobody pays twice for the same nonsense
    upstream.mood = "fair"
    edited = prompts.parent / "judge.txt"
    edited.write_text(called("label", "--print-judge-prompt").stdout + "Only that line.\n")
    done = label(upstream, prompts, "--judge-prompt", str(edited))
    assert len(labels(prompts)) == N
    assert len(upstream.of(BIG)) == N


@pytest.mark.parametrize("way", WAYS)
def test_a_judge_that_refuses_labels_nothing_and_is_not_asked_again(
    upstream: JudgeUpstream, prompts: Path, way: str
):
    with RefusingJudge(way) as refusing:
        done = label(upstream, prompts, "--judge-model", f"{JUDGE}@{refusing.url}")
        assert done.returncode == 1
        assert f"0 of {N} prompts labelled" in done.stdout
        assert f"no label for {N}: the judge refused" in done.stderr
        assert labels(prompts) == []
        asked = refusing.asked
        label(upstream, prompts, "--judge-model", f"{JUDGE}@{refusing.url}")
        assert refusing.asked == asked == N  # one refusal is enough, and is kept
    done = label(upstream, prompts, "--judge-model", "another-judge")
    assert done.returncode == 0, done.stderr
    assert len(labels(prompts)) == N
    assert len(upstream.of(BIG)) == len(upstream.of(SMALL)) == N  # no answer was asked for again


def test_an_outage_of_the_judge_loses_no_answer(upstream: JudgeUpstream, prompts: Path):
    upstream.failing = {JUDGE: 500}
    done = label(upstream, prompts)
    assert done.returncode == 1
    assert "judge 'judge': 10 calls in a row failed, HTTP 500" in done.stderr
    assert "run it again to go on" in done.stderr
    answered = len(upstream.of(BIG))
    upstream.failing = {}
    done = label(upstream, prompts)
    assert done.returncode == 0, done.stderr
    assert len(upstream.of(BIG)) == N >= answered


def test_out_of_money_ends_it_at_once(upstream: JudgeUpstream, prompts: Path):
    upstream.most = 13
    done = label(upstream, prompts)
    assert done.returncode == 1
    assert "out of money: HTTP 402" in done.stderr
    assert len(upstream.requests) <= 16
    upstream.most = None
    assert label(upstream, prompts).returncode == 0
    assert len(labels(prompts)) == N


def test_a_judge_that_hangs_is_told(upstream: JudgeUpstream, prompts: Path):
    upstream.delay_s = 1.0
    done = label(upstream, prompts, "--timeout", "0.1", "--workers", "12")
    assert done.returncode == 1
    assert "timed out after 0.1 s" in done.stderr
    upstream.delay_s = 0
    assert label(upstream, prompts).returncode == 0
    assert len(labels(prompts)) == N
