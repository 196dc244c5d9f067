"""Kinds of prompts, by words and signs that tell them. Rough: a table of a log is to be read, and
nothing is routed by them.
"""

from __future__ import annotations

import re

_READ = 2_000
"""Characters of a prompt in which the signs are looked for."""
_BEGINNING = 160
"""Characters in which a verb is looked for."""
_LONG = 4_000
"""Characters of a long text."""

_CODE = re.compile(
    r"```|Traceback \(most recent|#include\b|\bSELECT\b.+\bFROM\b"
    r"|^[ \t]*(?-i:(?:def|class|func|fn|function|public|private) \w+.*[:{(]|import [\w.]+;?$"
    r"|from [\w.]+ import |(?:const|let|var) \w+ =)"
    r"|\b\w+\.(?:py|js|ts|tsx|go|rs|java|cpp|sql|sh|yaml)\b"
    r"|\b(?:python|javascript|typescript|regex|sql|bash|refactor|unit tests?|stack trace)\b",
    re.MULTILINE | re.IGNORECASE,
)
_MATHS = re.compile(
    r"\\(?:frac|int|sum|sqrt|begin)|\$[^$\n]{1,80}\$|\d\s*[-+*/^=]\s*\d"
    r"|\b(?:prove|theorem|equation|integral|derivative|polynomial|probability that)\b",
    re.IGNORECASE,
)
_REWORDING = re.compile(
    r"\b(?:summari[sz]e|summary|translate|translation|rewrite|rephrase|paraphrase|proofread|shorten"
    r"|tl;?dr|zusammenfassen|zusammenfassung|übersetz\w*|traduc\w+|resum\w+|resume)\b"
    r"|翻译|总结|改写|润色",
    re.IGNORECASE,
)
_SORTING = re.compile(
    r"\b(?:classify|categori[sz]e|extract|label|tag|parse|sentiment|as json|in json)\b"
    r"|分类|提取",
    re.IGNORECASE,
)
_WRITING = re.compile(
    r"\b(?:write|draft|compose|schreib\w*|verfass\w*|escrib\w+|redact\w+)\b|写", re.IGNORECASE
)
_QUESTION = re.compile(
    r"[?？]\s*$|^\s*(?:who|what|when|where|why|which|how|is|are|do|does|did|can|could|should|will"
    r"|wer|was|wann|wo|warum|wie|qué|quién|cómo|cuándo|dónde|por qué)\b",
    re.IGNORECASE,
)

KINDS = (
    *("code", "maths", "reword or translate", "classify or extract", "write"),
    *("long text", "question", "other"),
)
"""In the order in which they are tried."""


def kind_of(text: str) -> str:
    """Return which of ``KINDS`` a prompt is."""
    head, beginning = text[:_READ], text[:_BEGINNING]
    tried = (
        *(_CODE.search(head), _MATHS.search(head)),
        *(_REWORDING.search(beginning), _SORTING.search(beginning), _WRITING.search(beginning)),
        *(len(text) > _LONG, _QUESTION.search(head)),
    )
    return next((kind for kind, found in zip(KINDS, tried, strict=False) if found), KINDS[-1])
