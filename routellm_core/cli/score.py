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

from ..contracts import Router
from ..errors import ConfigError, DataError
from ..policy.policy import RoutingPolicy, checked_win_rate
from ..registry.loading import load_router
from ..registry.plugins import plugins

_BATCH = 256
_SHOWN = 1_000


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
    """Score prompts: how likely the strong model's answer is preferred."""
    texts = [*(prompts or []), *(_read(file) if file else [])]
    if not texts:
        raise ConfigError(
            f"{file} holds no prompts"
            if file
            else "nothing to score: give a prompt in quotes, or --file prompts.jsonl"
        )
    options = {"checkpoint": checkpoint} if checkpoint else {}
    policy: RoutingPolicy | None = None
    if strong_share is not None or threshold is not None:
        policy = RoutingPolicy(
            router, router_options=options, strong_share=strong_share, threshold=threshold
        )
    scored = _scores(router, load_router(router, **options), texts)
    if as_json:
        for text, win_rate in scored:
            row: dict[str, str | float] = {"prompt": text, "strong_win_rate": win_rate}
            if policy:
                row |= {"threshold": policy.threshold, "tier": _tier(policy, text, win_rate)}
            typer.echo(json.dumps(row))
        return
    console = Console()
    table = Table("strong\nwin rate")
    if policy:
        table.caption = f"threshold {policy.threshold:.4f}"
        table.add_column("goes to")
    table.add_column("prompt")
    for text, win_rate in scored:
        where = [_tier(policy, text, win_rate)] if policy else []
        table.add_row(f"{win_rate:.4f}", *where, _one_line(text, console.width - 27))
    console.print(table)


def _scores(name: str, router: Router, texts: list[str]) -> Iterator[tuple[str, float]]:
    """Yield texts and win rates, as a gateway with the same plugins would score them."""
    if plugins.intercepts_scores(name):
        for text in texts:
            yield text, checked_win_rate(plugins.score(router, name, text))
        return
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        yield from zip(batch, router.score(batch).tolist(), strict=True)


def _tier(policy: RoutingPolicy, text: str, win_rate: float) -> str:
    if not text.strip():
        return policy.settings.on_no_text
    return "strong" if win_rate >= policy.threshold else "weak"


def _one_line(text: str, width: int) -> Text:
    shown = " ".join(text[:_SHOWN].encode("utf-8", "replace").decode().split())
    line = Text("".join(char if char.isprintable() else "\ufffd" for char in shown))
    line.truncate(max(width, 10), overflow="ellipsis")
    return line


def _read(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(_decoded(path, lines), start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}, line {number}: no JSON ({error})") from error
            if not isinstance(row, dict) or not isinstance(row.get("prompt"), str):
                raise DataError(
                    f'{path}, line {number}: write an object with a "prompt", '
                    'like {"prompt": "Why is the sky blue?"}'
                )
            yield row["prompt"]


def _decoded(path: Path, lines: Iterator[str]) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error}): convert it first") from error
