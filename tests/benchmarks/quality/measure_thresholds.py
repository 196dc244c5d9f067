"""Measure how often what `routellm calibrate` promises holds, and what it is worth.

``python -m tests.benchmarks.quality.measure_thresholds``, with ``ROUTELLM_DATA``, prints the tables
and writes them into docs/thresholds.md, with a plot beside. Takes some minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from routellm_core import load_router
from routellm_core.data.labelled import read_labelled
from routellm_core.data.logs.calls import Skipped
from routellm_core.evaluation.benchmarks.published import read_published
from routellm_core.evaluation.reporting.plots import (
    BLACK,
    GREY,
    ROUTER_COLOURS,
    image_bytes,
    new_figure,
    style,
)
from routellm_core.rules.risk import bounded_loss
from routellm_core.rules.share import threshold_in

from .data import data_folder

Floats = NDArray[np.float64]

DRAWS = 200
N = 1000
CONFIDENCE = 0.95
LOSSES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
TARGETS = (0.1, 0.3, 0.5, 0.7)
WITHIN = 2
"""Points of per cent that a share is to be off by at most."""
PRICE = 0.05
"""Of the weak model, where the strong one's is 1."""

DOCS = Path(__file__).parents[3] / "docs"
BEGIN, END = "<!-- measured: make thresholds -->", "<!-- end of what is measured -->"

SCORERS = ("mf", "prompt length", "constant mix", "oracle")


@dataclass(frozen=True)
class Source:
    name: str
    prompts: list[str]
    strong: Floats
    weak: Floats


def sources(data: Path) -> list[Source]:
    found = []
    for name, title in (("mmlu", "MMLU"), ("gsm8k", "GSM8K")):
        rows = list(read_published(name, data / "eval" / "routellm_evals"))
        strong = np.array([float(row.strong) for row in rows])
        weak = np.array([float(row.weak) for row in rows])
        found.append(Source(title, [row.prompt for row in rows], strong, weak))
    for file, title, pair in (
        (
            "validation/gold_mmlu_pro_other_models",
            "MMLU-Pro",
            ("OpenAI/GPT-4o-2024-08-06", "OpenAI/GPT-4o-mini"),
        ),
        (
            "validation/gold_open_llm_leaderboard",
            "Leaderboard",
            (
                "meta-llama/Meta-Llama-3.1-70B-Instruct",
                "Orenguteng/Llama-3.1-8B-Lexi-Uncensored-V2",
            ),
        ),
        (
            "train/gold_gsm8k_train",
            "GSM8K train, graded",
            ("meta-math/MetaMath-Mistral-7B", "cognitivecomputations/dolphin-2.6-mistral-7b"),
        ),
    ):
        path = data / f"{file}.jsonl.gz"
        labels = list(read_labelled(path, pair, Skipped()))
        strong = np.array([row.strong for row in labels])
        weak = np.array([row.weak for row in labels])
        found.append(Source(title, [row.prompt for row in labels], strong, weak))
    return found


def scores_of(source: Source) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    noise = rng.random(len(source.prompts))
    lengths = np.array([float(len(prompt)) for prompt in source.prompts])
    router = load_router("mf")
    batches = range(0, len(source.prompts), 512)
    mf = np.concatenate([router.score(source.prompts[at : at + 512]) for at in batches])
    # Squeezed into [0, 1]; the oracle's ties are broken at random.
    oracle = (source.strong - source.weak + 1) / 2 * 0.8 + 0.2 * noise
    return dict(zip(SCORERS, (mf, lengths / (lengths + 500), noise, oracle), strict=True))


def loss_of(source: Source, goes_weak: NDArray[np.bool_]) -> float:
    return float(np.where(goes_weak, source.strong - source.weak, 0.0).mean())


def shares(scores: Floats, n: int) -> dict[float, Floats]:
    """Return by how many points the share is off in each draw of n prompts, by the share asked
    for: shape (DRAWS,).
    """
    rng = np.random.default_rng(1)
    off: dict[float, list[float]] = {target: [] for target in TARGETS}
    for _ in range(DRAWS):
        drawn = rng.integers(len(scores), size=n)
        for target in TARGETS:
            achieved = (scores >= threshold_in(scores[drawn], target)).mean()
            off[target].append(100 * (achieved - target))
    return {target: np.array(each) for target, each in off.items()}


