"""A calibration as a table for a terminal, and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from ...rules.share import NEVER
from ..calibration.curve import Point
from .plots import BLACK, ROUTER_COLOURS, new_figure, require_matplotlib, style
from .wording import percent, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def threshold_text(threshold: float) -> str:
    """Return a threshold to five digits; a word for one that no score reaches."""
    return "none reaches it" if threshold >= NEVER else f"{threshold:.5f}"


def calibration_table(points: Sequence[Point], chosen: float | None, title: str) -> Table:
    """Return the table of what thresholds give; the one chosen is marked."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("threshold")
    headings = ["strong share"]
    first = points[0]
    if first.cost is not None:
        headings += ["$ per 1,000 requests", "saved"]
    if first.quality is not None:
        headings += ["quality [95 %]", "below always strong"]
    for heading in headings:
        table.add_column(heading, justify="right")
    for point in points:
        cells = [threshold_text(point.threshold), f"{percent(point.share)} %"]
        if point.cost is not None:
            cells.append(f"{point.cost:.4g}")
            cells.append("-" if point.saved is None else f"{percent(point.saved)} %")
        if point.quality is not None and point.loss is not None:
            value, low, high = point.quality
            cells += [f"{plain(value)} [{plain(low)}, {plain(high)}]", plain(point.loss)]
        is_chosen = point.threshold == chosen
        table.add_row(
            *cells[:-1], cells[-1] + (" <" if is_chosen else "  "), style="bold" * is_chosen
        )
    return table


@style()
def draw_calibration(points: Sequence[Point], chosen: float | None, title: str) -> Figure:
    """Draw what thresholds give against the strong share: the threshold, cost and quality.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    shares = [100 * point.share for point in points]
    inner = [point for point in points if 0 < point.share < 1]
    drawn: list[tuple[str, list[float], list[float]]] = [
        ("threshold", [100 * point.share for point in inner], [point.threshold for point in inner])
    ]
    if points[0].cost is not None:
        drawn.append(("$ per 1,000 requests", shares, [point.cost or 0.0 for point in points]))
    if points[0].quality is not None:
        drawn.append(
            ("mean quality", shares, [(point.quality or (0.0, 0, 0))[0] for point in points])
        )
    figure, rows = new_figure(title, height=0.9 + 2.0 * len(drawn), rows=len(drawn))
    for axes, (name, x, y), colour in zip(rows, drawn, ROUTER_COLOURS, strict=False):
        axes.plot(x, y, color=colour, marker="o", markersize=3.5)
        axes.set_ylabel(name)
        for point in points:
            if point.threshold == chosen:
                axes.axvline(100 * point.share, color=BLACK, linewidth=1.0)
    if points[0].quality is not None:
        bands = [point.quality or (0.0, 0.0, 0.0) for point in points]
        low, high = [band[1] for band in bands], [band[2] for band in bands]
        colour = ROUTER_COLOURS[len(drawn) - 1]
        rows[-1].fill_between(shares, low, high, color=colour, alpha=0.15, linewidth=0)
    rows[-1].set_xlabel("share of these prompts that goes to the strong model (%)")
    return figure
