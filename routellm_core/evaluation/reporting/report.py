"""The report of an evaluation: a Markdown page with its plots. Same results, same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from ...checkpoints.store import write_whole
from ...version import __version__
from ..results import MIX, ORACLE, STRONG, WEAK, BenchmarkResult, RouterResult
from .notes import notes
from .paper import PAPER, SOURCE
from .plots import Plot, require_matplotlib, write_plots
from .wording import digits, estimated, percent, plain, signed

REPORT = "report.md"

_HOW_TO_READ = """## How to read it

Each figure has its 95 % bootstrap interval in brackets, over resampled queries; where there is
none, resampling does not change it. All routers meet the same resamples, so the interval of a
difference is narrower than the two intervals let expect: judge by the differences, not by whether
intervals overlap.

- **PGR**, performance gap recovered: (quality of the routed answers - weak) / (strong - weak), at a
  share of strong calls.
- **APGR**: PGR averaged over all shares, every query a level. Chance is .500. It can exceed 1 where
  the weak model is sometimes the better one; the **oracle** knows both answers and shows how far.
  A router that does not beat **prompt length** has learned nothing useful on that benchmark.
- **APGR, 11 thresholds**: as RouteLLM computes it, to compare with published figures.
- **CPT(50 %)**, **CPT(80 %)**: least share of strong calls, in percent, that recovers as much of
  the gap. Less is better.
- **of the oracle's gain**: (APGR - .5) / (the oracle's APGR - .5), in percent.
- **saved over a mix**: cost against that of calling the strong model at random, as often as gives
  the same quality. It is what the router itself earns; what is saved over always strong comes for
  the most part from calling it less.
- **constant mix** is random routing, the mean over all orders; **random** is one such order.
- **ECE**, expected calibration error: how far win rates are from outcomes, on average, in bins of
  equally many queries; an outcome is 1 where the strong model's answer is better, 0.5 for a tie.
  **Noise alone** is what a perfectly calibrated score would show on so many queries. The interval
  reaches 0 where the score cannot be told from a calibrated one. **Brier**: mean squared
  difference of win rate and outcome; that **of the mean** is what one and the same win rate for
  all queries gives at best. Routing needs the order of the win rates only.
"""


def write_report(results: Sequence[BenchmarkResult], folder: Path, *, command: str) -> None:
    """Write ``REPORT`` and its plots.

    Args:
        results: by benchmark, in the order of the page.
        folder: made if absent.
        command: what was run, without paths of this machine.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    pages = [_benchmark(result, write_plots(result, folder)) for result in results]
    first = f"# Results\n\nBy routellm-plugins {__version__}:\n\n```console\n$ {command}\n```\n"
    page = "\n".join([first, *pages, _HOW_TO_READ])
    # A failed router's words may hold what UTF-8 has no bytes for.
    write_whole(folder / REPORT, page.encode("utf-8", "replace"))


