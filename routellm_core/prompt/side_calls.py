"""Recognise calls that serve an application: titles, tags, commit messages, checks, summaries.

Nobody waits for such an answer to be clever, and there is no question in them to judge by: they
hold a conversation or a diff, which a router scores high whatever they ask. A call is recognised by
how its instruction begins, where that is certain; everything else is taken for a human's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..decision import Asked

if TYPE_CHECKING:
    from ..settings import PolicySettings

_READ = 200
"""Characters of a message in which an instruction is looked for."""

INSTRUCTIONS: tuple[tuple[str, str], ...] = (
    # Open WebUI; its retrieval begins with "### Task:\nRespond to the user query".
    ("### task: generate ", "<chat_history>"),
    ("### task: analyze the chat history", "quer"),
    ("### task: suggest ", "<chat_history>"),
    ("### task: you are an autocompletion system", ""),
    # Claude Code
    ("<session>", "title"),
    ("<policy_spec>", "command"),
    ("please write a 5-10 word title for the following conversation", ""),
    ("analyze if this message indicates a new conversation topic", ""),
    ("summarize this coding conversation in under 50 characters", ""),
    ("you are a helpful ai assistant tasked with summarizing conversations", ""),
    # opencode, aider
    ("you are a title generator", ""),
    (
        "you are an expert software engineer that generates concise, one-line git commit messages",
        "",
    ),
    # Goose
    ("generate a short title (four words or less) that describes the topic of the user's", ""),
    ("---begin user messages---", "generate a short title for the above messages"),
    ("reply with only a description in four words or less", ""),
    ("please summarize the conversation history provided in the system prompt", ""),
    # AutoGen, CrewAI
    ("you are in a role play game. the following roles are available: ", "only return the role"),
    ("you are a precise assistant that creates structured summaries of agent conversations", ""),
    # LangChain
    ("<role> context extraction assistant </role>", ""),
    ('write a concise summary of the following: "', ""),
    ("progressively summarize the lines of conversation provided", ""),
    ("the following is a set of documents: ", "helpful answer:"),
    ("the following is set of summaries: ", "helpful answer:"),
    ("given the following conversation and a follow up question, rephrase the follow up ", ""),
    ("given a chat history and the latest user question which might reference context in ", ""),
    ("you are an ai language model assistant. your task is to generate ", "different versions"),
    ("extract and save the relevant entities mentioned in the following passage", ""),
    ("please write a passage to answer the question question: ", "passage:"),
    ("you are a grader assessing relevance of a retrieved document to a user question", ""),
    ("look at the input and try to reason about the underlying semantic intent", "question:"),
)
"""How a system prompt begins, or the first user message, and what else is in it: in small letters,
with single spaces. Add a line for what is missing."""

_STARTS = tuple(start for start, _ in INSTRUCTIONS)

_TALK = r"(?:conversation|chat|session|thread|discussion|dialogue)"
_TITLE = re.compile(
    r"(?:(?:your task|task|instructions?)\W+|please )?"
    r"(?:create|generate|give|output|produce|propose|provide|suggest|write|come up with) "
    # "a", "concise,", "3-7 word", "of at most five words"
    r"(?:(?:an?|the|very|brief|clear|concise|descriptive|meaningful|short|simple|single|suitable"
    r"|and|at|characters?|fewer|less|maximum|most|of|or|than|to|under|up|words?"
    r"|three|four|five|six|seven|ten|\d{1,3})\W{1,3}){0,12}"
    rf"(?:{_TALK} titles?\b"
    r"|titles?(?: \([^)]{0,40}\))?(?: (?:of|in|with) (?:\w{1,8}[ -]){1,5}words?)?"
    r"(?: (?:that|which) [^.:!?]{0,40}?)?"
    rf" (?:for|of) (?:our|the|this) (?:\w{{1,12}} ){{0,2}}{_TALK}\b)"
)
"""How the instruction to name a conversation begins, in small letters, with single spaces: many
clients have one, each in its own words."""


def side_call(messages: Iterable[Mapping[str, Any]], settings: PolicySettings) -> Asked | None:
    """Return what a call asks that serves an application; None if it is another.

    Args:
        messages: a conversation, as ``human_turns`` takes it.
        settings: ``utility`` says where such a call goes; with ``score`` all are judged alike.
    """
    if settings.utility == "score" or not is_side_call(messages):
        return None
    return Asked(without_text=settings.utility, cause="utility")


def is_side_call(messages: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a call serves an application, by how its instruction begins.

    Args:
        messages: a conversation, as ``human_turns`` takes it. One in which a model has answered is
            none, except by its system prompt.
    """
    users = 0
    found = False
    entries: Iterable[object] = messages
    for message in entries:
        if not isinstance(message, Mapping):
            continue
        role = message.get("role", message.get("type"))
        if role in ("system", "developer"):
            found = found or _instructs(message.get("content"))
        elif role == "user":
            users += 1
            found = found or (users == 1 and _instructs(message.get("content")))
        elif not found:
            return False
    return found


def _instructs(content: object) -> bool:
    if isinstance(content, list):
        content = next((part for part in content if part), None)
        if isinstance(content, Mapping):
            content = content.get("text")
    if not isinstance(content, str):
        return False
    beginning = " ".join(content[:_READ].lower().split())
    if _TITLE.match(beginning):
        return True
    if not beginning.startswith(_STARTS):
        return False
    for start, more in INSTRUCTIONS:
        if beginning.startswith(start):
            return not more or more in content.lower()
    return False
