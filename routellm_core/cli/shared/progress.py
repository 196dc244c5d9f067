"""Progress at the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ...progress import Progress


class _Shown(Progress):
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._stage = "Starting"
        self._task = bar.add_task(self._stage, total=None)

    def stage(self, name: str) -> None:
        self._stage = name
        self._bar.reset(self._task, total=None, description=name)

    def message(self, line: str) -> None:
        self._bar.console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True)

    def step(self, done: int, total: int, note: str = "") -> None:
        description = f"{self._stage}, {note}" if note else self._stage
        self._bar.update(self._task, completed=done, total=total, description=description)


def messages() -> Console:
    """Return the console for messages, which is stderr.

    Of several training processes, which accelerate numbers, only the first one shows anything.
    """
    return Console(stderr=True, quiet=os.environ.get("RANK", "0") != "0")


@contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Show stages and steps with the time left, until the block ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    if not console.is_terminal:  # where a bar, which shows nothing, would end with a blank line
        yield _Shown(bar)
        return
    with bar:
        yield _Shown(bar)
