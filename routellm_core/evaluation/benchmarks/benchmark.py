"""Benchmarks: queries with the quality of both models' answers, published or from a user's file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data.digests import sha256_of
from ...data.json_rows import Row
from ...data.logs.calls import Skipped
from ...errors import DataError, did_you_mean
from .own_file import Models, read_own
from .published import (
    PUBLISHED,
    REMEDY,
    STRONG_MODEL,
    WEAK_MODEL,
    published_prompts,
    read_published,
)

__all__ = [
    "CONVERSATIONS",
    "MMLU_GOLD",
    "MMLU_GOLD_SIZE",
    "STRONG_MODEL",
    "WEAK_MODEL",
    "Benchmark",
    "evaluation_prompts",
    "load_benchmark",
    "mmlu_gold_hashes",
    "read_hashes",
]

CONVERSATIONS = "conversations"
"""What ``routellm evaluate`` calls the judging of follow-ups, which has no rows of qualities."""

MMLU_GOLD = "mmlu_gold"
"""What the MMLU prompts set aside as gold labels are called: as a source to learn from, and in
``routellm evaluate --exclude``."""

MMLU_GOLD_SIZE = 1_500

_DIGEST = re.compile("[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Benchmark:
    """Queries, and how well both models answer them; the strong one better on average."""

    name: str
    prompts: list[str]
    strong: NDArray[np.float64]
    """Quality of the strong model's answers, shape (n,); more is better."""
    weak: NDArray[np.float64]
    """Quality of the weak model's, shape (n,)."""
    groups: list[str]
    """What each prompt belongs to: the subject on MMLU, the category on MT Bench."""
    units: NDArray[np.int64]
    """Which queries are resampled together: a number from 0 per independent unit, shape (n,)."""
    costs: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    """Of the strong and of the weak model's answers, each of shape (n,); None if the files do
    not tell."""
    better: NDArray[np.float64] | None = None
    """How often the strong model's answer is better, a tie counting as half, shape (n,); None: as
    the qualities say, which are those of one answer each."""
    excluded: int = 0
    """Queries left out on request."""
    repeats: int = 0
    """Labels of a file beyond the first of their query, which have gone into its means."""
    folds: NDArray[np.int64] | None = None
    """Of each query, by which of several routers it is scored, shape (n,); None: all by one.
    Scores of different folds are not put in one order: each is ranked within its fold."""

    @property
    def prompt_sha256(self) -> tuple[str, ...]:
        """SHA-256 (hex) of each prompt, as in lists of excluded prompts."""
        return tuple(sha256_of(prompt) for prompt in self.prompts)

    @property
    def data_sha256(self) -> str:
        """SHA-256 (hex) of everything in the benchmark that a result depends on."""
        digest = hashlib.sha256("\n".join(self.prompt_sha256).encode())
        for column in (self.strong, self.weak, self.units, *(self.costs or ())):
            digest.update(column.tobytes())
        if self.better is not None:
            digest.update(self.better.tobytes())
        return digest.hexdigest()


