"""What `routellm adapt` is worth by number of labels, beside other ways to use the same labels.

    python -m tests.benchmarks.quality.learning_curves [FOLDER]

With ``ROUTELLM_DATA``. Trains a base router without each judged source into FOLDER
(build/learning-curves), keeps the figures of each pair and split there in cells.jsonl, so that a
run that was interrupted goes on, and writes the table and the plot of
docs/adapt.md. About ten minutes of one core.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

from ..data import data_folder
from .page import Cells, draw, section
from .tables import ROOT, SOURCES, Table
from .ways import cell

PAGE = ROOT / "docs" / "adapt.md"
PLOT = ROOT / "docs" / "images" / "learning-curves.svg"
BEGIN, END = "<!-- measured: make learning-curves -->", "<!-- end of the learning curves -->"
SPLITS = 10


def measured(data: Path, folder: Path) -> Cells:
    """Return every cell, from cells.jsonl or computed now, splits in the outer loop."""
    kept = folder / "cells.jsonl"
    cells: Cells = defaultdict(dict)
    if kept.is_file():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            cells[row["source"], row["pair"]][row["split"]] = row["apgr"]
    tables = [Table(source, data, folder) for source in SOURCES]
    with kept.open("a") as file:
        for split in range(SPLITS):
            for source, table in zip(SOURCES, tables, strict=True):
                for pair in table.pairs():
                    name = f"{table.models[pair[0]]} over {table.models[pair[1]]}"
                    if split in cells[source.name, name]:
                        continue
                    found = cell(table, pair, split)
                    cells[source.name, name][split] = found
                    row = {"source": source.name, "pair": name, "split": split, "apgr": found}
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    return cells


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "learning-curves")
    folder.mkdir(parents=True, exist_ok=True)
    cells = measured(data_folder(), folder)
    text = section(cells)
    print(text)  # noqa: T201
    PLOT.write_bytes(draw(cells))
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
