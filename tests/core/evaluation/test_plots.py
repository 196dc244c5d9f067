"""Plots: what they show, in which words, and the same bytes each time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from routellm_core.contracts import Router
from routellm_core.errors import MissingExtraError
from routellm_core.evaluation.reporting.plots import (
    Plot,
    draw_quality,
    draw_reliability,
    draw_scores,
    require_matplotlib,
    write_plots,
)
from routellm_core.evaluation.results import BenchmarkResult
from tests.fakes.evaluation import Fixed, N, result_of


@pytest.fixture(scope="module")
def result() -> BenchmarkResult:
    return result_of({"first": Fixed(1), "second": Fixed(2), "broken": OSError("no weights")})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plots")


@pytest.fixture(scope="module")
def plots(result: BenchmarkResult, folder: Path) -> list[Plot]:
    return write_plots(result, folder)


@pytest.fixture
def svg_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what both formats show: PNG takes most of the time."""
    monkeypatch.setattr("routellm_core.evaluation.reporting.plots.FORMATS", ("svg",))


def test_each_plot_is_written_as_png_and_svg(plots: list[Plot], folder: Path) -> None:
    assert [plot.kind for plot in plots] == ["quality", "reliability", "scores"]
    for plot in plots:
        assert (folder / plot.path("png")).read_bytes().startswith(b"\x89PNG")
        assert (folder / plot.path("svg")).read_text().rstrip().endswith("</svg>")


@pytest.mark.usefixtures("plots")
def test_same_results_same_bytes(result: BenchmarkResult, folder: Path, tmp_path: Path) -> None:
    # A user's own style must make no difference.
    with mpl.rc_context({"font.size": 20, "savefig.facecolor": "black"}):
        write_plots(result, tmp_path)
    files = sorted((folder / "images").iterdir())
    assert len(files) == 6
    for file in files:
        assert file.read_bytes() == (tmp_path / "images" / file.name).read_bytes()


def test_every_router_that_works_is_named_in_every_plot(plots: list[Plot], folder: Path) -> None:
    for plot in plots:
        text = (folder / plot.path("svg")).read_text()
        assert "first" in text
        assert "second" in text
        assert "broken" not in text
        assert f"n = {N}" in text


def test_the_quality_plot_shows_baselines_oracle_and_bands(result: BenchmarkResult) -> None:
    (axes,) = draw_quality(result).axes
    drawn = {line.get_label(): line for line in axes.lines}
    named = {label.split(" .")[0].split(" 1.")[0] for label in drawn if not label.startswith("_")}
    assert named == {"first", "second", "prompt length"}
    beside = " ".join(text.get_text() for text in axes.texts)
    assert "oracle" in beside
    assert "chance .500" in beside
    assert len(axes.lines) == 5
    assert len(axes.collections) == 3
    first = next(line for label, line in drawn.items() if label.startswith("first"))
    curve = result.named("first").curve
    assert curve is not None
    assert first.get_ydata().tolist() == curve.quality.tolist()
    assert first.get_xdata()[[0, -1]].tolist() == [0, 100]
    assert "(%)" in axes.get_xlabel()


def test_the_reliability_plot_gives_ece_and_brier(result: BenchmarkResult) -> None:
    figure = draw_reliability(result)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    found = result.named("first").reliability
    assert found is not None
    assert labels[0].startswith("first\n")
    assert f"ECE {found.ece.value:.3f}".replace("0.", ".") in labels[0]
    assert f"Brier {found.brier.value:.3f}".replace("0.", ".") in labels[0]
    points = figure.axes[0].containers[0].lines[0]
    assert points.get_ydata().tolist() == found.outcome.tolist()


def test_the_score_plot_has_a_row_per_router(result: BenchmarkResult) -> None:
    rows = draw_scores(result).axes
    assert [row.get_title(loc="left") for row in rows] == ["first", "second"]
    for row in rows:
        assert sum(bar.get_height() for bar in row.patches) == pytest.approx(100)


def test_routers_never_look_the_same() -> None:
    many = {f"router {number}": Fixed(number) for number in range(13)}
    lines = draw_quality(result_of(many)).axes[0].lines
    looks = [(line.get_color(), line.get_linestyle()) for line in lines]
    assert len(set(looks)) == len(looks)


@pytest.mark.usefixtures("svg_alone")
def test_a_constant_score_can_be_drawn(tmp_path: Path) -> None:
    class Constant(Router):
        def score(self, prompts: Sequence[str]) -> np.ndarray:
            return np.full(len(prompts), 0.5)

    constant = result_of({"constant": Constant()})
    assert len(write_plots(constant, tmp_path)) == 3
    (bar,) = (bar for bar in draw_scores(constant).axes[0].patches if bar.get_height())
    assert bar.get_width() > 0


@pytest.mark.usefixtures("svg_alone")
def test_names_are_written_as_they_are(tmp_path: Path) -> None:
    plots = write_plots(result_of({"$x_1$ & <co>": Fixed(1)}, "a b$"), tmp_path)
    for plot in plots:
        text = (tmp_path / plot.path("svg")).read_text()
        assert "$x_1$ &amp; &lt;co&gt;" in text
        assert "a b$: " in text


@pytest.mark.usefixtures("svg_alone")
def test_without_a_score_quality_alone_is_drawn(tmp_path: Path) -> None:
    plots = write_plots(result_of({"broken": OSError("no weights")}), tmp_path)
    assert [plot.kind for plot in plots] == ["quality"]


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"routellm-plugins\[eval\]"):
        require_matplotlib()
