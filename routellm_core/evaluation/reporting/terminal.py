"""Results as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from ..intervals import Estimate
from ..results import LENGTH, MIX, STRONG, WEAK, BenchmarkResult
from .wording import UNDEFINED, digits, percent, plain, signed

WIDE = 120
"""Least columns of a terminal on which an interval stands beside its figure, not below it."""

_EXACT = 1e-9
"""Relative width of an interval that is none."""

_Form = tuple[Callable[[float], str], str]
"""How a number is written, and its unit."""

_PLAIN, _SIGNED, _DIGITS, _PERCENT = (plain, ""), (signed, ""), (digits, ""), (percent, " %")

_Row = tuple[str, list[str]]


def tables(result: BenchmarkResult, width: int) -> Iterator[Table]:
    """Yield the tables of a benchmark: the gap recovered, the calls needed, each share asked for.

    Args:
        result: of the benchmark.
        width: columns of the terminal.
    """
    between = " " if width >= WIDE else "\n"

    def show(form: _Form, *estimates: Estimate | None) -> list[str]:
        return [_shown(estimate, form, between) for estimate in estimates]

    ordered = [router for router in result.results if router.name not in (STRONG, WEAK)]
    yield _table(
        f"{result.benchmark}, n = {result.n:,}",
        ["APGR", f"over\n{LENGTH}", f"over\n{MIX}", "of the\noracle's gain"],
        [
            (
                router.name,
                [
                    *(show(_PLAIN, router.apgr) if not router.error else ["failed"]),
                    *show(_SIGNED, router.over.get(LENGTH), router.over.get(MIX)),
                    *show(_PERCENT, router.share_of_oracle_gain),
                ],
            )
            for router in ordered
        ],
    )
    able = [router for router in result.results if not router.error]
    yield _table(
        f"{result.benchmark}: strong calls needed",
        ["for 50 %\nof the gap", "for 80 %\nof the gap", "APGR at RouteLLM's\n11 thresholds"],
        [
            (
                router.name,
                [*show(_PERCENT, router.cpt_50, router.cpt_80), *show(_PLAIN, router.apgr_11)],
            )
            for router in ordered
            if not router.error
        ],
    )
    for number, asked in enumerate(result.named(MIX).at):
        at = {router.name: router.at[min(number, len(router.at) - 1)] for router in able}
        yield _table(
            f"{result.benchmark} at {100 * asked.share:.4g} % strong calls, {_priced(result)}",
            ["quality", "cost", f"saved over\n{STRONG}", "saved over a mix\nof equal quality"],
            [
                (
                    name,
                    [
                        *show(_PLAIN, own.quality),
                        *show(_DIGITS, own.cost),
                        *show(_PERCENT, own.saving_over_strong, own.saving_over_random),
                    ],
                )
                for name, own in at.items()
            ],
        )


def _priced(result: BenchmarkResult) -> str:
    if result.prices is None:
        return "costs as in the file"
    return f"{result.prices.strong:g} a query strong, {result.prices.weak:g} weak"


def _table(title: str, headings: Sequence[str], rows: Sequence[_Row]) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("router", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, cells in rows:
        table.add_row(escape(name), *cells)
    return table


def _shown(estimate: Estimate | None, form: _Form, between: str) -> str:
    """Return a figure with its interval, or alone where resampling does not change it."""
    if estimate is None or math.isnan(estimate.value):
        return UNDEFINED
    write, unit = form
    value = write(estimate.value) + unit
    if estimate.high - estimate.low < _EXACT * max(1.0, abs(estimate.value)):
        return value
    return f"{value}{between}" + escape(f"[{write(estimate.low)}, {write(estimate.high)}]")
