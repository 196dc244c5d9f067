"""What `routellm adapt` is worth by number of labels, beside other ways to use the same labels.

    python -m tests.benchmarks.learning_curves [FOLDER]

With ``ROUTELLM_DATA``. Trains a base router without each judged source into FOLDER
(build/learning-curves), keeps the figures of each pair and split there in cells.jsonl, so that a
run that was interrupted goes on, and writes the table and the plot of docs/own-traffic.md.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.neighbors import KNeighborsRegressor

from routellm_core.data.label_check import check_gold
from routellm_core.data.labels import read_gold
from routellm_core.data.outcomes import Outcomes
from routellm_core.evaluation.metrics import apgr
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
from routellm_core.traffic.adapt.base import Base, read_base
from routellm_core.traffic.adapt.judged import cross_fitted, folds_of, win_rates, worsens
from routellm_core.traffic.adapt.move import move
from routellm_core.training.mf.fit import fit_pair
from routellm_core.training.shared.features import standardisation

Floats = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "own-traffic.md"
PLOT = ROOT / "docs" / "images" / "learning-curves.svg"
BEGIN, END = "<!-- measured: make learning-curves -->", "<!-- end of the learning curves -->"

SIZES = (0, 25, 50, 100, 200, 500, 1000)
SPLITS = 10
SLOW_SPLITS, SLOW_SIZES = 1, (100, 500)
"""Where mf from nothing, logistic regression and the controls are trained too: they take ten times
as long as the rest."""

PAIRS = 3
TEST = 1500
LEAST_GAP, LEAST_QUALITY, LEAST_PROMPTS = 0.05, 0.4, 2500

GOLD = (
    *("gold_routerbench", "gold_mmlu_pro", "gold_fasteval_bbh_math", "gold_evouna_openqa"),
    *("gold_bgtp_openai", "gold_theoremqa", "gold_zeroeval_crux", "gold_zeroeval_math_l5"),
    "gold_gsm8k_train",
)
"""What the bundled mf learned from, beside its anchors and MMLU."""


@dataclass(frozen=True)
class Source:
    name: str
    file: str
    without: tuple[str, ...]
    """Sources that the honest base router must not have learned from."""


SOURCES = (
    Source("MMLU-Pro", "train/gold_mmlu_pro", ("gold_mmlu_pro", "gold_theoremqa")),
    Source(
        "MMLU-Pro, other models",
        "validation/gold_mmlu_pro_other_models",
        ("gold_mmlu_pro", "gold_theoremqa"),
    ),
    Source("RouterBench", "train/gold_routerbench", ("gold_routerbench",)),
    Source(
        "Open LLM Leaderboard",
        "validation/gold_open_llm_leaderboard",
        ("gold_fasteval_bbh_math", "gold_zeroeval_math_l5"),
    ),
    Source("LawBench (Chinese)", "train/gold_lawbench_zh", ()),
)

ADAPT, SHUFFLED, PAIR = "adapt", "adapt, labels shuffled", "mf from nothing"
HONEST, BUNDLED, LENGTH = "base router", "bundled mf", "prompt length"
OTHERS = ("ridge", "logistic", "ridge, TF-IDF", "logistic, TF-IDF", "kNN")
LEARNED = (ADAPT, SHUFFLED, PAIR, *OTHERS)
FROM_BUNDLED = "adapt from the bundled mf"


class Table:
    """A source with everything that does not depend on the split."""

    def __init__(self, source: Source, data: Path, folder: Path) -> None:
        rows = read_gold(data / f"{source.file}.jsonl.gz")
        outcomes = Outcomes.of(source.name, rows).without(check_gold(rows).format_failures)
        self.prompts, self.quality = outcomes.prompts, outcomes.quality
        self.models = outcomes.models
        self.length = np.array([float(len(prompt)) for prompt in outcomes.prompts])
        self.folds = folds_of(outcomes.prompts)
        self.words = TfidfVectorizer(sublinear_tf=True, max_features=20_000).fit_transform(
            outcomes.prompts
        )
        bundled = read_base("mf")
        honest = read_base(base_without(source.without, data, folder)) if source.without else None
        self.raw = bundled.raw(outcomes.prompts)
        self.bases: dict[str, Base] = {BUNDLED: bundled, HONEST: honest or bundled}
        self.features = {name: base.standardised(self.raw) for name, base in self.bases.items()}
        self.weights = {name: base.linear(self.features[name]) for name, base in self.bases.items()}
        self.scores = {
            name: base.router.score_embeddings(self.raw) for name, base in self.bases.items()
        }

    def pairs(self) -> list[tuple[int, int]]:
        """Return some pairs of models, the stronger first, picked at random from all that have a
        gap to route for and a weaker model that is of use.
        """
        found = []
        for a, b in itertools.combinations(range(len(self.models)), 2):
            both = np.isfinite(self.quality[:, [a, b]]).all(axis=1)
            first, second = self.quality[both][:, [a, b]].mean(axis=0) if both.any() else (0, 0)
            if both.sum() < LEAST_PROMPTS or min(first, second) < LEAST_QUALITY:
                continue
            if abs(first - second) >= LEAST_GAP:
                found.append((a, b) if first > second else (b, a))
        order = np.random.default_rng(0).permutation(len(found))
        return [found[at] for at in order[:PAIRS]]


def base_without(sources: tuple[str, ...], data: Path, folder: Path) -> Path:
    """Return the folder of an mf that was trained as the bundled one without some sources."""
    out = folder / f"mf-without-{'-'.join(sources)}"
    if (out / "model.safetensors").is_file():
        return out
    config = yaml.safe_load((ROOT / "routellm_core" / "training" / "mf.yaml").read_text())
    for name in sources:
        del config["sources"][name]
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "mf.yaml"
        file.write_text(yaml.safe_dump(config))
        gold = [data / "train" / f"{name}.jsonl.gz" for name in GOLD if name not in sources]
        evals = data / "eval" / "routellm_evals"
        arguments = ["train", "mf", "--out", out, "--config", file, "--gold-mmlu", evals]
        arguments += ["--decontaminate", evals]
        arguments += ["--battles", data / "train" / "arena_battles.jsonl.gz"]
        for path in [*gold, ROOT / "routellm_core" / "training" / "anchors.jsonl"]:
            arguments += ["--gold", path]
        command = "from routellm_plugins.cli import main; main()"
        subprocess.run([sys.executable, "-c", command, *map(str, arguments)], check=True)
    return out


def adapted(
    table: Table, base: str, own: NDArray[np.int64], test: NDArray[np.int64], gains: Floats
) -> Floats:
    """Return the scores of the test prompts by what ``routellm adapt`` writes."""
    features, weights = table.features[base], table.weights[base]
    embedding = table.bases[base].embedding
    moved = move(features[own], weights, gains, embedding)
    if moved is None:
        return table.scores[base][test]
    folds, before = table.folds[own], table.scores[base][own]
    scores = cross_fitted(features[own], (weights, before), gains, folds, embedding)
    if worsens(scores, before, gains, folds):
        return table.scores[base][test]
    return win_rates(moved.gains(features[test]))


def others(
    table: Table, own: NDArray[np.int64], test: NDArray[np.int64], gains: Floats, slow: bool
) -> dict[str, Floats]:
    """Return the scores of the test prompts by routers that were trained from nothing."""
    mean, scale = standardisation(table.raw[own], table.bases[BUNDLED].embedding, 0.5)
    learned, tested = (
        ((table.raw[rows] - mean) * scale).astype(np.float64) for rows in (own, test)
    )
    words, tested_words = table.words[own], table.words[test]
    found = {
        "ridge": RidgeCV(np.logspace(-1, 6, 15)).fit(learned, gains).predict(tested),
        "ridge, TF-IDF": RidgeCV(np.logspace(-2, 3, 11)).fit(words, gains).predict(tested_words),
        "kNN": KNeighborsRegressor(max(1, round(len(own) ** 0.5)), metric="cosine")
        .fit(table.raw[own, :256], gains)
        .predict(table.raw[test, :256]),
    }
    wins = gains > 0
    if not slow:
        return found
    for name, columns, rows, strengths in (
        ("logistic", learned, tested, (1e-4, 1e-3, 1e-2)),
        ("logistic, TF-IDF", words, tested_words, (0.1, 1.0, 10.0)),
    ):
        if min(wins.sum(), (~wins).sum()) < 3:
            continue  # one class in a fold: it cannot be trained
        model = LogisticRegressionCV(
            Cs=strengths,
            cv=3,
            l1_ratios=(0,),
            scoring="neg_log_loss",
            max_iter=200,
            use_legacy_attributes=False,
        )
        found[name] = model.fit(columns, wins).decision_function(rows)
    ones = np.ones(len(own))
    fit = fit_pair(learned, (1 + gains) / 2, ones, ones, table.folds[own])
    found[PAIR] = tested @ fit.weights
    return found


def cell(table: Table, pair: tuple[int, int], split: int) -> dict[str, dict[str, float]]:
    """Return APGR on the test prompts of a split, by number of labels and way of learning."""
    strong, weak = table.quality[:, pair[0]], table.quality[:, pair[1]]
    both = np.flatnonzero(np.isfinite(strong) & np.isfinite(weak))
    rng = np.random.default_rng([split, *pair])
    both = rng.permutation(both)
    test, pool = both[:TEST], both[TEST:]

    def worth(scores: Floats) -> float:
        return apgr(np.asarray(scores), strong[test], weak[test])

    fixed = {name: worth(table.scores[name][test]) for name in (HONEST, BUNDLED)}
    fixed[LENGTH] = worth(table.length[test])
    found = {"0": {**fixed, ADAPT: fixed[HONEST], FROM_BUNDLED: fixed[BUNDLED]}}
    for size in SIZES[1:]:
        if size > len(pool):
            continue
        slow = split < SLOW_SPLITS and size in SLOW_SIZES
        own = pool[:size]
        gains = (strong - weak)[own]
        scores = others(table, own, test, gains, slow)
        scores[ADAPT] = adapted(table, HONEST, own, test, gains)
        if slow:
            scores[FROM_BUNDLED] = adapted(table, BUNDLED, own, test, gains)
            scores[SHUFFLED] = adapted(table, HONEST, own, test, rng.permutation(gains))
        found[str(size)] = {name: worth(each) for name, each in scores.items()}
    return found


Cells = dict[tuple[str, str], dict[int, dict[str, dict[str, float]]]]
"""By source and pair, then by split."""


def measured(data: Path, folder: Path) -> Cells:
    """Return every cell, from cells.jsonl or computed now, splits in the outer loop."""
    kept = folder / "cells.jsonl"
    cells: Cells = defaultdict(dict)
    if kept.is_file():
        for line in kept.read_text().splitlines():
            row = json.loads(line)
            cells[row["source"], row["pair"]][row["split"]] = row["apgr"]
    tables = [Table(source, data, folder) for source in SOURCES]
    with kept.open("a") as file:
        for split in range(SPLITS):
            for source, table in zip(SOURCES, tables, strict=True):
                for pair in table.pairs():
                    name = f"{table.models[pair[0]]} over {table.models[pair[1]]}"
                    if split in cells[source.name, name]:
                        continue
                    found = cell(table, pair, split)
                    cells[source.name, name][split] = found
                    row = {"source": source.name, "pair": name, "split": split, "apgr": found}
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    return cells


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


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "learning-curves")
    folder.mkdir(parents=True, exist_ok=True)
    cells = measured(Path(os.environ["ROUTELLM_DATA"]), folder)
    text = section(cells)
    print(text)  # noqa: T201
    PLOT.write_bytes(draw(cells))
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
