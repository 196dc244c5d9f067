"""Results as tables for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from .results import LENGTH, MIX, STRONG, WEAK, BenchmarkResult, Estimate

WIDE = 120
"""Least columns of a terminal on which an interval stands beside its figure, not below it."""

_EXACT = 1e-9
"""Relative width of an interval that is none."""

_Row = tuple[str, list[str]]


def tables(result: BenchmarkResult, width: int) -> Iterator[Table]:
    """Yield the tables of a benchmark: the gap recovered, the calls needed, each share asked for.

    Args:
        result: of the benchmark.
        width: columns of the terminal.
    """
    between = " " if width >= WIDE else "\n"

    def show(form: Callable[[float], str], *estimates: Estimate | None) -> list[str]:
        return [_shown(estimate, form, between) for estimate in estimates]

    ordered = [router for router in result.results if router.name not in (STRONG, WEAK)]
    yield _table(
        f"{result.benchmark}, n = {result.n:,}",
        ["APGR", f"over\n{LENGTH}", f"over\n{MIX}", "of the\noracle's gain"],
        [
            (
                router.name,
                [
                    *(show(_plain, router.apgr) if not router.error else ["failed"]),
                    *show(_signed, router.over.get(LENGTH), router.over.get(MIX)),
                    *show(_percent, router.share_of_oracle_gain),
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
                [*show(_percent, router.cpt_50, router.cpt_80), *show(_plain, router.apgr_11)],
            )
            for router in able
            if router in ordered
        ],
    )
    quality = _plain if max(result.strong.max(), result.weak.max()) <= 1 else _hundredths
    for number, asked in enumerate(result.named(MIX).at):
        at = {router.name: router.at[min(number, len(router.at) - 1)] for router in able}
        yield _table(
            f"{result.benchmark} at {100 * asked.share:.4g} % strong calls, {_priced(result)}",
            ["quality", "cost", f"saved over\n{STRONG}", "saved over a mix\nof equal quality"],
            [
                (
                    name,
                    [
                        *show(quality, own.quality),
                        *show(_digits, own.cost),
                        *show(_percent, own.saving_over_strong, own.saving_over_random),
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


def _shown(estimate: Estimate | None, form: Callable[[float], str], between: str) -> str:
    """Return a figure with its interval, or alone where resampling does not change it."""
    if estimate is None or math.isnan(estimate.value):
        return "-"
    value = form(estimate.value)
    if estimate.high - estimate.low < _EXACT * max(1.0, abs(estimate.value)):
        return value
    low, high = (form(end).removesuffix(" %") for end in (estimate.low, estimate.high))
    return f"{value}{between}" + escape(f"[{low}, {high}]")


def _plain(value: float) -> str:
    return _signed(value).removeprefix("+")


def _signed(value: float) -> str:
    text = f"{_rounded(value, 3):+.3f}"
    return text[0] + text[1:].removeprefix("0")


def _percent(value: float) -> str:
    return f"{_rounded(100 * value, 1):.1f} %"


def _hundredths(value: float) -> str:
    return f"{_rounded(value, 2):.2f}"


def _digits(value: float) -> str:
    return f"{value:.4g}"


def _rounded(value: float, digits: int) -> float:
    return round(value, digits) + 0.0  # no minus before a zero
