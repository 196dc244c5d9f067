"""The tables and the plot of docs/adapt.md."""

from __future__ import annotations

import numpy as np

from routellm_core.evaluation.reporting.plots import (
    BLACK,
    GREY,
    ROUTER_COLOURS,
    ROUTER_MARKERS,
    image_bytes,
    new_figure,
    style,
)
from routellm_core.evaluation.reporting.wording import plain, signed

from .tables import BUNDLED, HONEST, SOURCES, Floats
from .ways import ADAPT, FROM_BUNDLED, LENGTH, OTHERS, PAIR, SHUFFLED, SIZES, SLOW_SPLITS

Cells = dict[tuple[str, str], dict[int, dict[str, dict[str, float]]]]
"""By source and pair, then by split."""


def means(cells: Cells, size: int, name: str, source: str | None = None) -> Floats:
    """Return the mean over splits of each pair for which there is a figure."""
    found = []
    for (of, _), splits in cells.items():
        values = [
            each[str(size)][name]
            for each in splits.values()
            if name in each.get(str(size), {}) and (source in (None, of))
        ]
        if values:
            found.append(float(np.mean(values)))
    return np.array(found)


def differences(cells: Cells, size: int, name: str, other_size: int, other: str) -> Floats:
    """Return, of each pair, the mean difference of two ways over the splits that have both."""
    found = []
    for splits in cells.values():
        values = [
            each[str(size)][name] - each[str(other_size)][other]
            for each in splits.values()
            if name in each.get(str(size), {}) and other in each.get(str(other_size), {})
        ]
        if values:
            found.append(float(np.mean(values)))
    return np.array(found)


def interval_over_pairs(values: Floats) -> tuple[float, float, float]:
    """Return the mean over pairs with a bootstrap 95 % interval over pairs."""
    rng = np.random.default_rng(0)
    drawn = values[rng.integers(0, len(values), (2000, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)


def section(cells: Cells) -> str:
    """Return the tables in Markdown."""
    splits = min(len(each) for each in cells.values())
    sizes = [size for size in SIZES if size]
    lines = [
        f"Mean APGR (chance .5) over {len(cells)} pairs of models, {splits} splits each (mf from "
        f"nothing, logistic regression, the bundled base and the control {SLOW_SPLITS}, at two "
        "sizes), with bootstrap 95 % intervals over pairs:",
        "",
        f"| labels | 0 | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|{' --- |' * (len(sizes) + 2)}",
    ]
    for name in (ADAPT, PAIR, *OTHERS, FROM_BUNDLED, SHUFFLED):
        row = [name]
        for size in SIZES:
            values = means(cells, size, name)
            mean, low, high = interval_over_pairs(values) if len(values) else (0, 0, 0)
            shown = f"{plain(mean)} [{plain(low)}, {plain(high)}]" if len(values) else "-"
            row.append(f"**{shown}**" if name == ADAPT else shown)
        lines.append(f"| {' | '.join(row)} |")
    for name in (HONEST, BUNDLED, LENGTH):
        mean, low, high = interval_over_pairs(means(cells, 0, name))
        row = [name, f"{plain(mean)} [{plain(low)}, {plain(high)}]"]
        lines.append(f"| {' | '.join(row + [''] * len(sizes))} |")
    lines += [
        "",
        "`adapt` less another, paired:",
        "",
        f"| less | {' | '.join(f'{size:,}' for size in sizes)} |",
        f"|{' --- |' * (len(sizes) + 1)}",
    ]
    for name in (PAIR, *OTHERS, HONEST, LENGTH):
        row = [name]
        for size in sizes:
            at = 0 if name in (HONEST, LENGTH) else size
            row.append(_shown(differences(cells, size, ADAPT, at, name)))
        lines.append(f"| {' | '.join(row)} |")
    early = _shown(differences(cells, 100, ADAPT, 500, PAIR))
    lines += [
        "",
        f"`adapt` with 100 labels less mf from nothing with 500: {early}.",
    ]
    return "\n".join(lines)


def _shown(values: Floats) -> str:
    if not len(values):
        return "-"
    mean, low, high = interval_over_pairs(values)
    return f"{signed(mean)} [{signed(low)}, {signed(high)}]"


@style()
def draw(cells: Cells) -> bytes:
    """Return the plot, an SVG: a row for all sources, then one for each."""
    names = [source.name for source in SOURCES if any(of == source.name for of, _ in cells)]
    rows = [None, *names]
    figure, axes = new_figure("APGR by number of labels", height=2.6 * len(rows), rows=len(rows))
    shown = (ADAPT, PAIR, "ridge", "logistic, TF-IDF", "kNN", SHUFFLED)
    for axis, source in zip(axes, rows, strict=True):
        for name, colour, marker in zip(shown, ROUTER_COLOURS, ROUTER_MARKERS, strict=False):
            points = [
                (size, means(cells, size, name, source).mean())
                for size in SIZES
                if len(means(cells, size, name, source))
            ]
            axis.plot(
                [at for at, _ in points],
                [value for _, value in points],
                color=colour,
                marker=marker,
                markersize=4,
                linewidth=2.2 if name == ADAPT else 1.2,
                label=name,
            )
        for name, colour, line in ((HONEST, BLACK, "--"), (LENGTH, GREY, ":")):
            level = means(cells, 0, name, source).mean()
            axis.axhline(level, color=colour, linestyle=line, linewidth=1.2, label=name)
        axis.set_xscale("symlog", linthresh=25)
        axis.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
        axis.minorticks_off()
        axis.set_ylabel("APGR")
        axis.set_title(source or f"all {len(cells)} pairs")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=4, loc="outside lower center")
    axes[-1].set_xlabel("labels")
    return image_bytes(figure, "svg")
