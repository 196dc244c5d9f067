"""`routellm check`: report the mistakes in a LiteLLM config without starting anything."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from routellm_core import ConfigError

from .report import HANDLER, ConfigReport, check_config, lacks_handler, read_config
from .settings import ANY


def check(
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The LiteLLM proxy's config.yaml.")
    ],
) -> None:
    """Report mistakes in the routed aliases of a LiteLLM config; exit code 2 if there are any."""
    # The log would repeat, less exactly, what is printed here.
    logging.getLogger("routellm_core").addHandler(logging.NullHandler())
    content = read_config(config)
    report = check_config(content)
    problems = [*report.problems]
    if not report.routes and not problems:
        raise ConfigError(f"{config}: no model_list entry has model_info.routellm")
    if lacks_handler(content):
        problems.append(
            f"litellm_settings: nothing is routed unless 'callbacks' lists {HANDLER}: "
            f"write callbacks: [{HANDLER}]"
        )
    for warning in report.warnings:
        typer.secho(f"warning: {warning}", err=True, fg="yellow")
    for problem in problems:
        typer.secho(f"error: {problem}", err=True, fg="red")
    if problems:
        raise typer.Exit(2)
    Console().print(_summary(report))


def _summary(report: ConfigReport) -> Table:
    table = Table()
    table.add_column("alias", overflow="fold")
    for column in ("router", "strong at or above", "strong", "weak", "overrides"):
        table.add_column(column)
    for route, policy in report.routes:
        by_name = policy is None
        settings = route.settings
        router = "as named" if by_name else settings.router
        threshold = "as named" if policy is None else f"{policy.threshold:.4f}"
        if settings.calibration is not None:
            threshold += f" ({settings.calibration})"
        elif policy is not None and policy.aim.share is not None:
            threshold += f" ({policy.aim.share:.0%} of usual traffic)"
        limits = settings.allow_override or (ANY if by_name else None)
        allowed = "nothing" if limits is None else str(limits)
        name = f"{route.name} (observed)" if settings.observe else route.name
        table.add_row(name, router, threshold, settings.strong, settings.weak, allowed)
    return table
