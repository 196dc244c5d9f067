"""Which words of a conversation are the human's, and which of them are scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .blocks import is_remainder
from .context import question_in
from .harness import (
    data_in,
    framed,
    is_harness_part,
    is_of_harness,
    is_tool_media,
    is_tool_result,
    new_task,
    takes_note,
    without_harness,
)
from .patterns import Patterns
from .templates import question_in_template
from .told_history import unfolded

_HUMAN = "user"
"""The ``name`` that AutoGen gives the human, beside agents with names of their own."""

_TEXT_PARTS = ("text", "input_text")
_TOOL_PARTS = ("tool_result", "function_call_output")
_TOOL_ROLES = ("tool", "function_call_output")


def human_turns(
    messages: Iterable[Mapping[str, Any]] | None, patterns: Patterns | None = None
) -> tuple[str, ...]:
    """Return what the human wrote, oldest first.

    System prompts, answers, retrieved context and images are left out, and so is what is in a user
    message but not of the human:

    - tool results, with whatever words or images a message has beside them; text that begins with
      ``Observation:`` or ``<returncode>`` after an answer; an image without words, or the frames of
      a video, after a tool's message;
    - blocks of agent harnesses (``harness``). Where at most ``blocks.REMAINDER`` bytes remain
      and the human wrote before, the message is left out;
    - summaries of earlier turns, and what a program says to lead an agent through its task, or
      writes around that task (``harness``);
    - context that an application put beside a question, where it says which is which
      (``context``);
    - what other agents say, who have names where the human's is ``user`` (AutoGen), or where the
      human has none and no answer stands before (LangGraph's supervisors).

    A conversation that begins with blocks that no client is known for, and has no other words, is
    an application's: the blocks are its data, such as an e-mail to be sorted, and the last of
    them are the turn.

    A history that an agent was handed in one message of text (``told_history``) is read like the
    messages in it. So each step of a tool loop gives the same turns. Takes time linear in the text.

    Args:
        messages: a conversation in OpenAI's chat form: mappings with ``role`` and ``content``,
            where content is a string or a list of parts (also of Anthropic and of the responses
            API). Entries of another form are skipped.
        patterns: find the human's words in templates that no list knows. A message of which they
            leave nothing is left out.

    Returns:
        The texts, parts joined by newlines, none of them blank but for the last: it is ``""`` if
        the human's last message has no text.
    """
    turns: list[str] = []
    data = ""
    blank = answered = False
    role: object = None
    speaker: object = None
    for message in unfolded(messages or ()):
        if not isinstance(message, Mapping):
            continue
        before, role = role, message.get("role", message.get("type"))
        if role == "assistant":
            answered = True
            if before == "user" and turns and takes_note(message.get("content")):
                turns.pop()
        if role != "user":
            continue
        name = message.get("name")
        if speaker is None:
            speaker = name or ""
        elif name and name != _HUMAN and (speaker == _HUMAN or (not speaker and before == "user")):
            continue
        texts = _texts(message.get("content"))
        if texts is None or (before in _TOOL_ROLES and texts and is_tool_media(texts[0])):
            continue
        if patterns is not None:
            given = texts
            texts = [found for text in given if (found := patterns.human(text)).strip()]
            if given and not texts:
                continue
        text, had_blocks = _of_human(texts, answered)
        if text is None or (had_blocks and turns and is_remainder(text)):
            continue
        if text.strip():
            turns.append(text)
            blank = False
        else:
            if had_blocks and (data or before in (None, "system", "developer")):
                data = data_in("\n".join(texts)) or data
            blank = not had_blocks and before not in _TOOL_ROLES
    if not turns and data and not blank:
        return (data,)
    return (*turns, "") if blank else tuple(turns)


def scored_text(messages: Iterable[Mapping[str, Any]] | None) -> str | None:
    """Return the text a router judges: the last of ``human_turns``.

    Args:
        messages: a conversation, as ``human_turns`` takes it.

    Returns:
        The text, parts joined by newlines; None if the human's last message has none, or there
        is no such message.
    """
    turns = human_turns(messages)
    return (turns[-1] or None) if turns else None


def text_of(content: object) -> str:
    """Return the text of a message of any role, parts joined by newlines."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):  # Gemini's system prompt
        content = content.get("parts")
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") if isinstance(part, Mapping) else part for part in content)
    return "\n".join(text for text in texts if isinstance(text, str) and text.strip())


def _texts(content: object) -> list[str] | None:
    """Return the texts of a message's parts; None if it returns a tool's result or is no message
    of the human.
    """
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return None
    # Also beside words: agents add reminders of their own to what a tool returned.
    if any(isinstance(part, Mapping) and part.get("type") in _TOOL_PARTS for part in content):
        return None
    texts = [text for part in content if (text := _text_of(part)).strip()]
    if len(texts) > 1:
        texts = [text for text in texts if not is_harness_part(text)] or texts
    return texts


def _text_of(part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Mapping) and part.get("type") in _TEXT_PARTS:
        text = part.get("text")
        return text if isinstance(text, str) else ""
    return ""


def _of_human(texts: list[str], answered: bool) -> tuple[str | None, bool]:
    """Return the human's words in a message, None if there are none, and whether blocks of a
    harness were left out.
    """
    if texts and answered and is_tool_result(texts[0]):
        return new_task("\n".join(texts), appended=True), False
    question = question_in_template("\n".join(texts))
    if question is not None:
        return without_harness(question), False
    stripped = [without_harness(text) for text in texts]
    had_blocks = stripped != texts
    text = stripped[0] if len(stripped) == 1 else "\n".join(filter(str.strip, stripped))
    if is_of_harness(text):
        return None, had_blocks
    text = new_task(text, appended=False) or text
    task = framed(text)
    if task:
        return task, had_blocks
    question = question_in(text, sum(map(len, texts)))
    return (text, had_blocks) if question is None else (question, False)
