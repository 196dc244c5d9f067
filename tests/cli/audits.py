"""Logs for `routellm audit`, and what it finds in them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"
PRICES = [
    *("--strong-price", "10,30", "--strong-cache-price", "1,12.5"),
    *("--weak-price", "1,3", "--weak-cache-price", "0.1,1.25"),
]
_NUMBERS = itertools.count(1)
AT = ["--router", "length", "--threshold", "0.9"]


def row(*turns: str, **changes: Any) -> dict[str, Any]:
    """A row of LiteLLM's spend logs, with an answer between two turns."""
    messages = []
    for turn in turns:
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": "Done."}]
    return {
        "request_id": f"chatcmpl-{next(_NUMBERS)}",
        "call_type": "acompletion",
        "api_key": HASH,
        "team_id": "support",
        "startTime": "2026-11-02T10:00:00.123Z",
        "model": "gpt-4o-2024-08-06",
        "model_group": "gpt-4o",
        "prompt_tokens": 2000,
        "completion_tokens": 100,
        "spend": 0.01,
        "proxy_server_request": json.dumps({"messages": messages[:-1]}),
        "metadata": json.dumps({"usage_object": {"prompt_tokens_details": {"cached_tokens": 0}}}),
        **changes,
    }


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def found_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "audit.json").read_text())
    return found
