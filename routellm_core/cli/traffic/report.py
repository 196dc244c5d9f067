"""`routellm report` and `routellm store`: what routing does; what goes into and out of a store."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...data.logs.calls import Skipped
from ...data.row_files import written_rows
from ...data.writable import check_file, unwritable
from ...errors import ConfigError, did_you_mean
from ...rules.prices import Price
from ...traffic.report.figures import Figures, Source, figures_of
from ...traffic.report.logs import requests_in_logs
from ...traffic.report.requests import requests_of
from ...traffic.report.wording import as_json, as_markdown, lines_of
from ...traffic.store.database import is_store
from ...traffic.store.export import exported
from ...traffic.store.feedback_file import read_feedback
from ...traffic.store.store import Store
from ..shared.options import StrongPrice, WeakPrice, check_is_not_read, model_prices

store_app = typer.Typer(
    name="store", help="Export or delete what shadow mode has stored.", no_args_is_help=True
)

_BATCH = 1000
_DAY_S = 86_400.0

Where = Annotated[str, typer.Argument(metavar="STORE", help="The store's file, or its URL.")]


def report(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="The store's file or URL; logs with decisions, one file or several; or http://... "
            "of a proxy's /metrics or of a Prometheus server.",
        ),
    ],
    feedback: Annotated[
        Path | None,
        typer.Option(
            help='Scores to add first, such as {"request_id": "...", "score": 1} a line.',
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    route: Annotated[str | None, typer.Option(help="Only this route.")] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE|DAYSd", help="Only requests since then: 2026-11-28T12:00, or 7d."
        ),
    ] = None,
    strong_model: Annotated[
        str | None,
        typer.Option(help="For logs: the strong model's name in LiteLLM's price table."),
    ] = None,
    weak_model: Annotated[
        str | None, typer.Option(help="For logs: the weak model's name in LiteLLM's price table.")
    ] = None,
    strong_price: StrongPrice = None,
    weak_price: WeakPrice = None,
    strong_cache_price: Annotated[
        str | None,
        typer.Option(metavar="READ", help="With --strong-price: for tokens from a prompt cache."),
    ] = None,
    weak_cache_price: Annotated[
        str | None, typer.Option(metavar="READ", help="The same for the weak model.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Token to send to http://... as a bearer token.")
    ] = None,
    json_wanted: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write the report to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Report what routing does: share, cost, saving, drift, and quality where it was judged."""
    kind = _kind(source)
    models, prices = (strong_model, weak_model), (strong_price, weak_price)
    caches = (strong_cache_price, weak_cache_price)
    if kind != "logs" and any((*models, *prices, *caches)):
        raise ConfigError(
            "price options are for logs only: a store and metrics hold the proxy's prices"
        )
    if kind == "metrics" and feedback is not None:
        raise ConfigError(
            "--feedback needs a store or logs: metrics do not identify single answers"
        )
    began = None if since is None else _time(since)
    if kind != "metrics":
        check_is_not_read(markdown, (*map(Path, source), feedback))
    if markdown is not None:
        _check_markdown(markdown)
    if kind == "metrics":
        # What asks over HTTP takes long to import.
        from ...traffic.report.metrics import read_metrics

        found = read_metrics(source[0], began, key)
    elif kind == "store":
        found = _of_store(source[0], feedback, began or 0.0)
    else:
        of_models = model_prices(models, prices, caches, required=True)
        found = _of_logs(source, feedback, began or 0.0, of_models)
    _check_route(route, [each.route for each in found])
    every = [each for each in found if route in (None, each.route)]
    if not every:
        when = "yet" if since is None else f"since {since}"
        raise ConfigError(f"{source[0]} holds no requests {when}")
    if markdown is not None:
        try:
            markdown.write_text(as_markdown(every), encoding="utf-8", errors="replace")
        except OSError as error:
            raise unwritable(markdown, error) from error
    if json_wanted:
        typer.echo(json.dumps(as_json(every)))
        return
    console = Console()
    for figures in every:
        table = Table(title=Text(figures.route), show_header=False, title_justify="left")
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in lines_of(figures):
            table.add_row(Text(name), Text(text))
        console.print(table)


def _check_markdown(path: Path) -> None:
    """Make sure that the report can be written before scores are added and figures made."""
    if not path.exists():
        check_file(path)
        return
    try:
        path.open("ab").close()  # also of a device, such as /dev/stdout
    except OSError as error:
        raise unwritable(path, error) from error


