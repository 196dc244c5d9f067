"""Runs `routellm label` on a few prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cli.command import Done, called
from tests.fakes.judge_upstream import BIG, JUDGE, SMALL, JudgeUpstream

N = 12
"""Prompts."""


def label(upstream: JudgeUpstream, prompts: Path, *more: str) -> Done:
    out = prompts.parent / "labels.jsonl"
    return called(
        *("label", "--prompts", str(prompts), "--out", str(out), "--base-url", upstream.url),
        *("--strong-model", BIG, "--weak-model", SMALL, "--retries", "0", "--workers", "2"),
        *(
            more
            if "--judge" in more or "--judge-model" in more
            else (*more, "--judge-model", JUDGE)
        ),
    )


def labels(prompts: Path) -> list[dict[str, Any]]:
    text = (prompts.parent / "labels.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]
