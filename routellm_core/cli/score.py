"""`routellm score`: strong win rates at the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..data.json_rows import json_objects
from ..decision import Decision
from ..errors import ConfigError, DataError
from ..policy.policy import RoutingPolicy

_BATCH = 256
_SHOWN = 1_000
_TIMEOUT_MS = 3_600_000.0
"""An hour a prompt: nobody waits for an answer here, as they do at a gateway."""

_REMEDY = 'write an object with a "prompt", like {"prompt": "Why is the sky blue?"}'


def score(
    prompts: Annotated[list[str] | None, typer.Argument(help="Prompts to score.")] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help='JSON lines, each an object with a "prompt".', exists=True, dir_okay=False
        ),
    ] = None,
    router: Annotated[str, typer.Option(help="Name of the router.")] = "mf",
    checkpoint: Annotated[
        str | None, typer.Option(help="Bundled name, folder or Hugging Face id.")
    ] = None,
    strong_share: Annotated[
        float | None,
        typer.Option(help="Also say where each goes, at this share to the strong model."),
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="The same, at this threshold.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Score prompts: how likely the strong model's answer is preferred.

    A prompt that cannot be scored gets none, the cause says why, and the exit code is 1.
    """
    texts = [*(prompts or []), *(_read(file) if file else [])]
    if not texts:
        raise ConfigError(
            f"{file} holds no prompts"
            if file
            else "nothing to score: give a prompt in quotes, or --file prompts.jsonl"
        )
    routed = strong_share is not None or threshold is not None
    policy = RoutingPolicy(
        router,
        router_options={"checkpoint": checkpoint} if checkpoint else {},
        strong_share=strong_share,
        threshold=threshold if routed else 1.0,
        timeout_ms=_TIMEOUT_MS,
    )
    decisions = _decided(policy, texts)
    if as_json:
        for text, decision in zip(texts, decisions, strict=True):
            typer.echo(json.dumps(_row(text, decision, routed)))
    else:
        _print_table(texts, decisions, routed)
    if policy.errors:
        kinds = ", ".join(f"{kind} {count}" for kind, count in policy.errors.items())
        typer.secho(f"error: router '{router}' failed on some prompts: {kinds}", err=True, fg="red")
        raise typer.Exit(1)


def _decided(policy: RoutingPolicy, texts: list[str]) -> list[Decision]:
    """Return what a gateway with the same settings and plugins would decide."""
    starts = range(0, len(texts), _BATCH)
    batches = (policy.decide_many(texts[start : start + _BATCH]) for start in starts)
    return [decision for batch in batches for decision in batch]


def _row(text: str, decision: Decision, routed: bool) -> dict[str, str | float | None]:
    row: dict[str, str | float | None] = {
        "prompt": text,
        "strong_win_rate": decision.score,
        "cause": decision.cause,
    }
    if routed:
        row |= {"threshold": decision.threshold, "tier": decision.tier}
    return row


def _print_table(texts: list[str], decisions: list[Decision], routed: bool) -> None:
    console = Console()
    table = Table("strong\nwin rate")
    if routed:
        table.caption = f"threshold {decisions[0].threshold:.4f}"
        table.add_column("goes to")
    table.add_column("prompt")
    for text, decision in zip(texts, decisions, strict=True):
        win_rate = decision.cause if decision.score is None else f"{decision.score:.4f}"
        where = [decision.tier] if routed else []
        table.add_row(win_rate, *where, _one_line(text, console.width - 27))
    console.print(table)


def _one_line(text: str, width: int) -> Text:
    shown = " ".join(text[:_SHOWN].encode("utf-8", "replace").decode().split())
    line = Text("".join(char if char.isprintable() else "\ufffd" for char in shown))
    line.truncate(max(width, 10), overflow="ellipsis")
    return line


def _read(path: Path) -> Iterator[str]:
    for where, row in json_objects(path, _REMEDY):
        if not isinstance(row.get("prompt"), str):
            raise DataError(f"{where}: {_REMEDY}")
        yield row["prompt"]
