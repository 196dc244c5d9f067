"""Plots of an evaluation, as PNG and SVG: same results, same bytes.

Colours are those of Okabe and Ito (2008), which colour-blind people tell apart, and no two
routers share both colour and line. The background is white, so that dark pages show them too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checkpoints.store import write_whole
from ...optional import require
from ..results import LENGTH, MIX, ORACLE, BenchmarkResult, RouterResult
from .wording import estimated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGES = "images"
"""Folder of the plots, beside the report."""

FORMATS = ("svg", "png")

BLACK, GREY = "#000000", "#6f6f6f"
ROUTER_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
ROUTER_LINES = ("-", "--", "-.")
ROUTER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_WIDTH = 7.0
"""Of every plot, in inches: 700 pixels at 100 per inch, so that text of 10 points is legible."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.dpi": 100,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": "white",
    "font.size": 10.0,
    "grid.color": "#e0e0e0",
    "grid.linewidth": 0.6,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "white",
    "savefig.dpi": 200,
    "svg.fonttype": "none",
    "svg.hashsalt": "routellm",
    "text.parse_math": False,  # a dollar in a name is a dollar
}

_METADATA = {"png": {"Software": None}, "svg": {"Creator": None, "Date": None}}
"""Versions and dates are left out, since they are no result."""

_DASHES = (0, (4, 3))

_STEPS = 25

_LONG = 20
"""Letters of a name that still leave room for two in a row."""


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of all plots, until the block ends."""
    import matplotlib.style

    # The default comes first, so that a user's own style makes no difference.
    with matplotlib.style.context(["default", _STYLE]):
        yield


@dataclass(frozen=True)
class _Look:
    colour: str
    line: str
    marker: str


@dataclass(frozen=True)
class Plot:
    """A plot of one benchmark."""

    kind: str
    """``quality``, ``reliability`` or ``scores``."""
    benchmark: str
    shows: str
    """What is to be seen, in a few words."""

    def path(self, suffix: str) -> Path:
        """Return where it lies, relative to the report.

        Args:
            suffix: one of ``FORMATS``.
        """
        return Path(IMAGES) / f"{self.benchmark}-{self.kind}.{suffix}"


def require_matplotlib() -> None:
    """Make sure that plots can be drawn, before time is spent on scores.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require("matplotlib", "eval", "drawing plots")


