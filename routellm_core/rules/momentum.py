"""Which turns of a conversation decide where its last one goes.

A follow-up ("Yes, do it.", "That is wrong.", a pasted error message) says nothing about how hard
its task is, so it inherits; a question of its own is judged by itself. What a turn brings is read
from its words: those that are neither in ``follow_up_words`` nor in the turns before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from .follow_up_words import (
    ABOUT,
    ARTICLES,
    EMPTY,
    EMPTY_ZH,
    OPENING,
    REFERRING,
    REFERRING_ZH,
    REQUESTS,
    REQUESTS_ZH,
    WITH_PRONOUN,
)

_READ = 400
"""Characters: a longer turn that is no error message stands on its own."""
_EARLIER = 2_000
"""Characters of each earlier turn in which a word is looked for."""
_NEW = 4
"""How many new words a turn that refers to an earlier one may bring."""
_LONG = 4
"""Letters: a shorter word is not looked for in earlier turns, where it may be part of another."""
_REMARK = 40
"""Characters: a turn that is no longer, and does not begin as a question or a request does, is a
follow-up, unless it is a question (is a tomato a fruit?) with more than one new word."""
_SHORT = 16
"""Letters: a turn in a language without known words that is no longer is a follow-up."""

_EMPTY, _REFERS, _ARTICLE = 1, 2, 4
_KINDS = {
    word: _EMPTY * (word in EMPTY) | _REFERS * (word in REFERRING) | _ARTICLE * (word in ARTICLES)
    for word in EMPTY | REFERRING | ARTICLES
}
"""What the lists say of each word, so that one is looked up once."""

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_CHINESE = re.compile(r"[\u3400-\u9fff]+")
_ERRORS = ("error", "exception", "traceback", "panic", "fatal", "fehler")
"""What the first line of a pasted error message has, before one of ``_AFTER_ERROR``."""
_AFTER_ERROR = re.compile(r"[:\[(]")
_ERROR_LINE = 120
"""Characters: so much of a first line is read for an error message."""

_KNOWN = 10_000
"""How many turns it is kept of what they bring."""


class Brings(Enum):
    """What a turn brings of its own."""

    NOTHING = "nothing"
    """It only reacts: what is asked is in an earlier turn."""
    SOMETHING = "something"
    """It refers to an earlier turn and adds to it."""
    QUESTION = "question"
    """It can be understood by itself."""


_known: dict[int, Brings] = {}
"""What the last of some turns brings, by the hash of all."""


def deciding_turns(turns: Sequence[str], limit: int) -> list[int]:
    """Return which turns decide: the largest of their scores is the score of the last turn.

    Goes back from the last turn over follow-ups to the question that they are about. Turns that
    bring nothing do not decide, unless there is no other.

    Args:
        turns: what the human wrote, oldest first; the last is not blank.
        limit: how many of the last turns are considered, 1 or more.

    Returns:
        Positions in ``turns``, ascending, at least one.
    """
    read = tuple(turns[-limit:])
    skipped = len(turns) - len(read)
    deciding: list[int] = []
    while read:
        brings = _brings(read) if read[-1].strip() else Brings.NOTHING
        read = read[:-1]
        if brings is not Brings.NOTHING:
            deciding.append(skipped + len(read))
        if brings is Brings.QUESTION:
            break
    return deciding[::-1]


def momentum(positions: Sequence[int], scores: Sequence[float]) -> tuple[int, float]:
    """Return the position of the turn that decides, and its score.

    Args:
        positions: of ``deciding_turns``.
        scores: of those turns, in the same order. Of equal scores the later turn's counts.
    """
    if len(positions) == 1:
        return positions[0], scores[0]
    score, position = max(zip(scores, positions, strict=True))
    return position, score


def _brings(turns: tuple[str, ...]) -> Brings:
    """Return what the last of some turns brings, which is not blank. An earlier turn was the last
    one in its time, so it is known as a rule.
    """
    if len(turns) == 1:
        return Brings.QUESTION
    key = hash(turns)
    brings = _known.get(key)
    if brings is None:
        *earlier, text = turns
        earlier = [turn for turn in earlier if turn.strip()]
        brings = what_it_brings(text, earlier)
        if brings is not Brings.QUESTION and text in earlier:
            # Asked again: words that occur in its own first asking are no sign of a follow-up.
            brings = what_it_brings(text, [turn for turn in earlier if turn != text] or [""])
        if len(_known) >= _KNOWN:
            _known.clear()
        _known[key] = brings
    return brings


def what_it_brings(text: str, earlier: Sequence[str]) -> Brings:
    """Return what a turn brings of its own.

    Args:
        text: the turn.
        earlier: the turns before it; none means that it is a question.
    """
    if not earlier:
        return Brings.QUESTION
    if _is_error(text):
        first = _WORD.search(text)
        if first is None or first[0].lower() not in REQUESTS:
            return Brings.NOTHING
    if len(text) > _READ:
        return Brings.QUESTION
    lowered = text.lower().replace("’", "'")
    has_chinese = not text.isascii() and _CHINESE.search(text) is not None
    words = _WORD.findall(lowered)
    before = _lowered(earlier)
    new = shared = known = referring = 0
    for word in words:
        if has_chinese and _CHINESE.match(word):
            added, repeated, refers = _chinese(word, before)
            new, shared, referring = new + added, shared + repeated, referring + refers
            known += 1
            continue
        kind = _KINDS.get(word, 0)
        if kind:
            known += kind & _EMPTY
            referring += bool(kind & _REFERS)
        elif len(word) >= _LONG and word in before:
            shared += 1
        elif new == _NEW and (known or sum(map(len, words)) > _SHORT):
            return Brings.QUESTION  # as further words change nothing
        else:
            new += 1
    if not ARTICLES.isdisjoint(words):
        referring += _articles_alone(text)
    referring += bool(words) and _begins_as_follow_up(words)
    if new == 0 and shared <= 3:
        return Brings.NOTHING
    if (referring or shared) and new + shared <= _NEW:
        return Brings.SOMETHING
    if len(words) <= 2 and new <= 1:
        return Brings.SOMETHING
    if not known and sum(map(len, words)) <= _SHORT:
        return Brings.SOMETHING
    most = 1 if "?" in text or "？" in text else _NEW
    if new <= most and len(text) <= _REMARK and not _requests(text, words):
        return Brings.SOMETHING
    return Brings.QUESTION


def _articles_alone(text: str) -> int:
    """Return how many German articles refer to what was said before: no noun follows."""
    spelt = _WORD.findall(text)
    return sum(
        word.lower() in ARTICLES and (not spelt[at + 1 : at + 2] or spelt[at + 1][0].islower())
        for at, word in enumerate(spelt)
    )


def _lowered(turns: Sequence[str]) -> str:
    return "\n".join(turn[:_EARLIER] for turn in turns).lower()


def _is_error(text: str) -> bool:
    line = text[:_ERROR_LINE].partition("\n")[0].lower()
    if "err!" in line:
        return True
    starts = [line.find(error) + len(error) for error in _ERRORS if error in line]
    if not starts or "?" in line:
        return False
    return min(starts) == len(line) or _AFTER_ERROR.search(line, min(starts)) is not None


def _requests(text: str, words: list[str]) -> bool:
    """Whether a turn asks for or requests something by how it begins."""
    if _CHINESE.search(text):
        return REQUESTS_ZH.search(text) is not None
    return any(word in REQUESTS for word in words[:2])


def _begins_as_follow_up(words: list[str]) -> bool:
    return (
        words[0] in OPENING
        or " ".join(words).startswith(ABOUT)
        or WITH_PRONOUN.fullmatch(words[0]) is not None
    )


def _chinese(run: str, before: str) -> tuple[int, int, int]:
    """Return how many new and shared words a run of Chinese has, and whether it refers back."""
    new = shared = 0
    for rest in EMPTY_ZH.sub(" ", run).split():
        count = (len(rest) + 1) // 2
        if rest in before:
            shared += count
        else:
            new += count
    return new, shared, int(REFERRING_ZH.search(run) is not None)
