"""Find prompts of a label file that are nearly the same, or fill in one template."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict

from .json_rows import shown

_FEWEST = 20
"""Prompts that a task needs before it is said to follow a template."""

_MOST = 0.5
"""Share of a prompt's text, and of a task's prompts, from which they follow a template."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"\b[A-Z]\w*(?:['’-]\w+)*")


class PromptTexts:
    """The distinct prompts of a file, by task.

    Time and memory grow with the length of the text, not with pairs of prompts.
    """

    def __init__(self) -> None:
        self.prompts: list[str] = []
        """Distinct prompts, in the order in which they were added."""
        self._numbers: dict[str, int] = {}
        self._tasks: defaultdict[str, dict[int, None]] = defaultdict(dict)

    def add(self, task: str, prompt: str) -> int:
        """Add a prompt and return its place in ``prompts``, the same for equal prompts."""
        number = self._numbers.setdefault(prompt, len(self.prompts))
        if number == len(self.prompts):
            self.prompts.append(prompt)
        self._tasks[task][number] = None
        return number

    def findings(self) -> list[str]:
        """Return one line on near-duplicates, and one for each task that is a template."""
        return [*self._near_duplicates(), *self._templates()]

    def _near_duplicates(self) -> list[str]:
        first: dict[str, str] = {}
        again = [
            prompt for prompt in self.prompts if first.setdefault(_folded(prompt), prompt) != prompt
        ]
        if not again:
            return []
        return [
            f"near-duplicates: {len(again)} of {len(self.prompts)} prompts equal another one "
            "apart from case, spaces and the punctuation at their ends, such as "
            f"{shown(again[0])}: keep one of each"
        ]

    def _templates(self) -> list[str]:
        lines = []
        for task, numbers in self._tasks.items():
            count = _templated([self.prompts[number] for number in numbers])
            if len(numbers) >= _FEWEST and count >= _MOST * len(numbers):
                where = f"task {task!r}" if task else "all battles"
                lines.append(
                    f"template: {where}: {count} of {len(numbers)} prompts have most of their "
                    "text in common, apart from numbers and names: judge a router on other "
                    "prompts as well"
                )
        return lines


def _folded(prompt: str) -> str:
    text = unicodedata.normalize("NFKC", prompt).casefold()
    return " ".join(text.split()).strip(" .,;:!?…。，？！\"'`")


def _templated(prompts: list[str]) -> int:
    """Return how many prompts follow a template.

    Numbers and capitalised words are masked first. A prompt follows one if another prompt is
    the same then, or if most of its text stands in lines that at least half of the prompts have.
    """
    masked = [_NAME.sub("N", _NUMBER.sub("#", prompt)) for prompt in prompts]
    skeletons = Counter(masked)
    in_prompts: Counter[str] = Counter()
    for text in masked:
        in_prompts.update(set(text.split("\n")))
    shared = {line for line, count in in_prompts.items() if count > 1 and 2 * count >= len(prompts)}
    return sum(
        skeletons[text] > 1
        or sum(len(line) for line in text.split("\n") if line in shared) > _MOST * len(text)
        for text in masked
    )
