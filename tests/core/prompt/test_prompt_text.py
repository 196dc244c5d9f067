"""Which words of a conversation are scored."""

from __future__ import annotations

import pytest

from routellm_core import human_turns, scored_text

USER = {"role": "user", "content": "Why is the sky blue?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        (None, None),
        ([], None),
        ([USER], "Why is the sky blue?"),
        ([{"role": "system", "content": "Be brief."}], None),
        ([{"role": "system", "content": "Be brief."}, USER], "Why is the sky blue?"),
        ([USER, {"role": "user", "content": "And the sea?"}], "And the sea?"),
        ([USER, {"role": "user", "content": "  "}], None),
        ([USER, {"role": "user", "content": None}, {"role": "assistant"}], "Why is the sky blue?"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}], "a"),
        ([{"role": "user", "content": [IMAGE]}], None),
        ([USER, {"role": "user", "content": [IMAGE]}], None),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                }
            ],
            "a\nb",
        ),
        ([{"role": "user", "content": [{"type": "input_text", "text": "a"}, "b"]}], "a\nb"),
        ([{"role": "user", "content": [{"type": "text", "text": None}, {"type": "text"}]}], None),
        (["hello", 3, {"content": "no role"}, USER], "Why is the sky blue?"),
    ],
)
def test_the_text_of_the_humans_last_message(messages, text):
    assert scored_text(messages) == text


def test_a_tool_loop_keeps_its_text():
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    openai = [USER, call, {"role": "tool", "tool_call_id": "1", "content": "Rayleigh scattering"}]
    anthropic = [
        USER,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x"}]},
    ]
    assert scored_text(openai) == scored_text(anthropic) == USER["content"]


def test_words_beside_a_tool_result_do_not_change_model_half_way():
    reminder = {"type": "text", "text": "<system-reminder>Prove it.</system-reminder>"}
    parts = [{"type": "tool_result", "content": "long output"}, reminder]
    assert scored_text([USER, {"role": "user", "content": parts}]) == USER["content"]


def user(content):
    return {"role": "user", "content": content}


MAIL = "<customer_email>\nMy order is late.\n</customer_email>"


@pytest.mark.parametrize("before", [[], [{"role": "system", "content": "Sort it."}]])
@pytest.mark.parametrize(
    "after", [[], [{"role": "assistant", "content": "a"}, {"role": "tool", "content": "b"}]]
)
def test_blocks_that_no_client_writes_are_an_applications_data(before, after):
    assert human_turns([*before, user(MAIL), *after]) == (MAIL,)
    assert human_turns([*before, user(f"<system-reminder>x</system-reminder>\n{MAIL}")]) == (MAIL,)
    assert human_turns([*before, user("<environment_context>x</environment_context>")]) == ()
    assert human_turns([*before, user(MAIL), *after, user("Answer it.")]) == ("Answer it.",)


def test_blocks_alone_that_come_later_pass_the_question_on():
    answered = [{"role": "assistant", "content": "Late."}]
    assert human_turns([user("Sort it."), *answered, user(MAIL)]) == ("Sort it.",)
    assert human_turns([user(MAIL), *answered, user([IMAGE])]) == ("",)


def test_of_an_applications_examples_the_last_data_are_scored():
    answered = [{"role": "assistant", "content": "Late."}]
    other = MAIL.replace("late", "lost")
    assert human_turns([user(MAIL), *answered, user(other)]) == (other,)
