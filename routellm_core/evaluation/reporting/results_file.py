"""Write what was found as JSON: same results, same bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError
from ...version import __version__
from ..results import BenchmarkResult

RESULTS = "results.json"

_PACKAGE = "routellm-plugins"


def versions() -> dict[str, str]:
    """Return what results name as the software that they come from."""
    return {_PACKAGE: __version__, "numpy": np.__version__}


def check_results(folder: Path, page: str) -> None:
    """Make sure that a folder holds no results of something else, which would be overwritten.

    Args:
        folder: where ``RESULTS`` is to be written; need not exist.
        page: name of the page that is written beside it.

    Raises:
        ConfigError: a file there has one of the two names and is not part of such results.
    """
    taken = next((name for name in (RESULTS, page) if (folder / name).is_file()), None)
    if taken and not _is_ours(folder / RESULTS):
        raise ConfigError(
            f"{folder / taken} exists already and is not of this command: name another folder"
        )


def _is_ours(path: Path) -> bool:
    try:
        return _PACKAGE in json.loads(path.read_bytes())["versions"]
    except (OSError, ValueError, LookupError, TypeError):
        return False


def results_json(
    results: Sequence[BenchmarkResult],
    *,
    command: str,
    exclude: Collection[str] = (),
    per_query: bool = False,
) -> bytes:
    """Return the content of results.json.

    Args:
        results: by benchmark.
        command: what was run.
        exclude: SHA-256 of the prompts that were to be left out.
        per_query: also the scores, the qualities and the digest of each prompt.
    """
    content = {
        "versions": versions(),
        "command": command,
        "excluded_prompts": len(set(exclude)),
        "benchmarks": [_benchmark(result, per_query) for result in results],
    }
    return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def _benchmark(result: BenchmarkResult, per_query: bool) -> dict[str, Any]:
    content: dict[str, Any] = _plain(result)
    if not per_query:
        for column in ("strong", "weak", "prompt_sha256"):
            del content[column]
        for router in content["results"]:
            del router["scores"]
    return content


def _plain(value: Any) -> Any:
    """Return dataclasses and arrays as JSON has them; a figure that is not defined as null."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
