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
    ("you are emulating a tool call for testing purposes.", ""),
    ('write a concise summary of the following: "', ""),
    ("progressively summarize the lines of conversation provided", ""),
    ("the following is a set of documents: ", "helpful answer:"),
    ("the following is set of summaries: ", "helpful answer:"),
    ("given the following conversation and a follow up question, rephrase the follow up ", ""),
    ("given a chat history and the latest user question which might reference context in ", ""),
    ("you are an ai language model assistant. your task is to generate ", "different versions"),
    ("extract and save the relevant entities mentioned in the following passage", ""),
    ("your job is to produce a final summary. we have provided an existing summary up to", ""),
    ("given the following question and context, return yes if the context is relevant to", ""),
    ("you are an assistant tasked with taking a natural language query from a user and conv", ""),
    ("given a user input and an existing partial response as context, ask a question to wh", ""),
    ("given the below input question and list of potential tables, output a comma separated", ""),
    ("given a raw text input to a language model select the model prompt best suited for", ""),
    ("given a query to a question answering system select the system best suited for", ""),
    ("you are an ai assistant reading the transcript of a conversation between an ai and a", ""),
    ("you are an ai assistant helping a human keep track of facts about relevant people", ""),
    ("you are a networked intelligence helping a human track knowledge triples about all", ""),
    ("extract the desired information from the following passage. only extract", "passage:"),
    ("instructions: -------------- ", "above, the completion did not satisfy the constraints"),
    ("please write a scientific paper passage to ", "passage:"),
    ("please write a financial article passage to answer the question", "passage:"),
    ("please write a news passage about the topic. topic:", "passage:"),
    ("please write a passage in swahili/korean/japanese/bengali to answer", "passage:"),
    ("please write a counter argument for the passage passage:", "counter argument:"),
    # LangChain and LlamaIndex, a passage to look for
    ("please write a passage to answer the question", "passage:"),
    ("you are a grader assessing relevance of a retrieved document to a user question", ""),
    ("look at the input and try to reason about the underlying semantic intent", "question:"),
    # LlamaIndex: what indexes and memories are made of
    ("context: ", "give a title that summarizes all of the unique entities, titles or themes"),
    ("here is the context: ", "questions this context can provide specific answers to which"),
    ("here is the content of the section: ", "summarize the key topics and entities of the"),
    ("here is the content of the section: ", "given the contextual information, extract out"),
    ("some text is provided below. given the text, extract up to ", ""),
    ("extract up to ", "knowledge triplets from the given text"),
    ("give the following text, extract the knowledge graph according to the provided schema", ""),
    ("we wish to extract relevant fields from an unstructured text chunk into a structured", ""),
    ("write a summary of the following. try to use only the information provided", "summary:"),
    ("context information is below. it is provided in a numbered list", "a new piece of info"),
    ("the following is a conversation between the user and assistant. write a concise", ""),
    ("an existing 'lookahead response' is given below", ""),
)
"""How a system prompt begins, or the first user message, and what else is in it: in small letters,
with single spaces. Add a line for what is missing."""

ENDINGS = (
    "based on the above candidate titles and content, what is the comprehensive title for this "
    "document? title:",
    "unique keywords for this document. format as comma separated. keywords:",
)
"""How a message ends, likewise, that begins with the text that it is about (LlamaIndex)."""

CLOSING = ("you are a precise fact extraction system", "you are a precise fact condensing system")
"""How a user message begins, likewise, that closes the conversation it is about (LlamaIndex)."""

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
    entries: list[object] = list(messages)
    if entries and _closes(entries[-1]):
        return True
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


def _closes(message: object) -> bool:
    if not isinstance(message, Mapping) or message.get("role", message.get("type")) != "user":
        return False
    return _spaced(_text(message.get("content"))[:_READ]).startswith(CLOSING)


def _text(content: object) -> str:
    """Return the text of a message, or of its first part."""
    if isinstance(content, list):
        content = next((part for part in content if part), None)
        if isinstance(content, Mapping):
            content = content.get("text")
    return content if isinstance(content, str) else ""


def _spaced(text: str) -> str:
    """Return a text in small letters, with single spaces."""
    return " ".join(text.lower().split())


def _instructs(content: object) -> bool:
    text = _text(content)
    beginning = _spaced(text[:_READ])
    if _TITLE.match(beginning):
        return True
    if _spaced(text[-_READ:]).endswith(ENDINGS):
        return True
    if not beginning.startswith(_STARTS):
        return False
    read = text.lower()
    return any(beginning.startswith(start) and more in read for start, more in INSTRUCTIONS)
