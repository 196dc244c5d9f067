"""What files of many prompts cost in memory: rows are read, scored and written as they come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .stream import COMMANDS, LEAST_RATE, MOST_MB, cost_of, write_prompts

PROMPTS = 100_000
NOTE = "x" * 3_000
"""In each JSON line: all rows together have as many MB as a command may take."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    pytest.importorskip("pyarrow")
    return write_prompts(tmp_path_factory.mktemp("many"), PROMPTS, note=NOTE)


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", COMMANDS)
def test_memory_of_many_prompts(benchmark, report, files, name):
    command = COMMANDS[name].format(**files)
    cost = benchmark.pedantic(cost_of, (command,), rounds=1)
    assert cost["code"] == 0
    rate = PROMPTS / cost["seconds"]
    report(name, f"{cost['peak_mb']:.0f} MB", f"{PROMPTS:,} prompts, {rate:,.0f} a second")
    assert cost["peak_mb"] <= MOST_MB
    assert rate >= LEAST_RATE
