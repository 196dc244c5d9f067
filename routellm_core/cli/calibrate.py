"""`routellm calibrate`: a threshold from one's own prompts, labels or prices."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from ..checkpoints.learned import learned_by
from ..checkpoints.store import write_whole
from ..data.labelled import read_labelled
from ..data.logs.calls import Skipped, read_calls
from ..data.tables import count_rows
from ..data.writable import check_file, unwritable
from ..errors import ConfigError
from ..evaluation.calibration.choice import (
    MAX_COST,
    MAX_LOSS,
    SAVING,
    STRONG_SHARE,
    Choice,
    choose,
)
from ..evaluation.calibration.curve import points, share_interval
from ..evaluation.calibration.sample import Sample, sample_of_calls, sample_of_labels
from ..evaluation.pair_faults import no_better
from ..evaluation.reporting.calibration import (
    calibration_table,
    draw_calibration,
)
from ..evaluation.reporting.plots import FORMATS, image_bytes, require_matplotlib
from ..policy.policy import RoutingPolicy
from ..registry.loading import load_router
from ..rules.budget import Costs
from ..rules.calibration import calibration_of
from ..rules.prices import Price
from ..rules.share import NEVER
from .shared.options import (
    Checkpoint,
    OutputTokens,
    RouterName,
    RouterOptions,
    StrongPrice,
    WeakPrice,
    check_is_not_read,
    model_prices,
    options_of_router,
    tell_if_cheaper,
)
from .shared.progress import messages, shown_progress

_TIMEOUT_MS = 3_600_000.0

_RANGES = {
    STRONG_SHARE: (0.0, 1.0, "a share in [0, 1], such as 0.3"),
    SAVING: (0.0, 1.0, "the part to save in [0, 1], such as 0.6"),
    MAX_COST: (0.0, math.inf, "dollars, 0 or more, such as 4.0"),
    MAX_LOSS: (1e-6, 1 - 1e-6, "a loss of mean quality between 0 and 1, such as 0.02"),
    "confidence": (0.5, 1 - 1e-6, "how sure to be, from 0.5 to below 1, such as 0.95"),
}

_OFF = 0.01
"""A share that differs by more from the requested one is reported."""


def calibrate(
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Prompts that stand for your traffic: JSON lines, CSV or parquet with 'prompt' or "
            "'messages', or exports of LiteLLM's spend logs, OpenTelemetry, Phoenix or Langfuse.",
            dir_okay=False,
        ),
    ] = None,
    labelled: Annotated[
        Path | None,
        typer.Option(
            help="Rows with 'prompt' and the qualities 'strong' and 'weak', or 'correct' by model.",
            dir_okay=False,
        ),
    ] = None,
    router: RouterName = "mf",
    checkpoint: Checkpoint = None,
    option: RouterOptions = None,
    strong_share: Annotated[
        float | None, typer.Option(help="Share of these prompts for the strong model.")
    ] = None,
    saving: Annotated[
        float | None, typer.Option(help="How much cheaper than always strong: 0.6 is 60 %.")
    ] = None,
    max_cost_per_1k_requests: Annotated[
        float | None, typer.Option(help="Maximum dollars that 1,000 requests may cost.")
    ] = None,
    max_quality_loss: Annotated[
        float | None,
        typer.Option(help="Maximum loss of mean quality against always strong; needs --labelled."),
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Confidence of that bound; 0.95 if left out.")
    ] = None,
    strong_model: Annotated[
        str | None, typer.Option(help="Name of the strong model, in 'correct' and for its price.")
    ] = None,
    weak_model: Annotated[str | None, typer.Option(help="Name of the weak model.")] = None,
    strong_price: StrongPrice = None,
    weak_price: WeakPrice = None,
    output_tokens: OutputTokens = 300.0,
    out: Annotated[
        Path | None, typer.Option(help="Calibration file to write.", dir_okay=False)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Plot to write, .svg or .png.", dir_okay=False)
    ] = None,
) -> None:
    """Choose a threshold on your own prompts: by share, saving, cost, or a bound on quality lost.

    Prints what each threshold gives. --out writes a calibration file, which every adapter accepts
    as calibration: FILE in place of a threshold.
    """
    wishes = {
        STRONG_SHARE: strong_share,
        SAVING: saving,
        MAX_COST: max_cost_per_1k_requests,
        MAX_LOSS: max_quality_loss,
    }
    wish = _one(wishes, confidence)
    _check_files(prompts, labelled, wish, out, plot)
    options = options_of_router(option, checkpoint)
    policy = RoutingPolicy(router, threshold=1.0, router_options=options, timeout_ms=_TIMEOUT_MS)
    prices = model_prices(
        (strong_model, weak_model),
        (strong_price, weak_price),
        required=wish in (SAVING, MAX_COST),
    )
    console = Console()
    labels = sample = None
    with shown_progress(messages()) as progress:
        if labelled:
            skipped = Skipped()
            rows = read_labelled(labelled, (strong_model, weak_model), skipped)
            labels = sample_of_labels(
                policy,
                rows,
                learned=learned_by(router, checkpoint),
                total=count_rows(labelled),
                progress=progress,
            )
            _tell(skipped, labels)
        if prompts:
            skipped = Skipped()
            calls = read_calls(prompts, skipped)
            sample = sample_of_calls(policy, calls, total=count_rows(prompts), progress=progress)
            _tell(skipped, sample)
    if labels is not None and labels.strong is not None and labels.weak is not None:
        line = no_better(float(labels.strong.mean()), float(labels.weak.mean()), "these labels")
        if line:
            typer.secho(line, err=True, fg="yellow")
    traffic = sample or labels
    assert traffic is not None
    own = traffic.costs
    names = (strong_model, weak_model)
    given = prices if strong_price and weak_price else None
    tell_if_cheaper(names, given, (own.strong, own.weak) if own else None, "the file")
    costs = own or _costs(traffic, prices, output_tokens)
    loaded = load_router(router, **options)
    choice = None
    if wish is not None:
        of = labels if wish == MAX_LOSS and labels is not None else traffic
        choice = choose(
            wish,
            wishes[wish] or 0.0,
            of,
            costs=costs,
            confidence=confidence or 0.95,
            quantiles=loaded.score_quantiles,
        )
    chosen = choice.threshold if choice else None
    found = points(traffic, chosen, costs, labels)
    file = prompts or labelled
    title = f"router {router}, {len(traffic.scores):,} prompts of {file.name if file else ''}"
    console.print(calibration_table(found, chosen, title))
    if choice is not None:
        for line in _lines(choice, traffic, router, loaded.fingerprint):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if choice.threshold < NEVER and not options:  # a name has no place for options
            console.print(f"as a model name: router-{router}-{choice.threshold:.5f}", markup=False)
    if plot:
        figure = draw_calibration(found, chosen, title)
        _write(plot, image_bytes(figure, plot.suffix.lower().lstrip(".")))
    if out and choice:
        calibration = calibration_of(
            traffic.scores,
            choice.threshold,
            router=router,
            fingerprint=loaded.fingerprint,
            rule=choice.rule,
            data=traffic.digest,
            date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
            guarantee=choice.guarantee,
            later_turns=traffic.later_turns,
        )
        _write(out, calibration.as_json().encode())
        console.print(
            f"{out} is written: set calibration: {out} in place of a threshold",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _one(wishes: dict[str, float | None], confidence: float | None) -> str | None:
    """Return the one target that is given, checked to be in range; None if none is."""
    given = {name: value for name, value in wishes.items() if value is not None}
    if len(given) > 1:
        names = " and ".join(_flag(name) for name in given)
        raise ConfigError(f"{names} are given, and each sets the threshold: keep one of them")
    if confidence is not None:
        if MAX_LOSS not in given:
            raise ConfigError(
                f"--confidence only works with {_flag(MAX_LOSS)}: add that, or leave "
                "--confidence out"
            )
        given["confidence"] = confidence
    for name, value in given.items():
        low, high, what = _RANGES[name]
        if not low <= value <= high or value == math.inf:
            raise ConfigError(f"{_flag(name)} is {value:g}: write {what}")
    return next(iter(given), None)


def _check_files(
    prompts: Path | None,
    labelled: Path | None,
    wish: str | None,
    out: Path | None,
    plot: Path | None,
) -> None:
    if prompts is None and labelled is None:
        raise ConfigError("nothing to calibrate on: give --prompts FILE or --labelled FILE")
    if wish == MAX_LOSS and labelled is None:
        raise ConfigError(
            f"{_flag(MAX_LOSS)} needs labels of both models: give --labelled pairs.jsonl"
        )
    if out and wish is None:
        raise ConfigError(
            f"--out needs a threshold to write: give a target, such as {_flag(STRONG_SHARE)} 0.3"
        )
    if plot:
        if plot.suffix.lower().lstrip(".") not in FORMATS:
            raise ConfigError(f"--plot {plot}: name a file that ends in .svg or .png")
        require_matplotlib()
    for path in filter(None, (out, plot)):
        check_is_not_read(path, (prompts, labelled))
        check_file(path)


def _costs(
    sample: Sample, prices: tuple[Price, Price] | None, output_tokens: float
) -> Costs | None:
    if prices is None:
        return None
    is_known = ~np.isnan(sample.answered)
    usual = float(sample.answered[is_known].mean()) if is_known.any() else output_tokens
    if not is_known.all():
        typer.secho(
            f"{int((~is_known).sum()):,} answers of unknown length are counted as {usual:.0f} "
            "tokens" + ("" if is_known.any() else " (--output-tokens)"),
            err=True,
        )
    answered = np.where(is_known, sample.answered, usual)
    strong, weak = (price.costs(sample.given, answered) for price in prices)
    return Costs(strong, weak)


def _lines(choice: Choice, traffic: Sample, router: str, fingerprint: str | None) -> list[str]:
    share = float((traffic.scores >= choice.threshold).mean())
    low, high = share_interval(share, len(traffic.scores))
    never = choice.threshold >= NEVER
    lines = [
        f"{'a threshold that no score reaches' if never else f'threshold {choice.threshold:.5f}'}: "
        f"{share:.1%} of these prompts go to the strong model, of further ones like them {low:.1%} "
        f"to {high:.1%} (95 %)"
    ]
    if traffic.later_turns:
        lines.append(
            f"{traffic.later_turns:,} of them are later turns of conversations, scored as a "
            "gateway scores them: the share holds for conversations like these"
        )
    else:
        lines.append(
            "all of them are single prompts: in conversations, follow-ups of what goes to the "
            "strong model come on top (calibrate on logs with 'messages' to count them)"
        )
    wanted = choice.rule.get(STRONG_SHARE)
    if wanted is not None and abs(share - wanted) > max(_OFF, 1 / len(traffic.scores)):
        lines.append(
            f"{wanted:.1%} cannot be reached: many prompts have the same score, and no threshold "
            "separates them"
        )
    if not fingerprint:
        lines.append(
            f"router '{router}' has no fingerprint, so later changes go unnoticed: "
            "calibrate again after each change"
        )
    if choice.guarantee:
        lines.append(f"guaranteed: {choice.guarantee}")
    return lines


def _tell(skipped: Skipped, sample: Sample) -> None:
    for line in skipped.lines():
        typer.secho(line, err=True, fg="yellow")
    if sample.side_calls:
        typer.secho(
            f"{sample.side_calls:,} side calls, such as titles and summaries, are left out: they "
            "go to the weak model without being scored",
            err=True,
            fg="yellow",
        )
    if sample.repeated:
        typer.secho(
            f"{sample.repeated:,} labelled rows repeat the prompt of another one: each prompt "
            "counts once, with the mean of its labels",
            err=True,
            fg="yellow",
        )
    if sample.learned:
        typer.secho(
            f"the router was trained on {sample.learned:,} of the labelled prompts and is better "
            "on them than on others, so a guarantee does not hold: calibrate on labels it was "
            "not trained on",
            err=True,
            fg="yellow",
        )
    if sample.failed:
        typer.secho(
            f"scoring failed for {sample.failed:,} prompts, left out", err=True, fg="yellow"
        )


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise unwritable(path, error) from error


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