def _benchmark(result: BenchmarkResult, plots: Sequence[Plot]) -> str:
    measured = [router for router in result.results if not router.error]
    parts = [
        f"## {result.benchmark}",
        _facts(result),
        *(f"> {note}" for note in notes(result)),
        *(
            f"> `{router.name}` failed: {' '.join(router.error.split())}"
            for router in result.results
            if router.error
        ),
        _gap_table(measured),
        *_difference_table(measured),
        *_share_tables(result, measured),
        *_calibration_table(measured),
        *(
            f"![{result.benchmark}: {plot.shows}]({quote(plot.path('svg').as_posix())})"
            for plot in plots
        ),
        *_paper_table(result, measured),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(result: BenchmarkResult) -> str:
    strong, weak = (result.named(name).at[0].quality for name in (STRONG, WEAK))
    groups = f" in {result.units:,} groups resampled together" if result.units < result.n else ""
    excluded = f", {result.excluded:,} more excluded" if result.excluded else ""
    return (
        f"n = {result.n:,} queries{groups}{excluded}. "
        f"Mean quality: strong model {estimated(strong)}, weak model {estimated(weak)}. "
        f"{result.draws:,} resamples, seed {result.seed}. Data: SHA-256 `{result.data_sha256}`."
    )


def _gap_table(measured: Sequence[RouterResult]) -> str:
    return _table(
        [
            "router",
            "APGR",
            "of the oracle's gain, %",
            "CPT(50 %)",
            "CPT(80 %)",
            "APGR, 11 thresholds",
        ],
        [
            [
                _bold(router),
                estimated(router.apgr),
                estimated(router.share_of_oracle_gain, percent),
                estimated(router.cpt_50, percent),
                estimated(router.cpt_80, percent),
                estimated(router.apgr_11),
            ]
            for router in measured
            if router.name not in (STRONG, WEAK)
        ],
    )


def _difference_table(measured: Sequence[RouterResult]) -> Iterator[str]:
    rows = [
        [_bold(router), other, estimated(difference, signed)]
        for router in measured
        for other, difference in router.over.items()
    ]
    if rows:
        yield _table(["router", "against", "difference in APGR, paired"], rows)


def _share_tables(result: BenchmarkResult, measured: Sequence[RouterResult]) -> Iterator[str]:
    for number, asked in enumerate(result.named(MIX).at):
        yield f"At {100 * asked.share:.4g} % strong calls, {_prices(result)}:"
        at = {router.name: router.at[min(number, len(router.at) - 1)] for router in measured}
        yield _table(
            [
                "router",
                "quality",
                "cost of a query",
                f"saved over {STRONG}, %",
                "saved over a mix, %",
            ],
            [
                [
                    _bold(router),
                    estimated(at[router.name].quality),
                    estimated(at[router.name].cost, digits),
                    estimated(at[router.name].saving_over_strong, percent),
                    estimated(at[router.name].saving_over_random, percent),
                ]
                for router in measured
            ],
        )


def _prices(result: BenchmarkResult) -> str:
    if result.prices is None:
        return "costs as in the file"
    strong, weak = result.prices.strong, result.prices.weak
    return f"a query at {strong:g} on the strong model and {weak:g} on the weak one"


def _calibration_table(measured: Sequence[RouterResult]) -> Iterator[str]:
    rows = [
        [
            _bold(router),
            estimated(found.ece),
            plain(found.ece_of_noise),
            estimated(found.brier),
            plain(found.brier_of_mean),
        ]
        for router in measured
        if (found := router.reliability)
    ]
    if rows:
        yield "The win rate as a probability:"
        yield _table(["router", "ECE", "noise alone", "Brier", "of the mean"], rows)


def _paper_table(result: BenchmarkResult, measured: Sequence[RouterResult]) -> Iterator[str]:
    """The paper's figures under those that are defined as they are."""
    if result.benchmark not in PAPER:
        return
    yield (
        f"Beside the paper ({SOURCE}), which gives no intervals, judged its routers on all of "
        "the benchmark and trained them on data of its own:"
    )
    ours = [
        [
            _bold(router),
            "measured here",
            estimated(router.cpt_50, percent),
            estimated(router.cpt_80, percent),
            estimated(router.apgr_11),
        ]
        for router in measured
        if router.name not in (STRONG, WEAK, MIX, ORACLE)
    ]
    theirs = [
        [
            f"*{row.router}*",
            f"*the paper's, {row.trained_on}*",
            f"*{row.cpt_50:.1f}*",
            f"*{row.cpt_80:.1f}*",
            f"*{plain(row.apgr)}*",
        ]
        for row in PAPER[result.benchmark]
    ]
    yield _table(
        ["router", "figures", "CPT(50 %)", "CPT(80 %)", "APGR, 11 thresholds"], ours + theirs
    )


def _bold(router: RouterResult) -> str:
    return f"**{router.name}**" if router.kind == "router" else router.name


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
