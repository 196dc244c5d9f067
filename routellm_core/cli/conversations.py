"""`routellm conversations`: what becomes of follow-ups, by several rules."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..contracts import Router
from ..errors import ConfigError
from ..evaluation.conversations import (
    RULES,
    Figure,
    WrittenLabels,
    judge,
    load_conversations,
)
from ..policy.policy import RoutingPolicy
from ..registry.loading import load_router


def conversations(
    router: Annotated[
        str | None,
        typer.Option(help="Name of the router. Left out: one that knows the written labels."),
    ] = None,
    strong_share: Annotated[
        float | None, typer.Option(help="Share of usual traffic for the strong model.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="The same, as a threshold.")] = None,
    calibration: Annotated[
        str | None, typer.Option(help="The same, as a calibration file that holds it.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(metavar="design|test", help="Only this part; left out: all.")
    ] = None,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
) -> None:
    """Measure follow-ups: do they stay on the model that their task needs, and at what cost?

    On conversations in four languages that come with the package.
    """
    chosen = load_conversations(part=part)
    if router is None:
        if any(each is not None for each in (strong_share, threshold, calibration)):
            raise ConfigError(
                "--strong-share, --threshold and --calibration go with --router: name one, like mf"
            )
        least, name = 0.5, "the written labels"
        scorer: Router = WrittenLabels(load_conversations())
    else:
        policy = RoutingPolicy(
            router, strong_share=strong_share, threshold=threshold, calibration=calibration
        )
        scorer, least = load_router(router), policy.threshold
        name = f"{router}, threshold {least:.4f}"
    table = Table(
        "rule",
        "follow-ups\nkept on strong",
        "follow-ups of\nhard tasks strong",
        "easy after\nhard weak",
        "strong share\nof questions",
        "strong share\nof all turns",
        title=f"{len(chosen)} conversations, router: {name}",
        caption="Strong shares are relative to that of the questions, each judged by itself. "
        "In brackets: bootstrap 95 % intervals.",
    )
    for label, rule in RULES.items():
        result = judge(rule, scorer, least, chosen, draws)
        table.add_row(
            label,
            _percent(result.follow_ups_kept),
            _percent(result.hard_follow_ups),
            _percent(result.easy_released),
            _times(result.questions_ratio),
            _times(result.turns_ratio),
        )
    Console().print(table)


def _percent(figure: Figure) -> str:
    low, high = 100 * figure.low, 100 * figure.high
    return f"{100 * figure.value:.0f} %\n({low:.0f}-{high:.0f}, n={figure.count})"


def _times(figure: Figure) -> str:
    return f"{figure.value:.2f} x\n({figure.low:.2f}-{figure.high:.2f})"
