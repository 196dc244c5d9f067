"""A server of models and a judge, and prompts for `routellm label`."""

from __future__ import annotations

import json
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
