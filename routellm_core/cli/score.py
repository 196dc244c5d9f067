"""`routellm score`: strong win rates at the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..data.row_files import written_rows
from ..data.tables import count_rows, table_rows
from ..decision import Decision
from ..errors import ConfigError, DataError
from ..policy.policy import RoutingPolicy
from .shared.options import (
    Checkpoint,
    RouterName,
    RouterOptions,
    check_is_not_read,
    options_of_router,
)
from .shared.progress import messages, shown_progress

_BATCH = 512
_SHOWN = 1_000
_ROWS = 1_000
"""How many prompts a table shows."""

_TIMEOUT_MS = 3_600_000.0
"""An hour per prompt: unlike at a gateway, nobody waits for an answer."""

_COLUMNS: dict[str, type] = {"prompt": str, "strong_win_rate": float, "cause": str}
_ROUTED: dict[str, type] = {"threshold": float, "tier": str}

_REMEDY = 'write an object with a "prompt", like {"prompt": "Why is the sky blue?"}'


def score(
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="PROMPT", help="Prompts to score.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help='JSON lines, CSV or parquet; each row has a "prompt".', exists=True, dir_okay=False
        ),
    ] = None,
    router: RouterName = "mf",
    checkpoint: Checkpoint = None,
    option: RouterOptions = None,
    strong_share: Annotated[
        float | None,
        typer.Option(help="Also say where each goes, at this share to the strong model."),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="The same, at this threshold.")] = None,
    calibration: Annotated[
        str | None, typer.Option(help="The same, with the threshold of this calibration file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Write them to a file: parquet, or else JSON lines.", dir_okay=False),
    ] = None,
) -> None:
    """Score prompts: how likely the strong model's answer is preferred.

    If the router fails on a prompt, the prompt has no score, the cause says why, and the exit code
    is 1. A prompt without text has no score either (no_text), which is not a failure.
    """
    if not prompts and file is None:
        raise ConfigError("nothing to score: give a prompt in quotes, or --file prompts.jsonl")
    if as_json and out:
        raise ConfigError("--json prints and --out writes: keep one of them")
    check_is_not_read(out, (file,))
    routed = any(each is not None for each in (strong_share, threshold, calibration))
    policy = RoutingPolicy(
        router,
        router_options=options_of_router(option, checkpoint),
        strong_share=strong_share,
        threshold=threshold if routed else 1.0,
        calibration=calibration,
        timeout_ms=_TIMEOUT_MS,
    )
    total = len(prompts or ()) + (count_rows(file) if file else 0)
    columns = _COLUMNS | (_ROUTED if routed else {})
    shown: list[tuple[str, Decision]] = []
    done = 0
    sink = written_rows(out, columns) if out else nullcontext(None)
    with shown_progress(messages()) as progress, sink as write:
        progress.stage(f"Scoring with {router}")
        for batch in _batches(_texts(prompts or (), file)):
            decisions = policy.decide_many(batch)
            rows = [_row(text, each, routed) for text, each in zip(batch, decisions, strict=True)]
            if as_json:
                typer.echo("\n".join(map(json.dumps, rows)))
            elif write:
                write(rows)
            else:
                room = _ROWS - len(shown)
                shown += list(zip(batch, decisions, strict=True))[:room]
            done += len(batch)
            progress.step(done, max(done, total))
        if not done:
            raise ConfigError(f"{file} holds no prompts")
    if shown:
        _print_table(shown, routed)
        if done > len(shown):
            typer.echo(f"... and {done - len(shown):,} more: --json or --out FILE gives all")
    if policy.errors:
        kinds = ", ".join(f"{kind} {count}" for kind, count in policy.errors.items())
        typer.secho(f"error: router '{router}' failed on some prompts: {kinds}", err=True, fg="red")
        raise typer.Exit(1)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while batch := list(islice(remaining, _BATCH)):
        yield batch


def _row(text: str, decision: Decision, routed: bool) -> dict[str, str | float | None]:
    row: dict[str, str | float | None] = {
        "prompt": text,
        "strong_win_rate": decision.score,
        "cause": decision.cause,
    }
    if routed:
        row |= {"threshold": decision.threshold, "tier": decision.tier}
    return row


def _print_table(shown: list[tuple[str, Decision]], routed: bool) -> None:
    console = Console()
    table = Table("strong\nwin rate")
    if routed:
        table.caption = f"threshold {shown[0][1].threshold:.4f}"
        table.add_column("goes to")
    table.add_column("prompt")
    for text, decision in shown:
        win_rate = decision.cause if decision.score is None else f"{decision.score:.4f}"
        where = [decision.tier] if routed else []
        table.add_row(win_rate, *where, _one_line(text, console.width - 27))
    console.print(table)


def _one_line(text: str, width: int) -> Text:
    shown = " ".join(text[:_SHOWN].encode("utf-8", "replace").decode().split())
    line = Text("".join(char if char.isprintable() else "\ufffd" for char in shown))
    line.truncate(max(width, 10), overflow="ellipsis")
    return line


def _texts(prompts: Sequence[str], file: Path | None) -> Iterator[str]:
    yield from prompts
    for where, row in table_rows(file, _REMEDY) if file else ():
        if not isinstance(row.get("prompt"), str):
            raise DataError(f"{where}: {_REMEDY}")
        yield row["prompt"]