def shares_row(name: str, n: int, off: dict[float, Floats]) -> str:
    cells = []
    for each in off.values():
        distance = np.abs(each)
        within = (distance <= WITHIN).mean()
        cells.append(f"{distance.mean():.1f} / {np.quantile(distance, 0.95):.1f} / {within:.0%}")
    return f"| {name} | {n:,} | {' | '.join(cells)} |"


def spread(target: float, n: int) -> float:
    """Return the standard deviation, in points, of the share of n prompts drawn at random."""
    return float(100 * np.sqrt(target * (1 - target) / n))


def noise(n: int) -> str:
    """Return what the share is off by if the threshold is right and n further prompts are drawn."""
    cells = []
    for target in TARGETS:
        off = stats.norm(scale=spread(target, n))
        within = off.cdf(WITHIN) - off.cdf(-WITHIN)
        low, high = stats.binom.interval(0.95, DRAWS, within)
        cells.append(
            f"{off.std() * np.sqrt(2 / np.pi):.1f} / {off.ppf(0.975):.1f} / "
            f"{within:.0%} [{low / DRAWS:.0%}, {high / DRAWS:.0%}]"
        )
    return f"| *noise of so many draws* | {n:,} | {' | '.join(cells)} |"


def beyond_noise(n: int, found: list[dict[float, Floats]]) -> str:
    """Return the mean distance with its sign, and the spread in units of that of noise."""
    cells = []
    for target in TARGETS:
        off = np.concatenate([each[target] for each in found])
        half = 1.96 * off.std() / np.sqrt(len(off))
        ratio = np.sqrt((off**2).mean()) / spread(target, n)
        cells.append(f"{off.mean():+.2f} ± {half:.2f} / {ratio:.2f}")
    return f"| *all of them, beside noise* | {n:,} | {' | '.join(cells)} |"


def table_of_shares(scores: Mapping[str, Floats]) -> list[str]:
    """Return the table of achieved shares; takes the scores by source."""
    lines, last = [], []
    for n in (N, 4 * N):
        found = {name: shares(each, n) for name, each in scores.items() if n <= len(each)}
        lines += [shares_row(name, n, off) for name, off in found.items()]
        last += [noise(n), beyond_noise(n, list(found.values()))]
    return [
        f"Mean distance from the share asked for / distance that 95 % of {DRAWS} draws keep to, in "
        f"points of per cent / how many draws are within {WITHIN} points. For noise, in brackets, "
        f"where that figure of {DRAWS} draws lies in 95 of 100 cases. *Beside noise*: mean of the "
        "signed distances, with its 95 % interval / their spread, in units of that of noise.",
        "",
        "| prompts | drawn | " + " | ".join(f"share {t:.0%}" for t in TARGETS) + " |",
        "| --- | --- |" + " --- |" * len(TARGETS),
        *lines,
        *last,
    ]


@dataclass(frozen=True)
class Cell:
    violated: int
    on_rest: int | None
    """None where hardly any rows are left."""
    qualified: int
    saved: float


def judge(source: Source, scores: Floats, max_loss: float, quantiles: Floats | None) -> Cell:
    rng = np.random.default_rng(2)
    violated = on_rest = qualified = 0
    has_rest = quantiles is not None and len(scores) > 1.2 * N
    saved = []

    def threshold_of(drawn: NDArray[np.intp]) -> float:
        found = bounded_loss(
            scores[drawn],
            source.strong[drawn],
            source.weak[drawn],
            max_loss=max_loss,
            confidence=CONFIDENCE,
            quantiles=quantiles,
        )
        return found.threshold or 0.0

    for _ in range(DRAWS):
        drawn = rng.integers(len(scores), size=N)
        threshold = threshold_of(drawn)
        goes_weak = scores < threshold
        qualified += threshold > 0
        violated += loss_of(source, goes_weak) > max_loss
        saved.append((1 - PRICE) * goes_weak.mean())
        if has_rest:
            order = rng.permutation(len(scores))
            rest = order[N:]
            goes_weak = scores[rest] < threshold_of(order[:N])
            lost = np.where(goes_weak, (source.strong - source.weak)[rest], 0.0)
            on_rest += lost.mean() > max_loss
    rest_told = on_rest if has_rest else None
    return Cell(violated, rest_told, qualified, float(np.mean(saved)))


