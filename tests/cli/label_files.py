"""Labels of one's own, in the forms that people have them, and a router trained on them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Done, called

PAIR = ("--set", "strong_model=big", "--set", "weak_model=small")
NAMED = ("--strong-model", "big", "--weak-model", "small")
WORDS = ("sums", "verse", "maps", "law", "tides")
ROWS: list[dict[str, Any]] = [
    {
        "prompt": f"Question {number} about {WORDS[number % 5]}?",
        "big": int(number % 7 > 0),
        "small": int(number % 5 < 2),
    }
    for number in range(60)
]


def by_model(row: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": row["prompt"], "correct": {name: row[name] for name in ("big", "small")}}


def as_lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def write_parquet(path: Path, columns: dict[str, list[Any]]) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), path)


def own(path: Path) -> Path:
    """Write the rows in the form that the name says."""
    prompts = [row["prompt"] for row in ROWS]
    if path.name == "flat.parquet":
        of_models = {f"correct.{name}": [row[name] for row in ROWS] for name in ("big", "small")}
        write_parquet(path, {"prompt": prompts, **of_models})
    elif path.name == "text.parquet":
        texts = [json.dumps(by_model(row)["correct"]) for row in ROWS]
        write_parquet(path, {"prompt": prompts, "correct": texts})
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            file.write("prompt, correct.big, correct.small\n")
            csv.writer(file).writerows([row["prompt"], row["big"], row["small"]] for row in ROWS)
    elif path.name == "flat.jsonl":
        flat = [{f"correct.{name}": row[name] for name in ("big", "small")} for row in ROWS]
        rows = [{"prompt": row["prompt"], **own} for row, own in zip(ROWS, flat, strict=True)]
        path.write_text(as_lines(rows))
    elif path.suffix == ".json":
        indent = None if path.name == "lines.json" else 2
        path.write_text(json.dumps([by_model(row) for row in ROWS], indent=indent))
    else:
        path.write_text(as_lines([by_model(row) for row in ROWS]))
    return path


def trained(path: Path, *more: str) -> Done:
    return called("train", "mf", "--gold", str(path), "--out", str(path.parent / "router"), *more)
