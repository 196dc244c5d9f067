"""`routellm label` with judges that are biased, refuse, fail, hang or run out of money."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("openai")

from tests.cli.command import called, started
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
    assert f"no label for {N}: the judge's reply has no verdict (replies: " in done.stderr
    assert "labels.jsonl.journal.jsonl)" in done.stderr
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


def test_nonsense_is_not_paid_for_to_the_end(upstream: JudgeUpstream, prompts: Path):
    prompts.write_text("".join(json.dumps({"prompt": f"easy {at}"}) + "\n" for at in range(60)))
    upstream.mood = "nonsense"
    done = label(upstream, prompts)
    assert done.returncode == 1
    assert "judge 'judge': 20 replies in a row had no verdict: read them in " in done.stderr
    assert "use another --judge-model, or edit --judge-prompt" in done.stderr
    assert 20 <= len(upstream.of(JUDGE)) <= 22  # with those in flight


def test_a_limit_of_the_rate_is_told_with_what_to_do(upstream: JudgeUpstream, prompts: Path):
    upstream.failing = {JUDGE: 429}
    done = label(upstream, prompts)
    assert (
        "HTTP 429 (the stand-in for judge fails on purpose), too many requests: "
        "lower --requests-per-minute or --workers" in done.stderr
    )


@contextmanager
def begun(upstream: JudgeUpstream, prompts: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run, and wait until the judge is asked."""
    with started(
        *("label", "--prompts", str(prompts), "--workers", "2", "--retries", "0"),
        *("--out", str(prompts.parent / "labels.jsonl"), "--base-url", upstream.url),
        *("--strong-model", BIG, "--weak-model", SMALL, "--judge-model", JUDGE),
    ) as process:
        deadline = time.monotonic() + 60
        while not upstream.of(JUDGE) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_what_is_in_flight(
    upstream: JudgeUpstream, prompts: Path, number: signal.Signals
):
    upstream.delay_s = 1.0
    with begun(upstream, prompts) as process:
        process.send_signal(number)
        process.send_signal(number)  # as `timeout` does; nothing was said yet
        said, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted: the calls in flight are awaited, and kept" in told
    assert "interrupted: run it again to continue" in told
    assert f"of {N} prompts labelled" in said
    upstream.delay_s, asked = 0.0, len(upstream.requests)
    assert label(upstream, prompts).returncode == 0
    assert len(labels(prompts)) == N
    assert len(upstream.requests) == 4 * N >= asked  # nothing was asked twice


def test_a_second_interrupt_waits_for_nothing(upstream: JudgeUpstream, prompts: Path):
    upstream.hanging = {JUDGE: 40.0}
    with begun(upstream, prompts) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "Ctrl-C again drops them" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "interrupted, and the calls in flight dropped: run it again to continue" in told
    assert f"0 of {N} prompts labelled" in said
    upstream.hanging = {}
    assert label(upstream, prompts).returncode == 0
    assert len(labels(prompts)) == N
    assert len(upstream.of(BIG)) == N  # answers that were there are kept


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_that_wakes_nobody_is_seen(upstream: JudgeUpstream, prompts: Path):
    """A signal that another thread receives, or that comes just before the main thread begins to
    wait, does not end its waiting.
    """
    judge = prompts.parent / "interrupting.py"
    judge.write_text(
        "import signal, sys, threading, time\n"
        "def quality(answer, row):\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "    for _ in range(600):\n"
        "        if 'Ctrl-C again' in sys.stderr.getvalue():\n"
        "            signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "            time.sleep(40)\n"
        "            break\n"
        "        time.sleep(0.05)\n"
    )
    before = time.monotonic()
    done = label(upstream, prompts, "--judge", f"{judge}:quality", "--workers", "1")
    assert time.monotonic() - before < 30
    assert done.returncode == 1
    assert "Ctrl-C again drops them" in done.stderr
    assert "interrupted, and the calls in flight dropped: run it again to continue" in done.stderr


def test_two_runs_do_not_pay_for_the_same_labels(upstream: JudgeUpstream, prompts: Path):
    upstream.delay_s = 1.0
    with begun(upstream, prompts) as process:
        done = label(upstream, prompts)
        assert done.returncode == 2
        assert f"another run writes to {prompts.parent}" in done.stderr
        assert "wait for its end, or name another file" in done.stderr
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    upstream.delay_s = 0.0
    assert label(upstream, prompts).returncode == 0
    assert len(upstream.requests) == 4 * N


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
    assert "run it again to continue" in done.stderr
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
