"""Progress that records steps, and ends a training run early as a kill does."""

from __future__ import annotations

from collections.abc import Callable

from routellm_core.progress import Progress


class Killed(Exception):  # noqa: N818
    """Ends a training run from inside its progress."""


class Steps(Progress):
    """Records which steps were done."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def step(self, done: int, total: int, note: str = "") -> None:
        self.done.append(done)


class KillAtStep(Progress):
    """Raises ``Killed`` at a step, if ``when`` holds then."""

    def __init__(self, step: int, when: Callable[[], bool] = lambda: True) -> None:
        self._step = step
        self._when = when

    def step(self, done: int, total: int, note: str = "") -> None:
        if done == self._step and self._when():
            raise Killed


class KillAtStage(Progress):
    """Raises ``Killed`` when a stage begins whose name starts so."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def stage(self, name: str) -> None:
        if name.startswith(self._stage):
            raise Killed
