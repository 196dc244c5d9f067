"""Read the published evaluation of RouteLLM: MMLU, GSM8K and MT Bench.

The folder is ``routellm/evals`` of github.com/lm-sys/RouteLLM: ``mmlu/responses/mmlu_*.csv``,
``gsm8k/gsm8k_responses.csv``, ``mt_bench/question.jsonl`` and ``mt_bench/judgements.jsonl``, each
beside the ``contaminated_prompts.jsonl`` that is left out.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...data.json_rows import Row, json_objects, number, numbered_lines, shown
from ...errors import DataError

STRONG_MODEL = "gpt-4-1106-preview"
WEAK_MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
"""The two models whose answers the published files judge, as their columns name them."""

REMEDY = "give the evaluation folder of the RouteLLM repository (routellm/evals)"

_RESTORE = "restore the published file"


def read_published(name: str, folder: Path) -> Iterator[Row]:
    """Yield the rows of a benchmark, contaminated ones left out.

    Args:
        name: one of ``PUBLISHED``.
        folder: the evaluation folder.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    own, read = PUBLISHED[name]
    path = folder / own / "contaminated_prompts.jsonl"
    contaminated = {
        str(_get(where, row, "eval_prompt")) for where, row in json_objects(path, REMEDY)
    }
    return read(folder / own, contaminated)


def published_prompts(name: str, folder: Path) -> Iterator[str]:
    """Yield all prompts of a benchmark, contaminated ones too; first turns on MT Bench.

    Raises:
        DataError: a file is missing or wrong; the message names file and row.
    """
    own, read = PUBLISHED[name]
    return (row.prompt for row in read(folder / own, set()))


def _mmlu(folder: Path, contaminated: set[str]) -> Iterator[Row]:
    paths = sorted((folder / "responses").glob("mmlu_*.csv"))
    if not paths:
        raise DataError(f"{folder / 'responses' / 'mmlu_*.csv'} is missing: {REMEDY}")
    for path in paths:
        yield from _csv(path, path.stem.removeprefix("mmlu_"), contaminated)


def _gsm8k(folder: Path, contaminated: set[str]) -> Iterator[Row]:
    return _csv(folder / "gsm8k_responses.csv", "", contaminated)


def _mt_bench(folder: Path, contaminated: set[str]) -> Iterator[Row]:
    """A question is one row: its first turn routes all turns, so their mean score is its quality.

    As in RouteLLM, a question is contaminated if one of its turns is.
    """
    scores = _judgements(folder / "judgements.jsonl")
    for where, row in json_objects(folder / "question.jsonl", REMEDY):
        question, turns = _get(where, row, "question_id"), _get(where, row, "turns")
        if not isinstance(turns, list) or not turns or not all(isinstance(t, str) for t in turns):
            raise DataError(f"{where}: 'turns' is {shown(turns)}: {_RESTORE}")
        if not contaminated.isdisjoint(turns):
            continue
        quality = {}
        for model in (STRONG_MODEL, WEAK_MODEL):
            judged = scores.get((str(question), model), {})
            if sorted(judged) != list(range(1, len(turns) + 1)):
                raise DataError(
                    f"{where}: judgements.jsonl beside it has turns {sorted(judged)} of question "
                    f"{question} by {model}, not 1 to {len(turns)}: {_RESTORE}"
                )
            quality[model] = float(np.mean([judged[turn] for turn in sorted(judged)]))
        group = str(row.get("category", ""))
        yield Row(turns[0], quality[STRONG_MODEL], quality[WEAK_MODEL], group)


def _judgements(path: Path) -> dict[tuple[str, str], dict[int, float]]:
    """Return the score of each turn, by question and model."""
    scores: dict[tuple[str, str], dict[int, float]] = {}
    for where, row in json_objects(path, REMEDY):
        key = (str(_get(where, row, "question_id")), str(_get(where, row, "model")))
        turn = int(number(where, row, "turn", "1 or 2"))
        score = number(where, row, "score", "a score from 1 to 10")
        if not 1 <= score <= 10:
            raise DataError(f"{where}: 'score' is {score:g}: write a score from 1 to 10")
        if turn in scores.setdefault(key, {}):
            raise DataError(f"{where}: turn {turn} of question {key[0]} occurs twice: {_RESTORE}")
        scores[key][turn] = score
    return scores


def _csv(path: Path, group: str, contaminated: set[str]) -> Iterator[Row]:
    reader = csv.DictReader([line for _, line in numbered_lines(path, REMEDY)])
    try:
        for column in ("prompt", WEAK_MODEL, STRONG_MODEL):
            if column not in (reader.fieldnames or ()):
                raise DataError(f"{path} has no column '{column}': {REMEDY}")
        for row_number, row in enumerate(reader, start=1):
            where = f"{path}, row {row_number}"
            if not row["prompt"]:
                raise DataError(f"{where}: the prompt is empty: {_RESTORE}")
            weak, strong = (_correct(where, row, model) for model in (WEAK_MODEL, STRONG_MODEL))
            if row["prompt"] not in contaminated:
                yield Row(row["prompt"], strong, weak, group)
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}: {_RESTORE}") from error


def _correct(where: str, row: dict[str, str], model: str) -> float:
    named = {"True": 1.0, "False": 0.0}
    try:
        quality = named[row[model]] if row[model] in named else float(row[model])
    except (TypeError, ValueError):
        quality = np.nan
    if not 0.0 <= quality <= 1.0:
        raise DataError(
            f"{where}: '{model}' is {shown(row[model])}; write True, False or a number in [0, 1]"
        )
    return quality


def _get(where: str, row: dict[str, Any], column: str) -> Any:
    if column not in row:
        raise DataError(f"{where}: no '{column}': {_RESTORE}")
    return row[column]


PUBLISHED: dict[str, tuple[str, Callable[[Path, set[str]], Iterator[Row]]]] = {
    "mmlu": ("mmlu", _mmlu),
    "gsm8k": ("gsm8k", _gsm8k),
    "mt-bench": ("mt_bench", _mt_bench),
}
"""Folder and reader of each published benchmark, by name."""
