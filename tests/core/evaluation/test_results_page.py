"""The figures of README and cards are those of docs/results.md, which `make results` writes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from routellm_core.cli import app
from routellm_core.evaluation.reporting.paper import PAPER
from routellm_core.evaluation.reporting.wording import plain

ROOT = Path(__file__).parents[3]

BUNDLED = ROOT / "routellm_core" / "checkpoints" / "bundled"
DATA = Path(os.environ.get("ROUTELLM_DATA", ROOT / ".." / "shared" / "data"))
PUBLISHED = DATA / "eval" / "routellm_evals"

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
ROUTERS = re.findall(r"^ROUTERS \?= (.*)$", MAKEFILE, re.MULTILINE)[0].split()

Table = list[list[str]]


def tables(text: str) -> list[Table]:
    """Return each table as rows of cells, without emphasis; the first row is its heading."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [[line.strip("|").split("|") for line in table.splitlines()] for table in found]
    return [
        [[cell.strip().replace("*", "") for cell in row] for row in [table[0], *table[2:]]]
        for table in rows
    ]


def section(page: str | Path, heading: str) -> str:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.split(rf"^## {re.escape(heading)}$", text, flags=re.MULTILINE)[1].split("\n## ")[0]


def table_with(text: str, heading: str) -> Table:
    return next(table for table in tables(text) if heading in table[0])


README = section("README.md", "How good it is")
TABLE = next(table for table in tables(README) if table[0][0] == "APGR")
BENCHMARKS = {"mmlu": 1, "gsm8k": 2}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_readme_has_the_figures_of_the_results(name: str) -> None:
    measured = section("docs/results.md", name)
    shown = {row[0]: row[BENCHMARKS[name]] for row in TABLE}
    figures = {row[0]: row[1] for row in table_with(measured, "CPT(50 %)")}
    differences = {tuple(row[:2]): row[2] for row in table_with(measured, "against")}
    n = re.search(r"^n = [\d,]+", measured, re.MULTILINE)
    assert n is not None
    assert shown == {
        "APGR": f"{name.upper()}, {n[0]}",
        "mf (default)": figures["mf"],
        **{router: figures[router] for router in ROUTERS[1:]},
        "prompt length alone": figures["prompt length"],
        "chance": figures["constant mix"],
        "oracle": figures["oracle"],
        "mf over prompt length, paired": differences["mf", "prompt length"],
        "the paper's mf, its best row, no interval given": plain(
            max(row.apgr for row in PAPER[name] if row.router == "mf")
        ),
    }


def test_the_readme_says_of_mt_bench_what_the_results_say() -> None:
    n = re.search(r"^n = ([\d,]+)", section("docs/results.md", "mt-bench"), re.MULTILINE)
    assert n is not None
    assert f"MT Bench, measured too, has {n[1]} questions" in README


def test_the_results_are_those_of_the_routers_named_in_the_makefile() -> None:
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    assert re.findall(r"--router (\S+)", page) == ROUTERS


@pytest.mark.parametrize("router", ROUTERS)
def test_a_card_has_the_figures_of_the_results(router: str) -> None:
    card = (BUNDLED / router / "README.md").read_text(encoding="utf-8")
    rows = {row[0]: row[1:] for row in table_with(card, "over length, paired")}
    names = {"MMLU without the 1,500": "mmlu", "GSM8K": "gsm8k", "MT Bench": "mt-bench"}
    for label, name in names.items():
        measured = section("docs/results.md", name)
        figures = {row[0]: row[1] for row in table_with(measured, "CPT(50 %)")}
        differences = {tuple(row[:2]): row[2] for row in table_with(measured, "against")}
        n = re.search(r"^n = ([\d,]+)", measured, re.MULTILINE)
        assert n is not None
        length = figures["prompt length"].split()[0]
        assert rows[label] == [n[1], figures[router], length, differences[router, "prompt length"]]


def test_the_readme_has_the_figures_of_the_cards_on_all_pairs() -> None:
    shown = {row[0]: row[1:] for row in table_with(README, "mean APGR")}
    for router in ROUTERS:
        card = (BUNDLED / router / "README.md").read_text(encoding="utf-8")
        heading, *rows = table_with(card, "outcomes of")
        columns = [heading.index(router), heading.index("prompt length")]
        own = [[row[column] for row in rows] for column in columns]
        label = f"{router} (default)" if router == "mf" else router
        assert [shown[label], shown["prompt length alone"]] == own


@pytest.mark.parametrize("router", ROUTERS)
def test_a_card_has_the_notes_of_its_configuration(router: str) -> None:
    yaml = pytest.importorskip("yaml")
    config = ROOT / "routellm_core" / "training" / f"{router}.yaml"
    notes = yaml.safe_load(config.read_text(encoding="utf-8"))["notes"]
    assert notes.strip() in (BUNDLED / router / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published data is not here")
def test_the_results_are_those_of_the_command(tmp_path: Path) -> None:
    quick = ["mf", "sw_ranking"]  # the others take a minute
    routers = [word for name in quick for word in ("--router", name)]
    where = ["--benchmark", "gsm8k", "--data", str(PUBLISHED), "--no-cache", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, ["evaluate", *routers, *where])
    assert result.exit_code == 0, result.output
    measured = table_with(section(tmp_path / "report.md", "gsm8k"), "CPT(50 %)")
    page = table_with(section("docs/results.md", "gsm8k"), "CPT(50 %)")
    assert [row for row in page if row[0] not in ("bert", "causal_llm")] == measured
