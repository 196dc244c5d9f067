"""`routellm explored`: quality and saving of routing, from calls that went elsewhere at random."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ...data.logs.calls import Skipped
from ...errors import ConfigError
from ...evaluation.reporting.wording import UNDEFINED, percent, plain
from ...traffic.exploration.estimate import Bounded, estimate
from ...traffic.exploration.logs import read_explored, read_judgements
from ...traffic.exploration.stored import route_explored
from ...traffic.store.database import is_store
from ...traffic.store.store import Store
from ..shared.options import (
    StrongModelOfPrice,
    StrongPrice,
    WeakModelOfPrice,
    WeakPrice,
    model_prices,
)


def explored(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="LiteLLM's spend logs, or rows with the metadata of decisions, one file or "
            "several; or the file or URL of the store of a route with `explore`.",
        ),
    ],
    judgements: Annotated[
        Path | None,
        typer.Option(
            help="For logs: rows with 'request_id' and 'score' from 0 to 1, such as thumbs. To a "
            "store, `routellm report STORE --feedback FILE` adds them.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    strong_model: StrongModelOfPrice = None,
    weak_model: WeakModelOfPrice = None,
    strong_price: StrongPrice = None,
    weak_price: WeakPrice = None,
    route: Annotated[
        str | None,
        typer.Option(help="Of a store, the route; may be left out where only one has `explore`."),
    ] = None,
) -> None:
    """Estimate quality and saving of routing without bias, from calls with `explore`.

    The intervals stay valid however often you look at them.
    """
    prices = model_prices((strong_model, weak_model), (strong_price, weak_price), required=False)
    skipped = Skipped()
    if any(map(is_store, source)):
        if len(source) > 1 or judgements is not None:
            raise ConfigError(
                "give one store alone: its scores are in it, and `routellm report STORE --feedback "
                "FILE` adds others"
            )
        calls = route_explored(Store(source[0], make=False), route)
    else:
        if route is not None:
            raise ConfigError("--route is for a store, which keeps calls by route")
        judged = {} if judgements is None else read_judgements(judgements)
        calls = read_explored(map(Path, source), judged, skipped)
    found = estimate(calls, prices)
    table = Table(
        title=f"{found.calls:,} calls, {found.explored:,} of them sent to the other model; judged: "
        f"{found.judged:,}, {found.judged_explored:,} of them there",
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
    )
    table.add_column("without exploration")
    table.add_column("estimate", justify="right")
    table.add_column("95 % at all times", justify="right")
    rows = [
        ("quality lost to always strong (IPS, exact)", found.loss_ips),
        ("quality lost to always strong (DR)", found.loss_dr),
        ("quality of routing (DR)", found.routed),
        ("quality of always strong (DR)", found.strong),
        ("quality of always weak (DR)", found.weak),
    ]
    for name, each in rows:
        table.add_row(name, *_cells(each, plain))
    if found.saving is not None:
        table.add_row("saved over always strong, % (DR)", *_cells(found.saving, percent))
    console = Console()
    console.print(table)
    if not found.judged:
        console.print(
            "No answer is judged, so nothing is said of quality: give --judgements FILE with logs, "
            "or add scores to a store with `routellm report STORE --feedback FILE`"
        )
    for line in skipped.lines():
        typer.secho(line, err=True, fg="yellow")


def _cells(found: Bounded, write: Callable[[float], str]) -> tuple[str, str]:
    if math.isnan(found.value):
        return UNDEFINED, UNDEFINED
    ends = UNDEFINED if math.isnan(found.low) else f"{write(found.low)} to {write(found.high)}"
    return write(found.value), ends