def load_benchmark(
    name: str,
    folder: Path | None = None,
    *,
    exclude: Collection[str] = (),
    models: Models = (None, None),
    skipped: Skipped | None = None,
) -> Benchmark:
    """Read a benchmark; a published one is read without its contaminated prompts.

    Args:
        name: ``mmlu``, ``gsm8k``, ``mt-bench``, or the path of a file.
        folder: the published evaluation folder; not needed for a file.
        exclude: SHA-256 (hex, of the UTF-8 prompt) of prompts to leave out, such as those a
            router was trained on.
        models: names of the strong and the weak model in a file with labels of several models.
        skipped: counts prompts of a file that lack one of the two models.

    Raises:
        DataError: the benchmark is unknown, a file is missing or invalid (the message names file
            and row), there are fewer than two independent queries, or the strong model is no
            better than the weak one on average.
    """
    everything = list(_read(name, folder, models, skipped or Skipped()))
    if not everything:
        raise DataError(f"benchmark '{name}' holds no queries: check its files")
    excluded = frozenset(exclude)
    rows = [row for row in everything if sha256_of(row.prompt) not in excluded]
    if not rows:
        raise DataError(f"benchmark '{name}': every prompt is excluded; check --exclude")
    strong, weak = (np.array([getattr(row, model) for row in rows]) for model in ("strong", "weak"))
    if strong.mean() - weak.mean() <= 1e-12 * np.abs([strong, weak]).max():
        raise DataError(
            f"benchmark '{name}': the strong model is no better on average ({strong.mean():.4g} "
            f"against {weak.mean():.4g}), so there is no gap to recover; check that 'strong' and "
            "'weak' are not swapped"
        )
    costs = np.array([row.costs for row in rows]).T if rows[0].costs else None
    if costs is not None and not costs[0].any():
        raise DataError(f"benchmark '{name}': every 'strong_cost' is 0; write what a query costs")
    units = _units(rows)
    if not units.any():
        raise DataError(
            f"benchmark '{name}' has a single query, or a single group of them: without a second "
            "there is nothing to resample; give several hundred"
        )
    return Benchmark(
        name if name in PUBLISHED else _own_name(Path(name)),
        [row.prompt for row in rows],
        strong,
        weak,
        [row.group for row in rows],
        units,
        (costs[0], costs[1]) if costs is not None else None,
        _better(rows),
        len(everything) - len(rows),
        sum(row.repeats for row in rows),
    )


def evaluation_prompts(folder: Path) -> Iterator[str]:
    """Yield the prompts of every benchmark in an evaluation folder, first turns on MT Bench.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    for name in PUBLISHED:
        yield from published_prompts(name, folder)


def mmlu_gold_hashes(folder: Path) -> list[str]:
    """Return the SHA-256 digests (hex) of the MMLU prompts set aside as gold labels.

    The bundled routers were trained on them, so results on MMLU are reported on the rest. They are
    the first ``MMLU_GOLD_SIZE`` distinct prompts, ordered by the SHA-256 of "gold:" + prompt.

    Args:
        folder: the evaluation folder.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    prompts = set(published_prompts("mmlu", folder))
    first = sorted(prompts, key=lambda prompt: sha256_of(f"gold:{prompt}"))[:MMLU_GOLD_SIZE]
    return [sha256_of(prompt) for prompt in first]


def read_hashes(path: Path) -> list[str]:
    """Return the SHA-256 digests (hex, in small letters) listed in a JSON file.

    Raises:
        DataError: the file is not a JSON array of such digests.
    """
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as JSON ({error}): give a list of SHA-256"
        ) from error
    if not isinstance(digests, list) or not all(
        isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests
    ):
        raise DataError(f"{path} is not a list of SHA-256 in hex: give one digest per prompt")
    return [digest.lower() for digest in digests]


def _read(name: str, folder: Path | None, models: Models, skipped: Skipped) -> Iterator[Row]:
    if name in PUBLISHED:
        if folder is None:
            raise DataError(f"benchmark '{name}' is read from a folder: {REMEDY} as --data")
        return read_published(name, folder)
    path = Path(name)
    if path.suffix == ".jsonl" or path.is_file():
        return read_own(path, models, skipped)
    known = did_you_mean(name, [*PUBLISHED, CONVERSATIONS])
    raise DataError(f"no benchmark '{name}': {known}, or give a .jsonl file or another table")


def _own_name(path: Path) -> str:
    """Return what to call a file: not what a published benchmark is called."""
    stem = Path(path.name.removesuffix(".gz")).stem
    name = path.name if stem in PUBLISHED else stem
    return os.fsencode(name).decode("utf-8", "replace")


def _better(rows: list[Row]) -> NDArray[np.float64] | None:
    if not any(row.repeats for row in rows):
        return None
    return np.array([row.better for row in rows], np.float64)


def _units(rows: list[Row]) -> NDArray[np.int64]:
    numbers: dict[int | str, int] = {}
    keys = (index if row.unit is None else row.unit for index, row in enumerate(rows))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)
