"""Read the benchmarks of the published RouteLLM evaluation.

The folder is ``routellm/evals`` of github.com/lm-sys/RouteLLM: ``mmlu/responses/mmlu_*.csv`` and
``gsm8k/gsm8k_responses.csv``, each with the ``contaminated_prompts.jsonl`` that is left out, and
``mt_bench/question.jsonl``.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, did_you_mean

STRONG_MODEL = "gpt-4-1106-preview"
WEAK_MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
"""The two models whose answers the published files judge, as their columns name them."""

MMLU_GOLD = "mmlu-gold"
"""What the MMLU prompts set aside as gold labels are called."""

MMLU_GOLD_SIZE = 1_500

WHERE = "give the evaluation folder of the RouteLLM repository (routellm/evals)"


@dataclass(frozen=True)
class Benchmark:
    """Queries, and how well both models answer them."""

    name: str
    prompts: list[str]
    strong: NDArray[np.float64]
    """Quality of the strong model's answers, shape (n,)."""
    weak: NDArray[np.float64]
    """Quality of the weak model's, shape (n,)."""
    groups: list[str]
    """What each prompt belongs to: the subject on MMLU."""


def load_benchmark(name: str, folder: Path, *, exclude: Collection[str] = ()) -> Benchmark:
    """Read a benchmark, without the prompts its publishers found contaminated.

    Args:
        name: ``mmlu`` or ``gsm8k``.
        folder: the evaluation folder.
        exclude: SHA-256 (hex, of the UTF-8 prompt) of prompts to leave out, such as those a
            router was trained on.

    Raises:
        DataError: the benchmark is unknown, or a file is missing or wrong; the message names
            file and row.
    """
    if name not in _FILES:
        raise DataError(f"no benchmark '{name}': {did_you_mean(name, _FILES)}")
    excluded = frozenset(exclude)
    contaminated = _contaminated(folder / name / "contaminated_prompts.jsonl")
    rows = [
        row
        for row in _read(name, folder)
        if row[1] not in contaminated and sha256_of(row[1]) not in excluded
    ]
    if not rows:
        raise DataError(f"benchmark '{name}': every prompt is excluded; check --exclude")
    groups, prompts, weak, strong = zip(*rows, strict=True)
    if sum(strong) == sum(weak):
        raise DataError(
            f"benchmark '{name}': both models are equally good on it, so there is no gap to "
            "recover; check the columns of its files"
        )
    return Benchmark(name, list(prompts), np.array(strong), np.array(weak), list(groups))


def evaluation_prompts(folder: Path) -> Iterator[str]:
    """Yield the prompts of every benchmark in an evaluation folder, first turns on MT Bench.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    for name in _FILES:
        for _, prompt, _, _ in _read(name, folder):
            yield prompt
    path = folder / "mt_bench" / "question.jsonl"
    for number, row in _json_lines(path):
        try:
            yield str(row["turns"][0])
        except (KeyError, IndexError, TypeError) as error:
            raise DataError(f"{path}, line {number}: no 'turns'; {WHERE}") from error


def mmlu_gold_hashes(folder: Path) -> list[str]:
    """Return the SHA-256 digests (hex) of the MMLU prompts set aside as gold labels.

    The bundled routers learned from them, so results on MMLU are reported on the rest. They
    are the first ``MMLU_GOLD_SIZE`` distinct prompts by the SHA-256 of "gold:" and the prompt.

    Args:
        folder: the evaluation folder.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    prompts = {prompt for _, prompt, _, _ in _read("mmlu", folder)}
    first = sorted(prompts, key=lambda prompt: sha256_of(f"gold:{prompt}"))[:MMLU_GOLD_SIZE]
    return [sha256_of(prompt) for prompt in first]


def read_hashes(path: Path) -> list[str]:
    """Return the SHA-256 digests (hex) listed in a JSON file.

    Raises:
        DataError: it is no JSON array of such digests.
    """
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as JSON ({error}): give a list of SHA-256"
        ) from error
    if not isinstance(digests, list) or not all(
        isinstance(digest, str) and len(digest) == 64 for digest in digests
    ):
        raise DataError(f"{path} is no list of SHA-256 in hex: give one digest per prompt")
    return digests


def sha256_of(prompt: str) -> str:
    """Return the digest that names a prompt in lists of excluded prompts."""
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()


_FILES = {"mmlu": "responses/mmlu_*.csv", "gsm8k": "gsm8k_responses.csv"}

_Row = tuple[str, str, float, float]


def _read(name: str, folder: Path) -> Iterator[_Row]:
    paths = sorted((folder / name).glob(_FILES[name]))
    if not paths:
        raise DataError(f"{folder / name / _FILES[name]} is missing: {WHERE}")
    for path in paths:
        yield from _read_csv(path, path.stem.removeprefix("mmlu_"))


def _read_csv(path: Path, group: str) -> Iterator[_Row]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for column in ("prompt", WEAK_MODEL, STRONG_MODEL):
                if column not in (reader.fieldnames or ()):
                    raise DataError(f"{path} has no column '{column}': {WHERE}")
            for number, row in enumerate(reader, start=1):
                where = f"{path}, row {number}"
                if not row["prompt"]:
                    raise DataError(f"{where}: the prompt is empty; restore the file")
                weak, strong = (_quality(where, row, model) for model in (WEAK_MODEL, STRONG_MODEL))
                yield group, row["prompt"], weak, strong
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}): restore it") from error


def _quality(where: str, row: dict[str, str], model: str) -> float:
    named = {"True": 1.0, "False": 0.0}
    try:
        quality = named[row[model]] if row[model] in named else float(row[model])
    except (TypeError, ValueError):
        quality = np.nan
    if not 0.0 <= quality <= 1.0:
        raise DataError(
            f"{where}: '{model}' is {row[model]!r}; write True, False or a number in [0, 1]"
        )
    return quality


def _contaminated(path: Path) -> set[str]:
    try:
        return {str(row["eval_prompt"]) for _, row in _json_lines(path)}
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: a row has no 'eval_prompt'; restore the file") from error


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
            if line.strip():
                yield number, json.loads(line)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): {WHERE}") from error