def interval(count: int) -> str:
    found = stats.binomtest(count, DRAWS).proportion_ci(0.95)
    return f"{count / DRAWS:.1%} [{found.low:.1%}, {found.high:.1%}]"


def best_saving(source: Source, scores: Floats, max_loss: float) -> float:
    """Return what the best threshold would save, if the truth were known."""
    order = np.argsort(scores, kind="stable")
    losses = np.cumsum((source.strong - source.weak)[order]) / len(scores)
    allowed = np.flatnonzero(losses <= max_loss)
    return (1 - PRICE) * (allowed[-1] + 1 if len(allowed) else 0) / len(scores)


def measured(data: Path, say: Callable[[str], None]) -> tuple[str, bytes]:
    of_mf_by_source, lines, curves = {}, [], []
    quantiles = load_router("mf").score_quantiles
    for source in sources(data):
        scored = scores_of(source)
        of_mf_by_source[source.name] = scored["mf"]
        gap = source.strong.mean() - source.weak.mean()
        cells = {name: [] for name in SCORERS}
        for max_loss in LOSSES:
            for name in SCORERS:
                of_mf = quantiles if name == "mf" else None
                cells[name].append(judge(source, scored[name], max_loss, of_mf))
            mf = cells["mf"][-1]
            lines.append(
                f"| {source.name} | {max_loss:.2f} | {interval(mf.violated)} | "
                f"{'–' if mf.on_rest is None else f'{mf.on_rest / DRAWS:.1%}'} | "
                f"{mf.qualified / DRAWS:.0%} | "
                + " | ".join(f"{cells[name][-1].saved:.1%}" for name in SCORERS)
                + f" | {best_saving(source, scored['mf'], max_loss):.1%} |"
            )
            say(lines[-1])
        n = f"{len(source.prompts):,}"
        curves.append((f"{source.name}, {n} rows, gap {gap:.3f}".replace("0.", "."), cells))
    table = "\n".join(
        [
            *table_of_shares(of_mf_by_source),
            "",
            f"Loss of quality, {N:,} labels, confidence {CONFIDENCE}, {DRAWS} draws:",
            "",
            "| labels | loss allowed | violated | above it on the rest of a split | a threshold "
            "qualifies | cheaper than always strong: mf | prompt length | constant mix | oracle | "
            "mf, were the truth known |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            *lines,
        ]
    )
    return table, drawn(curves)


@style()
def drawn(curves: list[tuple[str, dict[str, list[Cell]]]]) -> bytes:
    figure, rows = new_figure(
        "What a bound on the loss of quality saves", height=11.5, rows=len(curves)
    )
    looks = dict(
        zip(
            SCORERS,
            ((ROUTER_COLOURS[0], "-"), (BLACK, ":"), (GREY, "--"), (GREY, "-")),
            strict=True,
        )
    )
    for axes, (source, cells) in zip(rows, curves, strict=True):
        axes.set_title(source)
        for name, each in cells.items():
            colour, line = looks[name]
            saved = [100 * cell.saved for cell in each]
            axes.plot(LOSSES, saved, color=colour, linestyle=line, marker="o", ms=3, label=name)
        axes.set_ylabel("cheaper (%)")
    rows[-1].set_xlabel("loss of mean quality allowed, at confidence .95")
    rows[0].legend()
    return image_bytes(figure, "svg")


def main() -> None:
    table, image = measured(data_folder(), print)
    (DOCS / "images" / "guarantees.svg").write_bytes(image)
    page = DOCS / "thresholds.md"
    before, _, after = page.read_text(encoding="utf-8").partition(BEGIN)
    after = after.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
