"""`make stream`: what files of a million prompts cost to score and to calibrate on.

Each command runs in a process of its own, with one thread of BLAS. Rates are prompts for a second
of processor time, reading, writing and loading the router included, so that whatever else runs on
the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from .measure import in_fresh_process
from .prompts import make_prompts

MOST_MB = 300
LEAST_RATE = 10_000

COMMANDS = {
    "calibrate, JSON lines": "calibrate --router mf --prompts {lines} --strong-share .3",
    "calibrate, parquet": "calibrate --router mf --prompts {parquet} --strong-share .3",
    "score, JSON lines": "score --file {lines} --strong-share .3 --out {folder}/scores.jsonl",
    "score, parquet": "score --file {parquet} --strong-share .3 --out {folder}/scores.parquet",
}

CODE = """
import contextlib, io, json, sys, time
from routellm_plugins.cli import main
sys.argv = ["routellm", *{arguments!r}]
with contextlib.redirect_stdout(io.StringIO()):
    ended = None
    try:
        main()
    except SystemExit as end:
        ended = end.code
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
print(json.dumps({{"code": ended or 0, "peak_mb": peak, "seconds": time.process_time()}}))
"""

_AT_ONCE = 50_000


def short_questions(start: int, count: int) -> list[str]:
    """Return questions of about 45 characters."""
    return [
        f"Which of {at} and {at * 7 % 1000} is the larger number?"
        for at in range(start, start + count)
    ]


def chats(tokens: int) -> Callable[[int, int], list[str]]:
    """Return what makes prompts like those of chats, of about so many tokens."""
    return lambda start, count: make_prompts(tokens, count, lambda text: len(text) // 4, start)


KINDS = {
    "short questions": (short_questions, 1.0),
    "chats of 100 tokens": (chats(100), 1.0),
    "chats of 1,000 tokens": (chats(1_000), 0.1),
}
"""Of prompts: what makes them, and how many of them for each that is asked for."""


def write_prompts(
    folder: Path,
    count: int,
    make: Callable[[int, int], list[str]] = short_questions,
    note: str = "",
) -> dict[str, Path]:
    """Write prompts to a file of JSON lines and to one of parquet; return where, by name.

    Each JSON line also has the note, in a column that no command reads.
    """
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    files = {"folder": folder, "lines": folder / "p.jsonl", "parquet": folder / "p.parquet"}
    chunks = []
    with files["lines"].open("w", encoding="utf-8") as out:
        for start in range(0, count, _AT_ONCE):
            batch = make(start, min(_AT_ONCE, count - start))
            out.writelines(json.dumps({"prompt": each, "note": note}) + "\n" for each in batch)
            chunks.append(arrow.array(batch))
    # One row group: it must not be in memory as a whole either.
    prompts = arrow.chunked_array(chunks)
    parquet.write_table(arrow.table({"prompt": prompts}), files["parquet"], row_group_size=count)
    return files


def cost_of(command: str) -> dict[str, float]:
    """Run a `routellm` command; return its exit ``code``, ``peak_mb`` and ``seconds``."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    return in_fresh_process(CODE.format(arguments=command.split()))


def main() -> None:
    """Print a row of a Markdown table for each command and kind of prompt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1_000_000)
    total = parser.parse_args().prompts
    sys.stdout.write(
        "| prompts | command | memory | prompts a second |\n| --- | --- | --- | --- |\n"
    )
    for kind, (make, part) in KINDS.items():
        count = int(total * part)
        with tempfile.TemporaryDirectory() as folder:
            files = write_prompts(Path(folder), count, make)
            for name, command in COMMANDS.items():
                cost = cost_of(command.format(**files))
                assert cost["code"] == 0, name
                rate = count / cost["seconds"]
                row = f"{count:,} {kind} | {name} | {cost['peak_mb']:.0f} MB | {rate:,.0f}"
                sys.stdout.write(f"| {row} |\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
