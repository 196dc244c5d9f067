"""Plots of an audit, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...evaluation.reporting.plots import (
    BLACK,
    GREY,
    ROUTER_COLOURS,
    image_bytes,
    new_figure,
    style,
)
from .result import Audit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _ORANGE = ROUTER_COLOURS[0], ROUTER_COLOURS[1]


def draw(audit: Audit) -> dict[str, bytes]:
    """Return the plots, by what they show, as SVG.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figures = {}
    if audit.money is not None:
        figures["Saving against the share of the strong model"] = _saving(audit)
        if len(audit.parts.get("day", ())) > 1:
            figures["Cost by day"] = _days(audit)
    figures["Distribution of the win rates"] = _scores(audit)
    return {shows: image_bytes(figure, "svg") for shows, figure in figures.items()}


_MOST_DAYS = 5
"""That are written below the days, so that none is over another."""


@style()
def _saving(audit: Audit) -> Figure:
    figure, (axes,) = new_figure("Saving against the share of the strong model", height=3.6)
    axes.plot(
        [100 * each.share for each in audit.curve],
        [100 * (each.saving or 0.0) for each in audit.curve],
        color=_BLUE,
        marker="o",
        markersize=3.5,
    )
    if audit.money:
        saving = audit.money.saving
        around = None
        if not math.isnan(saving.low):
            around = [[100 * (saving.value - saving.low)], [100 * (saving.high - saving.value)]]
        axes.errorbar(
            [100 * audit.share.value],
            [100 * saving.value],
            yerr=around,
            color=_ORANGE,
            marker="s",
            markersize=7,
            capsize=4,
            linestyle="",
            label="chosen threshold, with its 95 % interval",
            zorder=3,
        )
        axes.legend(loc="upper right")
    axes.set_xlabel("share of all calls that goes to the strong model (%)")
    axes.set_ylabel("saved over always strong (%)\nprompt caches counted")
    return figure


@style()
def _scores(audit: Audit) -> Figure:
    edges, first, later = audit.histogram
    figure, (axes,) = new_figure("Distribution of the win rates", height=3.2)
    width = edges[1] - edges[0]
    middles = [edge + width / 2 for edge in edges[:-1]]
    axes.bar(middles, first, width, color=_BLUE, alpha=0.8, label="first turns")
    axes.bar(middles, later, width, bottom=first, color=_ORANGE, alpha=0.8, label="later calls")
    if edges[0] <= audit.threshold <= edges[-1]:
        axes.axvline(audit.threshold, color=BLACK, linewidth=1.2)
        axes.annotate(
            "strong from here on",
            (audit.threshold, 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -2),
            textcoords="offset points",
            va="top",
            fontsize=9,
        )
    axes.margins(y=0.2)
    axes.set_xlabel("strong win rate, by the router")
    axes.set_ylabel("calls")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@style()
def _days(audit: Audit) -> Figure:
    days = [part for part in audit.parts["day"] if part.name[:1].isdigit()]
    figure, (axes,) = new_figure("Cost by day", height=3.2)
    places = list(range(len(days)))
    strong = [part.always_strong or 0.0 for part in days]
    routed = [part.routed or 0.0 for part in days]
    axes.plot(places, strong, color=GREY, marker="o", markersize=3.5, label="always strong")
    axes.plot(places, routed, color=_BLUE, marker="s", markersize=3.5, label="routed")
    step = max(1, math.ceil(len(days) / _MOST_DAYS))
    axes.set_xticks(places[::step], [part.name for part in days[::step]])
    axes.set_ylim(bottom=0)
    axes.set_ylabel("dollars")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
