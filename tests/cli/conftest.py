"""A server of models and a judge, and prompts for `routellm label`; a process that hears SIGINT."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.judge_upstream import JudgeUpstream

from .labelling import N


@pytest.fixture
def upstream() -> Iterator[JudgeUpstream]:
    with JudgeUpstream() as server:
        yield server


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    rows = [
        {"prompt": f"{'hard' if number % 3 == 0 else 'easy'} question {number}", "answer": "Right"}
        for number in range(N)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have SIGINT interrupt this process: jobs in the background of a shell ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