def write_plots(result: BenchmarkResult, folder: Path) -> list[Plot]:
    """Draw the plots of a benchmark.

    Args:
        result: what to draw.
        folder: where the folder ``IMAGES`` is made if absent.

    Returns:
        Those drawn: where no router gave scores, quality alone.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    drawings: list[tuple[str, str, Callable[[BenchmarkResult], Figure]]] = [
        ("quality", "mean quality against the share of strong calls", draw_quality)
    ]
    if _scored(result):
        drawings += [
            ("reliability", "outcomes against win rates", draw_reliability),
            ("scores", "distribution of the win rates", draw_scores),
        ]
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    plots = []
    for kind, shows, draw in drawings:
        plot = Plot(kind, result.benchmark, shows)
        figure = draw(result)
        for suffix in FORMATS:
            write_whole(folder / plot.path(suffix), image_bytes(figure, suffix))
        plots.append(plot)
    return plots


@style()
def draw_quality(result: BenchmarkResult) -> Figure:
    """Draw quality against the share of strong calls, of routers, baselines and the oracle."""
    looks = {**_looks(result), LENGTH: _Look(BLACK, ":", "")}
    columns = 2 if max(map(len, looks)) <= _LONG else 1
    figure, (axes,) = new_figure(
        f"{result.benchmark}: quality against strong calls, n = {result.n:,}",
        height=4.5 + 0.2 * math.ceil(len(looks) / columns),
    )
    shares = 100 * result.shares
    drawn = [router for router in result.results if router.name in looks and router.apgr]
    for router in sorted(drawn, key=lambda router: -router.apgr.value if router.apgr else 0):
        look, curve = looks[router.name], router.curve
        if curve is None:
            continue
        axes.fill_between(shares, curve.low, curve.high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(
            shares,
            curve.quality,
            color=look.colour,
            linestyle=look.line,
            linewidth=1.8,
            label=_with_apgr(router),
        )
    oracle, chance = result.named(ORACLE), result.named(MIX)
    if oracle.curve is not None and chance.curve is not None:
        axes.plot(shares, oracle.curve.quality, color=GREY, linewidth=1.2)
        _label(axes, _with_apgr(oracle), 50, oracle.curve.quality.max(), 5, "center", "bottom")
        axes.plot(shares, chance.curve.quality, color=GREY, linestyle=_DASHES, linewidth=1.2)
        at = int(np.searchsorted(shares, 60))
        y = chance.curve.quality[at]
        _label(axes, "chance .500", shares[at], y, -8, "left", "top")
    axes.margins(x=0, y=0.1)
    axes.set_xlabel("share of calls that go to the strong model (%)")
    axes.set_ylabel("mean quality of the answers")
    figure.legend(
        loc="outside lower center",
        title="APGR with its 95 % interval",
        ncols=columns,
        handlelength=2.6,
    )
    return figure


@style()
def draw_reliability(result: BenchmarkResult) -> Figure:
    """Draw how often the strong model was the better one against the win rate of each router."""
    found = {router.name: each for router in _scored(result) if (each := router.reliability)}
    figure, (axes,) = new_figure(
        f"{result.benchmark}: is the win rate a probability? n = {result.n:,}", height=4.6
    )
    looks = _looks(result)
    low = min(min(each.low.min(), each.score.min()) for each in found.values())
    high = max(max(each.high.max(), each.score.max()) for each in found.values())
    margin = 0.05 * max(high - low, 0.2)
    limits = max(0.0, low - margin), min(1.0, high + margin)
    axes.plot(limits, limits, color=GREY, linestyle=_DASHES, linewidth=1.2)
    corner = limits[0] + 0.03 * (limits[1] - limits[0])
    _label(axes, "calibrated", corner, corner, -4, "left", "top", rotation=45)
    for name, each in found.items():
        look = looks[name]
        axes.errorbar(
            each.score,
            each.outcome,
            yerr=np.clip([each.outcome - each.low, each.high - each.outcome], 0, None),
            color=look.colour,
            linestyle=look.line,
            linewidth=1.0,
            marker=look.marker,
            markersize=5,
            capsize=3,
            label=f"{name}\nECE {estimated(each.ece)}\nBrier {estimated(each.brier)}",
        )
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel("strong win rate, by the router")
    axes.set_ylabel("strong answer better, ties as half (share)")
    figure.legend(loc="outside right upper", labelspacing=1.0)
    return figure


@style()
def draw_scores(result: BenchmarkResult) -> Figure:
    """Draw the distribution of the win rates, a row per router, on one scale."""
    scores = {router.name: router.scores for router in _scored(result) if router.scores is not None}
    everything = np.concatenate(list(scores.values()))
    span = max(float(np.ptp(everything)), 0.01)
    edges = np.linspace(everything.min(), everything.min() + span, _STEPS + 1)
    figure, rows = new_figure(
        f"{result.benchmark}: distribution of the win rates, n = {result.n:,}",
        height=1.1 + 1.5 * len(scores),
        rows=len(scores),
    )
    looks = _looks(result)
    for axes, (name, values) in zip(rows, scores.items(), strict=True):
        colour = looks[name].colour
        weights = np.full(len(values), 100 / len(values))
        axes.hist(values, edges.tolist(), weights=weights, color=colour, alpha=0.75)
        median = float(np.median(values))
        axes.axvline(median, color=BLACK, linewidth=1.2)
        axes.margins(y=0.3)
        right = median > edges.mean()
        axes.annotate(
            f"half of the queries: {median:.3f} or more",
            (median, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-5 if right else 5, -2),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=9,
        )
        axes.set_title(name, color=colour)
        axes.set_ylabel("queries (%)")
    rows[-1].set_xlabel(f"strong win rate, in {_STEPS} equal steps")
    return figure


def new_figure(title: str, *, height: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``height`` inches, and its axes, one below the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    figure.suptitle(title, x=0.01, horizontalalignment="left", fontweight="bold")
    axes: Any = figure.subplots(rows, 1, sharex=True, squeeze=False)
    return figure, list(axes[:, 0])


@style()
def image_bytes(figure: Figure, suffix: str) -> bytes:
    """Return a figure as a file's content; ``suffix`` is one of ``FORMATS``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix, metadata=_METADATA[suffix])
    return buffer.getvalue()


def _looks(result: BenchmarkResult) -> dict[str, _Look]:
    """Return the look of each router, failed ones too, so that it is that of every benchmark."""
    names = [router.name for router in result.results if router.kind == "router"]
    colours = len(ROUTER_COLOURS)
    return {
        name: _Look(
            ROUTER_COLOURS[index % colours],
            ROUTER_LINES[index // colours % len(ROUTER_LINES)],
            ROUTER_MARKERS[index % len(ROUTER_MARKERS)],
        )
        for index, name in enumerate(names)
    }


def _scored(result: BenchmarkResult) -> list[RouterResult]:
    """Return the routers whose win rates are known; baselines have none worth showing."""
    return [each for each in result.results if each.kind == "router" and each.reliability]


def _with_apgr(router: RouterResult) -> str:
    return router.name if router.apgr is None else f"{router.name} {estimated(router.apgr)}"


def _label(
    axes: Axes,
    text: str,
    x: float,
    y: float,
    above: float,
    horizontal: str,
    vertical: str,
    rotation: float = 0,
) -> None:
    """Write in grey beside a point, ``above`` it by so many points of 1/72 inch."""
    from matplotlib.patheffects import withStroke

    axes.annotate(
        text,
        (x, y),
        xytext=(0 if horizontal == "center" else 6, above),
        textcoords="offset points",
        color=GREY,
        ha=horizontal,
        va=vertical,
        rotation=rotation,
        rotation_mode="anchor",
        zorder=1.5,  # beneath the curves
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )
