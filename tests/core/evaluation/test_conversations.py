"""The benchmark of conversations: its data, its figures, its command."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from routellm_core import Asked, DataError, RoutingPolicy
from routellm_core.evaluation.conversations import (
    RULES,
    Conversation,
    WrittenLabels,
    judge,
    load_conversations,
)
from tests.cli.command import called
from tests.fakes.scripted import routers_of

MOMENTUM, LAST = RULES["momentum (default)"], RULES["last turn (turns: 1)"]


def test_the_data_is_what_its_page_says():
    conversations = load_conversations()
    assert len(conversations) >= 60
    assert set(Counter(each.language for each in conversations)) == {"en", "de", "es", "zh"}
    assert len({each.name for each in conversations}) == len(conversations)
    for each in conversations:
        assert each.kinds[0] in ("hard", "easy")
        assert set(each.kinds) <= {"hard", "easy", "follow_up"}


@pytest.mark.parametrize("part", ["design", "test"])
def test_follow_ups_stay_and_new_questions_go(part):
    conversations = load_conversations(part=part)
    result = judge(MOMENTUM, WrittenLabels(conversations), 0.5, conversations, draws=100)
    assert result.follow_ups_kept.value >= 0.95
    assert result.easy_released.value >= 0.85
    assert result.questions_ratio.value <= 1.15
    assert result.turns_ratio.value <= 1.02 * result.least_ratio.value
    before = judge(LAST, WrittenLabels(conversations), 0.5, conversations, draws=100)
    assert (before.follow_ups_kept.value, before.turns_ratio.value) < (0.01, 1.0)


def test_figures_of_a_small_example():
    hard, easy = "Prove Fermat's last theorem.", "What is the capital of Peru?"
    kinds = ("hard", "follow_up", "easy", "follow_up")
    one = Conversation("a", "en", "test", (hard, "continue", easy, "ok"), kinds)
    result = judge(MOMENTUM, WrittenLabels([one]), 0.5, [one], draws=100)
    assert (result.follow_ups_kept.value, result.follow_ups_kept.count) == (1.0, 1)
    assert (result.hard_follow_ups.value, result.easy_released.value) == (1.0, 1.0)
    assert (result.questions_ratio.value, result.turns_ratio.value) == (1.0, 1.0)
    assert result.least_ratio.value == 1.0
    assert (result.follow_ups_kept.low, result.follow_ups_kept.high) == (1.0, 1.0)
    none = judge(LAST, WrittenLabels([]), 0.5, [one], draws=100)
    assert math.isnan(none.follow_ups_kept.value)
    assert math.isnan(none.turns_ratio.value)


def test_the_policy_decides_as_the_rule_does(plugin):
    conversations = load_conversations()
    router = WrittenLabels(conversations)
    plugin(routers_of(labels=lambda: router))
    policy = RoutingPolicy("labels", threshold=0.5)
    for each in conversations:
        for last in range(1, len(each.turns) + 1):
            turns = each.turns[:last]
            score = MOMENTUM(turns, lambda text: float(router.score([text])[0]))
            assert policy.decide(Asked(turns)).score == score


def test_a_wrong_file_is_named(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"id": "a"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"mine\.jsonl is not a file of conversations"):
        load_conversations(path)
    with pytest.raises(DataError, match="no conversations of part 'tset': use design or test"):
        load_conversations(part="tset")


def test_the_command_prints_a_table():
    evaluate = ("evaluate", "--router", "mf", "--draws", "100")
    done = called(*evaluate, "--benchmark", "conversations:test", "--strong-share", "0.3")
    assert done.returncode == 0
    assert "12 conversations, router: the written labels" in done.stdout
    assert all(rule.split()[0] in done.stdout for rule in RULES)
    assert "router: mf, strong_share 0.3: threshold" in done.stdout
    for options, message in (
        (("--benchmark", "conversations:tset"), "no conversations of part 'tset'"),
        (("--benchmark", "conversations", "--out", "out"), "conversations are only printed"),
        (("--benchmark", "mmlu", "--calibration", "x"), "goes with --benchmark conversations"),
    ):
        wrong = called(*evaluate, *options)
        assert (wrong.returncode, message in wrong.stderr) == (2, True)
