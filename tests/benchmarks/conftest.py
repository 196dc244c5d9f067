"""A table of what was measured, at the end; run with `-s` to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from rich.console import Console
from rich.table import Table

Report = Callable[[str, str, str], None]


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Take what was measured, how much it was, and a note."""
    table = Table("measured", "value", "", title="From text to decision, one thread")
    table.columns[1].justify = "right"
    yield table.add_row
    Console().print("\n", table)
