"""The report: its structure, its figures, and the same bytes each time."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from routellm_core.evaluation.benchmarks.benchmark import Benchmark
from routellm_core.evaluation.compare import compare
from routellm_core.evaluation.intervals import Estimate
from routellm_core.evaluation.reporting.paper import PAPER
from routellm_core.evaluation.reporting.report import write_report
from routellm_core.evaluation.reporting.wording import digits, estimated, percent, plain, signed
from routellm_core.evaluation.results import BenchmarkResult
from tests.fakes.evaluation import Fixed, result_of

ROOT = Path(__file__).parents[3]

COMMAND = "routellm evaluate --router first --benchmark own.jsonl"


def page_of(folder: Path, *results: BenchmarkResult) -> str:
    write_report(results, folder, command=COMMAND)
    return (folder / "report.md").read_text(encoding="utf-8")


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is about words alone: to draw takes a second."""
    monkeypatch.setattr("routellm_core.evaluation.reporting.report.write_plots", lambda *_: [])


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the first table with that heading, by their first cell."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith("|") and heading in line:
            break
    next(lines)
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        rows[name] = cells
    return rows


@pytest.fixture(scope="module")
def result() -> BenchmarkResult:
    return result_of({"first": Fixed(1), "second": Fixed(2), "broken": OSError("no\nweights")})


@pytest.fixture(scope="module")
def folder(result: BenchmarkResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of those results and of others, with all its plots."""
    folder = tmp_path_factory.mktemp("report")
    page_of(folder, result, result_of({"first": Fixed(1)}, "mmlu"))
    return folder


def test_the_page_has_its_parts_in_order(result: BenchmarkResult, folder: Path) -> None:
    page = (folder / "report.md").read_text(encoding="utf-8")
    assert f"$ {COMMAND}\n" in page
    assert re.findall(r"^#+ .*$", page, re.MULTILINE) == [
        "# Results",
        "## own",
        "## mmlu",
        "## How to read it",
    ]
    own = page.split("## mmlu")[0]
    wanted = [
        "n = 60 queries",
        f"`{result.data_sha256}`",
        "> Differences in APGR",
        "> Only 60 queries",
        "> `broken` failed: OSError: no weights\n",
        "| router | APGR |",
        "| router | against |",
        "At 50 % strong calls",
        "| router | ECE |",
        "(images/own-quality.svg)",
        "(images/own-reliability.svg)",
        "(images/own-scores.svg)",
    ]
    found = [own.find(part) for part in wanted]
    assert -1 not in found
    assert found == sorted(found)


def test_tables_hold_the_results(result: BenchmarkResult, folder: Path) -> None:
    page = (folder / "report.md").read_text(encoding="utf-8").split("## mmlu")[0]
    first = result.named("first")
    assert rows_of(page, "CPT(50 %)")["**first**"] == [
        estimated(first.apgr),
        estimated(first.share_of_oracle_gain, percent),
        estimated(first.cpt_50, percent),
        estimated(first.cpt_80, percent),
        estimated(first.apgr_11),
    ]
    assert rows_of(page, "CPT(50 %)")["constant mix"][0] == ".500"
    assert rows_of(page, "quality")["always strong"][0] == estimated(
        result.named("always strong").at[0].quality
    )
    assert first.reliability is not None
    assert rows_of(page, "ECE")["**first**"][0] == estimated(first.reliability.ece)
    assert len(re.findall(r"^\| \*\*first\*\* \| (prompt|const|second)", page, re.MULTILINE)) == 3


@pytest.mark.usefixtures("no_plots")
def test_each_share_has_its_table(tmp_path: Path) -> None:
    result = result_of({"first": Fixed(1)}, shares=(0.2, 0.8))
    page = page_of(tmp_path, result)
    for number, share in enumerate(("20 %", "80 %")):
        part = page.split(f"At {share} strong calls")[1]
        at = result.named("first").at[number]
        assert rows_of(part, "quality")["**first**"] == [
            estimated(at.quality),
            estimated(at.cost, digits),
            estimated(at.saving_over_strong, percent),
            estimated(at.saving_over_random, percent),
        ]


def test_every_image_shown_is_there(folder: Path) -> None:
    page = (folder / "report.md").read_text(encoding="utf-8")
    images = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert len(images) == 6
    assert all((folder / image).stat().st_size > 1000 for image in images)


@pytest.mark.usefixtures("no_plots")
def test_same_results_same_bytes(result: BenchmarkResult, tmp_path: Path) -> None:
    assert page_of(tmp_path / "one", result) == page_of(tmp_path / "two", result)


@pytest.mark.usefixtures("no_plots")
def test_words_that_utf_8_does_not_hold_spoil_no_page(tmp_path: Path) -> None:
    failed = result_of({"first": Fixed(1), "broken": ValueError("bad \ud800 text")})
    assert "> `broken` failed: ValueError: bad ? text\n" in page_of(tmp_path, failed)


@pytest.mark.usefixtures("no_plots")
def test_the_paper_stands_beside_its_benchmarks_alone(
    result: BenchmarkResult, tmp_path: Path
) -> None:
    assert "2406.18665" not in page_of(tmp_path, result)
    page = page_of(tmp_path, result_of({"first": Fixed(1)}, "gsm8k"))
    rows = rows_of(page, "figures")
    assert rows["**first**"][0] == "measured here"
    assert rows["*causal_llm*"] == ["*the paper's, arena + judge*", "*33.6*", "*63.3*", "*.622*"]
    assert "gives no intervals" in page


def test_the_paper_has_the_same_routers_on_every_benchmark() -> None:
    assert {name: [row.router for row in rows] for name, rows in PAPER.items()} == {
        name: ["random", *(2 * ["bert", "causal_llm", "mf", "sw_ranking"])]
        for name in ("mmlu", "gsm8k", "mt-bench")
    }


@pytest.mark.usefixtures("no_plots")
def test_groups_and_exclusion_are_told(tmp_path: Path) -> None:
    benchmark = Benchmark(
        "grouped", ["a 0", "b 1", "c 2"] * 20, np.ones(60), np.zeros(60), [""] * 60,
        np.arange(60) % 3, excluded=1234,
    )  # fmt: skip
    page = page_of(tmp_path, compare(benchmark, {"first": Fixed(1)}, draws=100))
    assert "n = 60 queries in 3 groups resampled together, 1,234 more excluded." in page


def test_figures_are_written_short() -> None:
    assert [plain(x) for x in (0.6284, -0.0019, -0.0001, 1.2844, 0.9999, 9.2)] == [
        ".628", "-.002", ".000", "1.284", "1.000", "9.200"
    ]  # fmt: skip
    assert [signed(x) for x in (0.04, -0.002, -0.0001)] == ["+.040", "-.002", "+.000"]
    assert percent(0.3549) == "35.5"
    assert estimated(Estimate(0.5, 0.4, 1.02)) == ".500 [.400, 1.020]"
    assert estimated(Estimate(0.5, 0.5, 0.5)) == ".500"
    assert estimated(None) == estimated(Estimate(np.nan, np.nan, np.nan)) == "–"
