"""What is the human's in the messages of real clients, and what is the harness's."""

from __future__ import annotations

import sys
import time

import pytest

from routellm_core import RoutingPolicy, human_turns, scored_text
from routellm_core.prompt.patterns import EXTRACT, IGNORE, patterns_of
from routellm_core.prompt.reading import asked_in
from tests.fakes import routers
from tests.fakes.client_shapes import ASKS, HARD, REMINDER, RIGHT, UNTAGGED, settings_of

ANSWER = {"role": "assistant", "content": "Done."}


def user(content):
    return {"role": "user", "content": content}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("client", RIGHT)
def test_the_humans_words_are_scored(client, ask):
    turns = human_turns(RIGHT[client](ASKS[ask]))
    assert turns[-len(ASKS[ask]) :] == tuple(ASKS[ask])


@pytest.mark.parametrize("client", UNTAGGED)
def test_a_template_without_tags_is_scored_whole(client):
    shape, _ = UNTAGGED[client]
    assert scored_text(shape([HARD])) != HARD


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("client", UNTAGGED)
def test_its_ready_pattern_finds_the_humans_words(client, ask):
    shape, setting = UNTAGGED[client]
    turns = asked_in(shape(ASKS[ask]), settings_of(setting)).turns
    assert turns[-len(ASKS[ask]) :] == tuple(ASKS[ask])


@pytest.mark.parametrize("client", RIGHT)
def test_ready_patterns_leave_other_clients_alone(client):
    every = settings_of({"ignore": sorted(IGNORE), "extract": sorted(EXTRACT)})
    for asks in ASKS.values():
        messages = RIGHT[client](asks)
        assert asked_in(messages, every).turns == human_turns(messages)


