"""Ways to say how well two answers do what was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...data.digests import sha256_of
from ...errors import ConfigError, did_you_mean
from .own_function import OwnFunction, own_function
from .prompts import Prompt

STRONG_FIRST, WEAK_FIRST, ONCE = "strong first", "weak first", "once"
"""In which order a judge is shown the answers."""

PAIRWISE, GRADED, EXACT = "pairwise", "graded", "exact"

_PLACES = {
    PAIRWISE: ("question", "answer_a", "answer_b"),
    GRADED: ("question", "reference", "answer"),
}
_PLACE = re.compile(r"\{(question|answer_a|answer_b|reference|answer)\}")
_LETTER = re.compile(r"\[\[\s*([ABC])\s*\]\]", re.IGNORECASE)
_GRADE = re.compile(r"\[\[\s*([1-5])\s*\]\]")
_NOTHING = "(no answer)"
_SAYS = re.compile(r"^.*\b(?:answer|answer is|result)\s*[:=]\s*|^.*\banswer is\s+", re.IGNORECASE)


@dataclass(frozen=True)
class Pairwise:
    """Asks which answer is better, in both orders. A verdict is how much the strong model's is
    preferred: 1, 0.5 or 0. The qualities are the mean of both orders, and 1 less that.
    """

    template: str
    kind: str = PAIRWISE

    @property
    def id(self) -> str:
        """Names all that a verdict depends on but the texts and the judging model."""
        return f"{self.kind} {sha256_of(self.template)[:16]}"

    def questions(self, prompt: Prompt, strong: str, weak: str) -> Mapping[str, str]:
        """Return what to ask the judging model, by the order of the answers."""
        first, second = strong.strip() or _NOTHING, weak.strip() or _NOTHING
        return {
            STRONG_FIRST: _filled(
                self.template, question=prompt.request, answer_a=first, answer_b=second
            ),
            WEAK_FIRST: _filled(
                self.template, question=prompt.request, answer_a=second, answer_b=first
            ),
        }

    def read(self, order: str, reply: str) -> float | None:
        """Return the verdict in a reply; None if there is none to read."""
        letters = _LETTER.findall(reply)
        if not letters:
            return None
        letter = letters[-1].upper()
        if letter == "C":
            return 0.5
        return float((letter == "A") == (order == STRONG_FIRST))

    def qualities(
        self, prompt: Prompt, strong: str, weak: str, verdicts: Mapping[str, float]
    ) -> tuple[float, float]:
        """Return the qualities of the strong and the weak model's answer, each in [0, 1]."""
        preferred = (verdicts[STRONG_FIRST] + verdicts[WEAK_FIRST]) / 2
        return preferred, 1 - preferred


@dataclass(frozen=True)
class Graded:
    """Asks how good the weak model's answer is beside the strong model's, from 1 to 5. The strong
    model's answer has quality 1, the weak one's from 0 for grade 1 to 1 for grade 5.
    """

    template: str
    kind: str = GRADED

    @property
    def id(self) -> str:
        return f"{self.kind} {sha256_of(self.template)[:16]}"

    def questions(self, prompt: Prompt, strong: str, weak: str) -> Mapping[str, str]:
        reference, answer = strong.strip() or _NOTHING, weak.strip() or _NOTHING
        return {
            ONCE: _filled(
                self.template, question=prompt.request, reference=reference, answer=answer
            )
        }

    def read(self, order: str, reply: str) -> float | None:
        grades = _GRADE.findall(reply)
        return (int(grades[-1]) - 1) / 4 if grades else None

    def qualities(
        self, prompt: Prompt, strong: str, weak: str, verdicts: Mapping[str, float]
    ) -> tuple[float, float]:
        return 1.0, verdicts[ONCE]


@dataclass(frozen=True)
class Exact:
    """Compares each answer, or its last line, with the right one, apart from case, spaces and
    punctuation at the ends. No model is asked.
    """

    kind: str = EXACT
    id: str = EXACT

    def questions(self, prompt: Prompt, strong: str, weak: str) -> Mapping[str, str]:
        return {}

    def read(self, order: str, reply: str) -> float | None:
        return None

    def qualities(
        self, prompt: Prompt, strong: str, weak: str, verdicts: Mapping[str, float]
    ) -> tuple[float, float]:
        right = _plain(prompt.answer or "")
        return float(_is(right, strong)), float(_is(right, weak))


Judge = Pairwise | Graded | Exact | OwnFunction
"""Says how well both answers do."""


def make_judge(kind: str, template: Path | None) -> Judge:
    """Return a judge.

    Args:
        kind: ``pairwise``, ``graded``, ``exact``, or what ``own_function`` takes.
        template: file with the judge's prompt in place of the built-in one.

    Raises:
        ConfigError: there is no such kind, or the file cannot be used.
    """
    if ":" not in kind and kind not in (PAIRWISE, GRADED, EXACT):
        raise ConfigError(
            f"--judge is '{kind}': {did_you_mean(kind, (PAIRWISE, GRADED, EXACT))}; a function of "
            "your own is module:function"
        )
    if kind not in (PAIRWISE, GRADED):
        if template is not None:
            raise ConfigError("--judge-prompt goes with pairwise and graded: leave it out")
        return Exact() if kind == EXACT else own_function(kind)
    text = template_text(kind) if template is None else _read(template, kind)
    return Pairwise(text) if kind == PAIRWISE else Graded(text)


def template_text(kind: str) -> str:
    """Return the built-in prompt of a kind of judge that has one."""
    return (Path(__file__).parent / f"{kind}.txt").read_text(encoding="utf-8")


def _read(path: Path, kind: str) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"--judge-prompt {path} cannot be read ({why})") from error
    missing = [place for place in _PLACES[kind] if f"{{{place}}}" not in text]
    if missing:
        raise ConfigError(
            f"--judge-prompt {path} has no {{{missing[0]}}}: it needs "
            f"{', '.join(f'{{{place}}}' for place in _PLACES[kind])}"
        )
    return text


def _filled(template: str, **texts: str) -> str:
    # In one pass: a question may hold "{answer_b}".
    return _PLACE.sub(lambda place: texts.get(place[1], place[0]), template)


def _is(right: str, answer: str) -> bool:
    lines = [line for line in answer.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    return right in {_plain(answer), _plain(last), _plain(_SAYS.sub("", last))}


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .,;:!?*`\"'$()[]").casefold()
