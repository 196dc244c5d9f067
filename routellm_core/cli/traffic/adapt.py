"""`routellm adapt`: move a router by labels of your own traffic, and say whether to deploy it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...errors import ConfigError
from ..shared.options import tell_if_cheaper
from ..shared.progress import messages, shown_progress

if TYPE_CHECKING:
    from ...evaluation.results import BenchmarkResult, Prices
    from ...traffic.adapt.adapt import Adapted
    from ...traffic.adapt.labels import Labels


def adapt(
    labels: Annotated[
        str,
        typer.Option(
            metavar="FILE|STORE",
            help="Rows with 'prompt' and the qualities 'strong' and 'weak', or 'correct' by model, "
            "as `routellm label` writes them: JSON lines, CSV or parquet. With --votes: logs of "
            "calls that were decided with `explore`. Or the store of a route with `explore`, "
            "whose feedback it holds.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the checkpoint.")],
    base: Annotated[
        str,
        typer.Option(
            "--from", help="Router to start from: mf, a folder, or a Hugging Face id of one."
        ),
    ] = "mf",
    votes: Annotated[
        Path | None,
        typer.Option(
            help="Scores of the answers that users got, such as thumbs: rows with 'request_id' and "
            "'score' from 0 to 1. Each counts by how likely its model was to be drawn.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    strong_model: Annotated[
        str | None, typer.Option(help="Name of the strong model in 'correct'.")
    ] = None,
    weak_model: Annotated[str | None, typer.Option(help="Name of the weak model.")] = None,
    route: Annotated[
        str | None,
        typer.Option(help="Of a store, the route; may be left out where only one has `explore`."),
    ] = None,
    max_quality_loss: Annotated[
        float, typer.Option(help="Maximum loss of mean quality against always strong.")
    ] = 0.02,
    confidence: Annotated[float, typer.Option(help="Confidence of that bound.")] = 0.95,
    strong_price: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="What a query costs on the strong model, in any unit, where the labels do not "
            "say; with --weak-price.",
        ),
    ] = None,
    weak_price: Annotated[
        float | None, typer.Option(min=0.0, help="The same for the weak model.")
    ] = None,
) -> None:
    """Adapt a router to labels, compare it, find its threshold, and say whether to deploy it.

    It takes seconds and learns in closed form. --out holds the checkpoint, which every adapter
    takes, and calibration.json where a threshold keeps --max-quality-loss.
    """
    from ...checkpoints.learned import count_learned, learned_hashes
    from ...data.labelled import read_labelled
    from ...data.logs.calls import Skipped
    from ...traffic.adapt.adapt import adapt as moved
    from ...traffic.adapt.adapt import check_out
    from ...traffic.adapt.base import read_base
    from ...traffic.adapt.labels import Labels
    from ...traffic.adapt.votes import read_stored_votes, read_votes
    from ...traffic.exploration.logs import read_judgements
    from ...traffic.store.database import is_store
    from ...traffic.store.store import Store

    for name, value, low in (
        ("--max-quality-loss", max_quality_loss, 0.0),
        ("--confidence", confidence, 0.5),
    ):
        if not low < value < 1:
            raise ConfigError(f"{name} is {value:g}: write a number above {low:g} and below 1")
    prices = _prices(strong_price, weak_price)
    of_store = is_store(labels)
    if route is not None and not of_store:
        raise ConfigError("--route is for a store, which keeps calls by route")
    check_out(out)
    started = read_base(base)
    skipped = Skipped()
    console = Console()
    with shown_progress(messages()) as progress:
        progress.stage("Reading the labels")
        scores = {} if votes is None else read_judgements(votes)
        if of_store:
            found = read_stored_votes(Store(labels, make=False), scores, skipped, route)
        elif votes is None:
            found = Labels.of(read_labelled(Path(labels), (strong_model, weak_model), skipped))
        else:
            found = read_votes([Path(labels)], scores, skipped)
        _tell_faults(found, (strong_model, weak_model), prices, Path(labels).name)
        learned = count_learned(found.prompts, learned_hashes(started.folder))
        if learned:
            typer.secho(
                f"'{base}' learned {learned:,} of the {len(found.prompts):,} prompts before, and "
                "is better on them than on others: the figures are too good, and the bound on the "
                "loss does not hold. Label others, or start --from a router that did not learn "
                "them",
                err=True,
                fg="yellow",
            )
        done = moved(
            started,
            found,
            out,
            name=base,
            models=(strong_model or "strong", weak_model or "weak"),
            max_loss=max_quality_loss,
            confidence=confidence,
            prices=prices,
            progress=progress,
        )
    for line in skipped.lines():
        typer.secho(line, err=True, fg="yellow")
    if done.judged is not None and done.judged.result is not None:
        console.print(_table(done.judged.result, base))
    for line in [*_lines(done, base), done.verdict, f"Written to {out}"]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _prices(strong: float | None, weak: float | None) -> Prices | None:
    from ...evaluation.results import Prices

    if strong is None and weak is None:
        return None
    if strong is None or weak is None or strong == 0:
        raise ConfigError(
            "give --strong-price and --weak-price, what a query costs on each, the first above 0"
        )
    return Prices(strong, weak)


def _tell_faults(
    labels: Labels, models: tuple[str | None, str | None], prices: Prices | None, file: str
) -> None:
    """Print a line on stderr if rows repeat prompts, one if the strong model is no better, and one
    if it is cheaper.
    """
    from ...evaluation.pair_faults import no_better
    from ...traffic.adapt.verdict import FEWEST

    n = len(labels.prompts)
    if labels.rows > n:
        typer.secho(
            f"{labels.rows:,} rows of {file} have {n:,} different prompts: each counts once, with "
            "the mean of its labels",
            err=True,
            fg="yellow",
        )
    line = no_better(float(labels.strong.mean()), float(labels.weak.mean()), file)
    if line and n >= FEWEST:
        typer.secho(line, err=True, fg="yellow")
    given = (prices.strong, prices.weak) if prices else None
    tell_if_cheaper(models, given, labels.costs, file)


def _table(result: BenchmarkResult, base: str) -> Table:
    from ...evaluation.reporting.wording import estimated, signed
    from ...evaluation.results import LENGTH, MIX
    from ...traffic.adapt.judged import ADAPTED, BASE

    table = Table(
        title=f"{result.n:,} labels, each judged by a router that did not learn it",
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("router", "APGR [95 %]", "adapted over it, paired"):
        table.add_column(heading, justify="left" if heading == "router" else "right")
    over = result.named(ADAPTED).over
    for name in (ADAPTED, BASE, LENGTH, MIX):
        shown = escape(f"{base}, {BASE}") if name == BASE else name
        difference = escape(estimated(over[name], signed)) if name in over else ""
        table.add_row(shown, escape(estimated(result.named(name).apgr)), difference)
    return table


def _lines(done: Adapted, base: str) -> list[str]:
    from ...evaluation.intervals import Estimate
    from ...evaluation.reporting.wording import estimated, percent, signed
    from ...traffic.adapt.verdict import DEPLOY

    judged = done.judged
    if judged is None:
        return [f"too few labels to move or judge a router: '{base}' is kept"]
    gap, better = judged.gap, "strong"
    if gap.value < 0:
        gap, better = Estimate(-gap.value, -gap.high, -gap.low), "weak"
    lines = [f"the {better} model's answers are better by {estimated(gap, signed)} on average"]
    if judged.keeps_base:
        lines.append(f"moving '{base}' by these labels makes it worse, so it is kept as it was")
    if judged.at is not None and judged.bounded.threshold is not None:
        saving = f", saves {estimated(judged.at.saving, percent)} %" if judged.at.saving else ""
        lines.append(
            f"at threshold {judged.bounded.threshold:.5f}: sends "
            f"{estimated(judged.at.share, percent)} % to the weak model{saving}, quality below "
            f"always strong by {estimated(judged.at.loss, signed)}"
        )
    if done.calibration is not None and done.verdict.startswith(DEPLOY):
        lines.append(
            f"set router_options: {{checkpoint: {done.calibration.parent}}} and "
            f"calibration: {done.calibration}"
        )
    return lines