@pytest.mark.parametrize("name", [*IGNORE, *EXTRACT])
def test_ready_patterns_take_linear_time(name):
    starts = (
        "Please solve this issue: ",
        "<pr_description>",
        "[[ ## question ## ]]\n",
        "\nCurrent Task: ",
        "I have *added these files to the chat*",
        "",
    )
    patterns = patterns_of((name,), ()) if name in IGNORE else patterns_of((), (name,))
    for start in starts:
        for part in ("\n\n", "</context>", "<user_query>", "</user_query>", " ", "[[ ## ", "a"):
            assert patterns is not None
            text = start + part * (100_000 // len(part)) + "x"
            begun = time.process_time()
            patterns.human(text)
            assert time.process_time() - begun < 2.0  # a quadratic one takes minutes


@pytest.mark.parametrize("client", [*RIGHT, *UNTAGGED])
def test_easy_asks_are_weak_and_hard_ones_strong_with_their_follow_ups(client, plugin):
    plugin(routers)
    shape, setting = UNTAGGED.get(client) or (RIGHT[client], {})
    # The router gives EASY .9 and HARD 1; FOLLOW_UP alone .8, and whatever is longer 1.
    policy = RoutingPolicy("length", threshold=0.95)
    went = [
        policy.decide(asked_in(shape(asks), settings_of(setting))).model for asks in ASKS.values()
    ]
    assert went == ["weak", "strong", "strong"]


def test_a_message_of_blocks_alone_passes_the_question_on():
    assert human_turns([user(HARD), ANSWER, user(REMINDER)]) == (HARD,)
    assert scored_text([user(REMINDER)]) is None


def test_a_short_remainder_takes_the_earlier_text():
    assert human_turns([user(HARD), ANSWER, user(REMINDER + "[interrupted]")]) == (HARD,)
    assert human_turns([user(REMINDER + "hello")]) == ("hello",)
    assert human_turns([user(HARD), ANSWER, user("go on")]) == (HARD, "go on")
    chinese = "证明根号二是无理数。"
    assert human_turns([user(HARD), ANSWER, user(REMINDER + chinese)]) == (HARD, chinese)


def test_what_a_human_writes_about_tags_stays():
    for text in (
        "How do I style <my-card>text</my-card> in a shadow root?",
        "Why is\n<system-reminder>\nnever closed here?",
        "Is 3 < 4 and <b>bold</b> right? </system-reminder>",
        "Observation: the sky is blue. Why?",
        "New tasks: none",
    ):
        assert human_turns([user(text)]) == (text,)


def test_people_with_names_are_humans():
    talk = [{**user(text), "name": name} for text, name in ((HARD, "Ann"), ("Why?", "user"))]
    assert human_turns(talk) == (HARD, "Why?")
    assert human_turns([user(HARD), ANSWER, {**user("Why?"), "name": "Ann"}]) == (HARD, "Why?")


def test_agents_with_names_who_speak_after_a_human_without_are_none():
    agents = [{**user(HARD), "name": name} for name in ("researcher", "coder", "researcher")]
    talk = [user("Who painted it?"), *agents]
    assert human_turns(talk) == ("Who painted it?",)
    assert human_turns([*talk, ANSWER, user("Why?"), *agents]) == ("Who painted it?", "Why?")


def test_the_words_after_a_slash_command_are_the_humans():
    ask = "Check the parser for leaks"
    text = f"<command-name>/review</command-name>\n<command-args>{ask}</command-args>"
    assert scored_text([user(text)]) == ask


def test_the_last_message_without_text_is_known_to_have_none():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert human_turns([user(HARD), ANSWER, user([image])]) == (HARD, "")
    assert human_turns([user([image]), ANSWER, user(HARD)]) == (HARD,)


HOSTILE = {
    "opened": "<a-b>\n",
    "closed": "</a-b>",
    "unfinished": "<a-b ",
    "angles": "<",
    "long name": "<" + "a-" * 32,
    "alternating": "<a-b>\n</c-d>\n",
    "other names": "<a-b>\n</a-c>",
    "pairs": "<a-b>x</a-b>",
    "spaces": " \n\t <system>",
    "task": "\nNew task:\n",
    "frames": "Recall we are working on the following request:\n\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_is_linear_in_hostile_text(kind):
    def lines(times: int) -> int:
        count = 0

        def trace(frame, event, arg):
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            human_turns([user(HOSTILE[kind] * times)])
        finally:
            sys.settrace(before)
        return count

    assert lines(800) <= 2.2 * lines(400) + 100


@pytest.mark.parametrize("kind", HOSTILE)
def test_ten_megabytes_are_read(kind):
    text = HOSTILE[kind] * (10_000_000 // len(HOSTILE[kind]))
    assert len(human_turns([user(text)])) <= 1


TEAM = "the following team:\n\n" + "A prover. " * 50
MAGENTIC_ONE = (
    "Below I will present you a request. Before we begin addressing the request, please answer it."
    "\n\nHere is the request:\n\n{}\n\nHere is the pre-survey:\n\n    1. Prove it.",
    "\nWe are working to address the following user request:\n\n{}\n\n\n"
    f"To answer this request we have assembled {TEAM}",
    f"\nRecall we are working on the following request:\n\n{{}}\n\nAnd we have assembled {TEAM}",
    "As a reminder, we are working to solve the following task:\n\n{}\n\n"
    "It's clear we aren't making as much progress as we would like, but prove it.",
    "\nWe are working on the following task:\n{}\n\nWe have completed the task.\n\n"
    "The above messages contain the conversation that took place to prove it.",
)
"""What AutoGen's MagenticOne writes around a task, the only words of the human in its requests."""


@pytest.mark.parametrize("text", MAGENTIC_ONE)
def test_the_task_of_magentic_one_is_found(text):
    steps = [
        user(f"Fantastic. To address this request we have assembled {TEAM}"),
        user(
            "Please briefly explain what went wrong on this last run (the root cause of "
            "the failure), and prove it."
        ),
    ]
    for ask in (HARD, f"{HARD}\n\nIn two parts:\n\n1. a"):
        assert human_turns([user(text.format(ask)), ANSWER, *steps]) == (ask,)


TOLD = "For context, here is the conversation so far:\n<CONVERSATION HISTORY>\n"
"""How openai-agents begins a history that it hands over."""


def told(*records):
    text = "\n".join(f"{at}. {record}" for at, record in enumerate(records, 1))
    return {"role": "assistant", "content": f"{TOLD}{text}\n</CONVERSATION HISTORY>"}


def test_a_told_history_is_read_like_its_messages():
    messages = [told(f"user: {HARD}", "assistant: Done.", '{"role": "user", "content": "a\\nb"}')]
    assert human_turns(messages) == (HARD, "a\nb")
    assert human_turns([*messages, user("Why?")]) == (HARD, "a\nb", "Why?")
    assert human_turns([told("user: 2. to 3.\n4. be")]) == ("2. to 3.",)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "user",
        "{",
        '{"role": "user"}',
        '{"role": ["user"]}',
        "[1]",
        "{" * 9000,
        '{"a": 1}',
        "x: y",
    ],
)
def test_odd_records_are_passed_over(record):
    assert human_turns([told(record, f"user: {HARD}")]) == (HARD,)


def test_a_human_who_tells_a_history_is_read_as_one():
    text = told(f"user: {HARD}")["content"]
    assert human_turns([user(text)]) == (text,)
    unclosed = {"role": "assistant", "content": TOLD + "1. user: x"}
    assert human_turns([user(HARD), unclosed]) == (HARD,)


@pytest.mark.parametrize("part", ["1. user: a\n", "1. ", "9", "1. {\n", "\n"])
def test_a_told_history_takes_linear_time(part):
    messages = [
        {"role": "assistant", "content": f"{TOLD}{part * 500_000}\n</CONVERSATION HISTORY>"}
    ]
    begun = time.process_time()
    human_turns(messages)
    assert time.process_time() - begun < 4.0  # a quadratic one takes minutes
