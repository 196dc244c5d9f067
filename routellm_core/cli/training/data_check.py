"""`routellm data check`: find what is wrong with label files before training on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ...data.label_check import Report, alike_names, check_battles, check_gold
from ...data.labels import read_battles, read_gold
from ...data.tables import table_rows
from ...errors import DataError, MissingExtraError

data_app = typer.Typer(name="data", help="Check training data.", no_args_is_help=True)

_REMEDY = "give gold labels or battles: JSON lines, a JSON array or CSV, plain or gzip, or parquet"

Row = TypeVar("Row")


@data_app.callback()
def _data() -> None:
    """Check training data."""


@data_app.command()
def check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Gold labels or battles, each a source."),
    ],
    options: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Number of answer options in each prompt of the gold labels; by default, "
            "counted in the prompts.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List labels that would mislead a router: format failures, copies, conflicts, templates.

    Findings are advice: the exit code is 0. It is 2 if a file cannot be read, or a row is wrong.
    """
    console, messages = Console(), Console(stderr=True)
    messages.quiet = not messages.is_terminal
    reports: dict[Path, Report] = {}
    errors: dict[Path, Exception] = {}
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True) as bar:
        for path in dict.fromkeys(files):
            try:
                reports[path] = _checked(path, options, bar)
            except (DataError, MissingExtraError) as error:
                errors[path] = error
    across = _across(list(reports.values()))
    if as_json:
        typer.echo(json.dumps(_as_json(reports, errors, across)))
    else:
        for path, report in reports.items():
            _print(path, report, console)
        for line in across:
            console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True)
    for failure in errors.values():
        typer.secho(f"error: {failure}", err=True, fg="red")
    if errors:
        raise typer.Exit(2)


def _checked(path: Path, options: int | None, bar: Progress) -> Report:
    task = bar.add_task(f"Reading {path.name}", total=None)

    def tracked(rows: Sequence[Row]) -> Iterable[Row]:
        bar.update(task, description=f"Checking {path.name}")
        return bar.track(rows, task_id=task)

    try:
        first = next(iter(table_rows(path, _REMEDY)), (path, {}))[1]
        if "model_a" in first:
            return check_battles(tracked(read_battles(path)))
        return check_gold(tracked(read_gold(path)), options)
    finally:
        bar.remove_task(task)


def _across(reports: Sequence[Report]) -> list[str]:
    """Return the findings on names that no file has by itself."""
    models = {cell.model for report in reports for cell in report.cells}
    known = set(chain.from_iterable(report.findings for report in reports))
    return [line for line in alike_names(models) if line not in known]


def _as_json(
    reports: dict[Path, Report], errors: dict[Path, Exception], across: list[str]
) -> dict[str, Any]:
    files: list[dict[str, Any]] = [
        {
            "file": str(path),
            **asdict(report),
            "format_failures": sorted(report.format_failures),
        }
        for path, report in reports.items()
    ]
    files += [{"file": str(path), "error": str(error)} for path, error in errors.items()]
    return {"files": files, "findings": across}


def _print(path: Path, report: Report, console: Console) -> None:
    table = Table(title=Text(f"{path.name}: {_counted(report)}"))
    with_tasks = any(cell.task for cell in report.cells)
    for name in ["task"] * with_tasks + ["model"]:
        table.add_column(name, overflow="fold")
    for name in ("n", "mean", "chance", "others"):
        table.add_column(name, justify="right")
    table.add_column("finding")
    for cell in report.cells:
        names = [Text(cell.task)] * with_tasks + [Text(cell.model)]
        numbers = [_number(value) for value in (cell.mean, cell.chance, cell.others)]
        table.add_row(*names, str(cell.n), *numbers, cell.finding)
    console.print(table)
    for line in report.findings or ("no findings",):
        console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True)
    console.print()


def _counted(report: Report) -> str:
    counts = ((report.rows, "row"), (report.prompts, "prompt"))
    return ", ".join(f"{count} {word}{'s' * (count != 1)}" for count, word in counts)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
