"""The question in a prompt that an application filled with context: retrieved pages, a document.

A router that reads all of such a prompt scores the pages. Where the prompt says which of its words
are the question, they alone are scored; where that is not certain, nothing is left out.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .blocks import is_remainder, only_block, without_blocks

OWN_WORDS = 1_000
"""A prompt of at most this many characters, which routers read whole, may be the human's own
context and question, so that labels and tags alone do not count there."""

DOCUMENT_TAGS = frozenset(
    (
        *("article", "articles", "attachment", "attachments", "context", "contexts"),
        *("doc", "docs", "document", "documents", "email", "emails", "excerpt", "excerpts"),
        *("file", "files", "page", "pages", "passage", "passages", "report", "source", "sources"),
        *("thread", "transcript"),
    )
)
"""Tags whose blocks hold what a question is about, beside those of harnesses."""

QUESTION_TAGS = frozenset(("question", "query"))
"""Tags whose block holds the question beside such blocks."""


_INTRODUCED = 600
"""Characters of a prompt in which a sentence may say that it is to be answered by context."""
_GIVEN = re.compile(
    r"\b(?:articles?|context|documents?|excerpts?|extracted|information|passages?|sources?)\b"
)
_TO_ANSWER = re.compile(r"\b(?:answer|query|question)\b|^context information\b")

_QUESTION_PARTS = ("uestion", "UESTION", "uery", "UERY")
"""One of these is in every text that has the label of a question, and quick to look for."""
_NAMES = {
    "question": r"(?:(?:input|original|the|user|user's) ){0,2}(?:question|query)",
    "context": (
        r"(?:[a-z]{1,12} ){0,2}(?:articles?|contexts?|documents?|excerpts?|passages?"
        r"|search results|text|transcript)"
    ),
    "answer": r"(?:[a-z]{1,12} ){0,2}answer(?: \([^()\n]{0,60}\))?|relevant text, if any|response",
}


def _named(heading: str) -> str:
    names = "|".join(f"(?P<{kind}{heading}>{name})" for kind, name in _NAMES.items())
    return rf"(?=[A-Z])(?i:{names})"  # small letters begin the fields of code and of YAML


_LABEL = re.compile(
    # "Question:", "**Question:**"; "## Question"; a line of "-" or "="
    rf"^[ \t]*(?:(?:\*\*)?{_named('')}(?:\*\*)?[ \t]?:(?:\*\*)?"
    rf"|\#{{1,6}}[ \t]{_named('_')}[ \t]?:?[ \t]*$|(?P<line>[-=]{{3,80}})[ \t]*$)",
    re.MULTILINE,
)
"""What begins a line and says what follows."""

_IN_LINE = re.compile(r"(?:Contexts?|Documents?|Question|Query|Answer):(?=\s|\Z)")
"""The same, wherever it stands after a space."""
_KINDS = {"A": "answer", "C": "context", "D": "context", "Q": "question"}
"""By the first letter, because a group of names takes ten times as long to look for."""


class _Label(NamedTuple):
    kind: str
    start: int
    end: int


def question_in(text: str, characters: int) -> str | None:
    """Return the question in a prompt that has its context beside it; None if there is none, or
    it is not certain which words it is.

    - Labels: ``Question:`` or ``Query:`` begins a line, and another says ``Context:``, or the
      prompt begins by saying that a question is to be answered by context. Within lines, where the
      prompt has one label of each.
    - Tags: the words beside blocks of ``DOCUMENT_TAGS``, or the one block of ``QUESTION_TAGS``
      there, in prompts longer than ``OWN_WORDS``.

    Args:
        text: a user message, without the blocks of harnesses.
        characters: that the message had with those.
    """
    text = text.lstrip()
    is_long = characters > OWN_WORDS
    return _labelled(text, is_long) or (_beside_documents(text) if is_long else None)


def _labelled(text: str, is_long: bool) -> str | None:
    if not any(part in text for part in _QUESTION_PARTS):
        return None
    labels = [_label(found) for found in _LABEL.finditer(text)]
    beginning = text[:_INTRODUCED]
    if not {"question", "context"} <= {label.kind for label in labels}:
        in_line = [
            _Label(_KINDS[found[0][0]], *found.span())
            for found in _IN_LINE.finditer(text)
            if not text[max(found.start() - 1, 0) : found.start()].strip()
        ]
        if _is_template(in_line):
            labels, beginning = in_line, text[: in_line[0].start]
    kinds = [label.kind for label in labels]
    introduced = _is_introduced(beginning.lower())
    if "question" not in kinds or not (introduced or "context" in kinds):
        return None
    questions = [at for at, kind in enumerate(kinds) if kind == "question"]
    # One before its context; the context may hold others, with their answers.
    before = [at for at in questions if _next(kinds, at) == "context"]
    at = before[-1] if before else questions[-1]
    ends = kinds[-1] == "answer" and not text[labels[-1].end :].strip()
    if not before and "answer" in kinds[at:] and not ends:
        return None  # of a page that holds an answer as well: what is asked follows
    question = _after(text, labels[at:])
    if question.startswith("{"):
        return None  # the template itself, in code
    sure = introduced or ends or (is_long and not is_remainder(question))
    return (question or None) if sure else None


def _is_template(labels: list[_Label]) -> bool:
    """Whether labels within lines are those of a prompt, not of a page in it: one of each, the
    first near the beginning.
    """
    kinds = [label.kind for label in labels]
    pair = kinds[:2] in (["context", "question"], ["question", "context"])
    return pair and kinds[2:] in ([], ["answer"]) and labels[0].start < _INTRODUCED


def _next(kinds: list[str], at: int) -> str | None:
    return next((kind for kind in kinds[at + 1 : at + 3] if kind != "line"), None)


def _after(text: str, labels: list[_Label]) -> str:
    """Return what stands between the first of labels and the next."""
    begun = labels[0].end
    for label in labels[1:]:
        found = text[begun : label.start].strip()
        if found or label.kind != "line":
            return found
        begun = label.end  # a line between the label and the question
    return text[begun:].strip()


def _label(found: re.Match[str]) -> _Label:
    kind = (found.lastgroup or "").rstrip("_")
    return _Label(kind, found.start(), found.end())


def _is_introduced(beginning: str) -> bool:
    return any(_GIVEN.search(line) and _TO_ANSWER.search(line) for line in beginning.split("\n"))


def _beside_documents(text: str) -> str | None:
    rest = without_blocks(text, DOCUMENT_TAGS.__contains__, lambda name: False)
    if rest == text:
        return None
    question = only_block(rest, QUESTION_TAGS.__contains__)
    return question or (None if is_remainder(rest) else rest)
