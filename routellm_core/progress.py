"""How far a long computation is."""

from __future__ import annotations


class Progress:
    """Receives how far a computation is. This one shows nothing; subclasses show it."""

    def stage(self, name: str) -> None:
        """A stage of unknown length begins, such as "Reading"."""
        return None

    def message(self, line: str) -> None:
        """A line to keep in view, such as what is wrong with the data."""
        return None

    def step(self, done: int, total: int, note: str = "") -> None:
        """``done`` of the ``total`` steps of this stage are done; ``note`` is the newest figure."""
        return None


SILENT = Progress()
"""Shows nothing."""


class Within(Progress):
    """Shows the stages of a part of a computation, each with the name of the part.

    Messages are not shown: each part would repeat them.

    Args:
        outer: shows them.
        part: what each stage's name begins with, such as "mf, fold 1 of 5".
    """

    def __init__(self, outer: Progress, part: str) -> None:
        self._outer = outer
        self._part = part

    def stage(self, name: str) -> None:
        self._outer.stage(f"{self._part}: {name}")

    def step(self, done: int, total: int, note: str = "") -> None:
        self._outer.step(done, total, note)
