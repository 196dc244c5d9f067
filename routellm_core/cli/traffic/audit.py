"""`routellm audit`: what routing would have done with the calls in a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from ...data.writable import check_folder
from ...errors import ConfigError
from ...evaluation.reporting.plots import require_matplotlib
from ...policy.policy import RoutingPolicy
from ...traffic.audit.config_entry import config_entry
from ...traffic.audit.pages import CALIBRATION, write_audit
from ...traffic.audit.run import Found, audit_logs, changed_settings
from ...traffic.audit.sections import Table, headline, notes, tables, title
from ..shared.options import (
    Checkpoint,
    OutputTokens,
    RouterName,
    RouterOptions,
    StrongModelOfPrice,
    StrongPrice,
    WeakModelOfPrice,
    WeakPrice,
    model_prices,
    options_of_router,
)
from ..shared.progress import messages, shown_progress

_TIMEOUT_MS = 3_600_000.0
_USUAL_SHARE = 0.3
"""The share for the strong model if none is given."""


def audit(
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG",
            help="Logs: JSON lines, CSV or parquet with 'messages' or 'prompt', or exports of "
            "LiteLLM's spend logs, OpenTelemetry, Phoenix or Langfuse.",
            exists=True,
            dir_okay=False,
        ),
    ],
    router: RouterName = "mf",
    checkpoint: Checkpoint = None,
    option: RouterOptions = None,
    strong_share: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share of these prompts for the strong model. Left out: 0.3."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Instead of it, a threshold.")
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="Instead of both, a file of `routellm calibrate`.")
    ] = None,
    turns: Annotated[
        int, typer.Option(min=1, max=1000, help="How many of the user's last turns are considered.")
    ] = 20,
    sticky: Annotated[
        str,
        typer.Option(metavar="turn|conversation", help="As the setting of the same name."),
    ] = "turn",
    route: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Only calls to this model; may be repeated."),
    ] = None,
    strong_model: StrongModelOfPrice = None,
    weak_model: WeakModelOfPrice = None,
    strong_price: StrongPrice = None,
    weak_price: WeakPrice = None,
    strong_cache_price: Annotated[
        str | None,
        typer.Option(
            metavar="FROM[,INTO]",
            help="Beside --strong-price: for a million tokens read from a prompt cache, and put "
            "into it.",
        ),
    ] = None,
    weak_cache_price: Annotated[
        str | None, typer.Option(metavar="FROM[,INTO]", help="The same for the weak model.")
    ] = None,
    output_tokens: OutputTokens = 300.0,
    cache_minutes: Annotated[
        float, typer.Option(min=0.0, help="How long a prompt cache lasts after its last use.")
    ] = 5.0,
    show_prompts: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Show the text of this many prompts near the threshold."
        ),
    ] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for audit.md, audit.html, audit.json and what to paste.", file_okay=False
        ),
    ] = None,
) -> None:
    """Estimate from a log how routing would have split its calls, and what it would have saved.

    Reads logs of any length row by row. Costs include prompt caches. Quality is not estimated.
    """
    if out:
        require_matplotlib()
        check_folder(out)
    share = _share(strong_share, threshold, calibration)
    options = options_of_router(option, checkpoint)
    policy = RoutingPolicy(
        router,
        router_options=options,
        threshold=threshold if share is None else 1.0,
        calibration=calibration,
        turns=turns,
        sticky=sticky,
        timeout_ms=_TIMEOUT_MS,
    )
    prices = model_prices(
        (strong_model, weak_model),
        (strong_price, weak_price),
        (strong_cache_price, weak_cache_price),
        required=False,
    )
    with shown_progress(messages()) as progress:
        found = audit_logs(
            logs,
            policy,
            share=share,
            prices=prices,
            output_tokens=output_tokens,
            idle_s=60 * cache_minutes,
            routes=route or (),
            show_prompts=show_prompts,
            progress=progress,
        )
    if out and found.calibration:
        calibration = str(out.absolute() / CALIBRATION)
    entry = config_entry(
        strong_model,
        weak_model,
        router,
        options,
        threshold=found.audit.threshold,
        calibration=calibration,
        settings=changed_settings(policy, ("turns", "sticky")),
    )
    console, files = Console(), list[str]()
    try:  # before it is printed, perhaps to a pipe that nobody reads to its end
        if out:
            files = write_audit(out, found, entry)
    finally:
        _print(console, found, entry)
    if files:
        line = f"written to {out}: {', '.join(files)}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _share(
    strong_share: float | None, threshold: float | None, calibration: str | None
) -> float | None:
    """Return the share that is asked for; None if a threshold or a file is given."""
    given = {"--strong-share": strong_share, "--threshold": threshold, "--calibration": calibration}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise ConfigError(f"{' and '.join(named)} are given: keep one of them")
    return strong_share if named else _USUAL_SHARE


def _print(console: Console, found: Found, entry: str) -> None:
    def say(line: str, style: str | None = None) -> None:
        console.print(line, style=style, highlight=False, markup=False)

    say(title(found.audit), "bold")
    for line in headline(found.audit):
        say(line)
    for table in tables(found.audit, found.near):
        console.print(_shown(table))
    say("How it was counted", "bold")
    for line in notes(found.audit, found.skipped):
        say(f"- {line}")
    say("\nConfig entry", "bold")
    console.print(entry, highlight=False, markup=False, soft_wrap=True)


def _shown(table: Table) -> RichTable:
    shown = RichTable(title=table.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for at, heading in enumerate(table.headings):
        is_name = at == 0 or (table.is_text and at == len(table.headings) - 1)
        shown.add_column(escape(heading), justify="left" if is_name else "right", overflow="fold")
    for at, row in enumerate(table.rows):
        shown.add_row(*map(escape, row), style="bold" if at == table.bold else None)
    return shown
