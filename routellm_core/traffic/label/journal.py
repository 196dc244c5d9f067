"""What was paid for, kept line by line as it comes: answers and verdicts, to go on from later."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError
from ...locks import locked

VERSION = 1
_VERSION, _SETTINGS = "routellm_labelling", "settings"


@dataclass(frozen=True)
class Answer:
    """A model's answer to a prompt."""

    text: str
    cost: float | None


@dataclass(frozen=True)
class Verdict:
    """A judge's verdict on one order of the answers."""

    value: float | None
    """None: the reply could not be read."""
    why: str | None = None
    """Why not."""


@contextmanager
def opened(path: Path, settings: dict[str, Any]) -> Iterator[Journal]:
    """Open a journal, which no other process writes to meanwhile: each would pay for what the other
    has.

    Raises:
        ConfigError: another process has it open, or as for ``Journal``.
        DataError: as for ``Journal``.
    """
    try:
        path.touch()
    except OSError as error:
        raise _unwritable(path, error) from error
    with locked(path):
        yield Journal(path, settings)


class Journal:
    """A file of JSON lines that only grows. Each line is written at once and whole.

    Args:
        path: of the file, made if absent.
        settings: what its answers depend on.

    Raises:
        ConfigError: it was begun with other settings, or cannot be written.
        DataError: it is no journal, or damaged before its last line.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path = path
        self.answers: dict[tuple[str, str], Answer] = {}
        """By the key of a prompt and tier, ``strong`` or ``weak``."""
        self.verdicts: defaultdict[tuple[str, str], dict[str, Verdict]] = defaultdict(dict)
        """By the key of a prompt and judge, then by order."""
        self.spent = 0.0
        """On all that it holds, in dollars."""
        self._lock = threading.Lock()
        lines = self._lines()
        if lines and lines[0].get(_VERSION) != VERSION:
            raise DataError(f"{path} is not a journal of `routellm label`: name another --out")
        if lines and lines[0].get(_SETTINGS) != settings:
            raise ConfigError(
                f"{path} was begun with other models or another --max-tokens "
                f"({_told(lines[0].get(_SETTINGS))}): use those, or name another --out"
            )
        for line in lines[1:]:
            self._take(line)
        if not lines:
            self._write({_VERSION: VERSION, _SETTINGS: settings})

    def add_answer(
        self, prompt: str, tier: str, answer: Answer, usage: tuple[int, int] | None
    ) -> None:
        """Keep a model's answer, with the tokens read and written; None: it was known already, and
        nothing is paid for it.
        """
        self._add(
            {
                "prompt": prompt,
                "of": tier,
                "answer": answer.text,
                "cost": answer.cost,
                "tokens": usage,
            }
        )

    def add_verdict(
        self, prompt: str, judge: str, order: str, verdict: Verdict, reply: str, cost: float | None
    ) -> None:
        """Keep a verdict, with what the judge replied."""
        self._add(
            {
                "prompt": prompt,
                "judge": judge,
                "order": order,
                "verdict": verdict.value,
                "why": verdict.why,
                "reply": reply,
                "cost": cost,
            }
        )

    def _add(self, line: dict[str, Any]) -> None:
        with self._lock:
            self._write(line)
            self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        try:
            prompt, cost = line["prompt"], line["cost"]
            if "of" in line:
                self.answers[prompt, line["of"]] = Answer(line["answer"], cost)
                if line["tokens"] is None:
                    return
            else:
                verdict = Verdict(line["verdict"], line["why"])
                self.verdicts[prompt, line["judge"]][line["order"]] = verdict
        except KeyError as error:
            raise DataError(f"{self.path} is damaged ({error} is missing in a line)") from error
        self.spent += cost or 0.0

    def _write(self, line: dict[str, Any]) -> None:
        try:
            with self.path.open("ab") as file:
                file.write(json.dumps(line).encode() + b"\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _lines(self) -> list[dict[str, Any]]:
        """Return what the file holds. A last line that was cut off is taken out of it."""
        if not self.path.exists():
            return []
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read ({error.strerror})") from error
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        found = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{self.path}, line {number}: damaged ({error})") from error
            if not isinstance(row, dict):
                raise DataError(f"{self.path}, line {number}: not a JSON object")
            found.append(row)
        return found


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written ({error.strerror}): make room, or name another --out; what was "
        "written is kept"
    )


def _told(settings: Any) -> str:
    if not isinstance(settings, dict):
        return "unknown"
    return ", ".join(f"{key} {value}" for key, value in settings.items())