def _check_route(route: str | None, names: list[str]) -> None:
    if route is not None and names and route not in names:
        raise ConfigError(f"there is no route '{route}': {did_you_mean(route, names)}")


def _kind(source: list[str]) -> Source:
    """Return what is to be read: several files are logs, one by how it begins."""
    kinds: set[Source] = {_kind_of(each) for each in source}
    if len(source) > 1 and kinds != {"logs"}:
        raise ConfigError(
            "only logs can be several sources: give one store, or one address of metrics"
        )
    return kinds.pop()


def _kind_of(source: str) -> Source:
    if source.startswith(("http://", "https://")):
        return "metrics"
    return "store" if is_store(source) or not Path(source).is_file() else "logs"


def _of_store(where: str, feedback: Path | None, since: float) -> list[Figures]:
    opened = Store(where, make=False)
    if feedback is not None:
        _add_feedback(opened, feedback)
    return [figures_of(each) for each in requests_of(opened, since)]


def _of_logs(
    paths: list[str], feedback: Path | None, since: float, prices: tuple[Price, Price] | None
) -> list[Figures]:
    skipped = Skipped()
    scores = () if feedback is None else read_feedback(feedback)
    found = requests_in_logs(
        map(Path, paths), since=since, feedback=scores, prices=prices, skipped=skipped
    )
    for line in skipped.lines():
        typer.secho(line, err=True, fg="yellow")
    return [figures_of(each, "logs") for each in found]


@store_app.callback()
def _store() -> None:
    """Export or delete what shadow mode has stored."""


@store_app.command()
def export(
    store: Where,
    out: Annotated[Path, typer.Option(help="JSON lines to write.", dir_okay=False)],
    judged: Annotated[
        bool,
        typer.Option(
            "--judged", help="Only requests that were judged, as gold labels for `train`."
        ),
    ] = False,
    route: Annotated[
        str | None,
        typer.Option(help="Only this route, whose two models may be others than another's."),
    ] = None,
) -> None:
    """Write the sampled requests, with both answers and their known quality."""
    check_is_not_read(out, (Path(store),))
    opened, n, one_sided = Store(store, make=False), 0, 0
    rows = (row for row in exported(opened, route) if "correct" in row or not judged)
    with written_rows(out, {}) as write:
        while batch := list(islice(rows, _BATCH)):
            write(batch)
            n += len(batch)
            one_sided += sum(len(row.get("correct", {})) == 1 for row in batch)
        if not n:
            _check_route(route, [row["route"] for row in opened.routes()])
            what = "judged requests with their texts" if judged else "sampled requests with texts"
            of = "" if route is None else f" of '{route}'"
            raise ConfigError(f"the store {opened.name} holds no {what}{of}")
    typer.echo(f"{n:,} requests written to {out}")
    if judged and one_sided:
        typer.secho(
            f"for {one_sided:,} only one of the two answers was judged, which is no label of both: "
            "export without --judged, and `routellm label` judges both",
            err=True,
            fg="yellow",
        )


@store_app.command()
def forget(
    store: Where,
    older_than_days: Annotated[
        float,
        typer.Option(min=0.0, help="Delete requests that are older than this; 0 deletes all."),
    ],
) -> None:
    """Delete requests, with their answers and feedback."""
    Store(store, make=False).forget(time.time() - older_than_days * _DAY_S)


def _time(since: str) -> float:
    """Return a time as a user wrote it, in seconds since 1970."""
    try:
        if since.endswith("d"):
            return time.time() - float(since[:-1]) * _DAY_S
        found = datetime.fromisoformat(since)
        # As the report's own days are.
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ConfigError(
            f"--since is '{since}': write a date such as 2026-11-28 or 2026-11-28T12:00, or days "
            "such as 7d"
        ) from None


def _add_feedback(store: Store, path: Path) -> None:
    kept = unknown = 0
    scores = read_feedback(path)
    while batch := list(islice(scores, _BATCH)):
        added, strange = store.add_feedback(batch)
        kept, unknown = kept + added, unknown + strange
    note = f"; {unknown:,} name no answer in the store" if unknown else ""
    typer.secho(f"{kept:,} scores added{note}", err=True)
