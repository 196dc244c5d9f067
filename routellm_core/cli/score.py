"""`routellm score`: strong win rates at the terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import ConfigError, DataError, ScoringError
from ..policy import RoutingPolicy, checked_win_rate
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
        typer.Option(help="Also show where each goes, at this share to the strong model."),
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
    if strong_share is not None or threshold is not None:
        policy = RoutingPolicy(
            router, router_options=options, strong_share=strong_share, threshold=threshold
        )
        limit = policy.threshold
        rows = _in_batches(texts, lambda batch: _decided(policy, batch))
    else:
        limit = None
        rows = _in_batches(texts, _scorer(router, options))
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row.as_json(limit)))
        return
    console = Console()
    table = Table("strong\nwin rate")
    if limit is not None:
        table.caption = f"threshold {limit:.4f}"
        table.add_column("goes to")
    table.add_column("prompt")
    for row in rows:
        rate = row.cause if row.win_rate is None else f"{row.win_rate:.4f}"
        where = [] if row.model is None else [row.model]
        table.add_row(rate, *where, _one_line(row.text, console.width - 27))
    console.print(table)


@dataclass(frozen=True)
class _Row:
    """What is shown of a prompt."""

    text: str
    win_rate: float | None
    """None if there is none; ``cause`` says why."""
    cause: str
    """As in ``Decision``."""
    model: str | None
    """Where it goes; None without a threshold."""

    def as_json(self, threshold: float | None) -> dict[str, str | float | None]:
        row = {"prompt": self.text, "strong_win_rate": self.win_rate, "cause": self.cause}
        return row if threshold is None else {**row, "threshold": threshold, "tier": self.model}


def _in_batches(
    texts: Sequence[str], rows: Callable[[Sequence[str]], list[_Row]]
) -> Iterator[_Row]:
    for start in range(0, len(texts), _BATCH):
        yield from rows(texts[start : start + _BATCH])


def _decided(policy: RoutingPolicy, texts: Sequence[str]) -> list[_Row]:
    """Return where texts go, as a gateway with the same settings and plugins decides."""
    decisions = policy.decide_many(texts)
    return [
        _Row(text, decision.score, decision.cause, decision.model)
        for text, decision in zip(texts, decisions, strict=True)
    ]


def _scorer(name: str, options: dict[str, str]) -> Callable[[Sequence[str]], list[_Row]]:
    """Return what scores texts without deciding; blank texts too, and without a time budget."""
    router = load_router(name, **options)

    def answers(texts: Sequence[str]) -> Sequence[object]:
        if plugins.intercepts_scores(name):
            return [plugins.score(router, name, text) for text in texts]
        return list(router.score(texts))

    def rows(texts: Sequence[str]) -> list[_Row]:
        try:
            given = answers(texts)
            if len(given) != len(texts):
                raise ScoringError(f"{len(given)} scores were given for {len(texts)} texts")
            rates = [checked_win_rate(answer) for answer in given]
        except Exception as error:
            if len(texts) == 1:
                return [_Row(texts[0], None, f"error:{type(error).__name__}", None)]
            # One by one, so that a text that cannot be scored costs no other its score.
            return [row for text in texts for row in rows([text])]
        return [_Row(text, rate, "score", None) for text, rate in zip(texts, rates, strict=True)]

    return rows


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
