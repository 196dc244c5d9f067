"""examples/own_traffic, shortened: from logs to a better router in a running proxy."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from rich.console import Console

from examples.own_traffic.coverage import EXPLORED, MORE_REPORTS, REPORT, print_coverage
from examples.own_traffic.road import Sizes, walk
from examples.own_traffic.world import make_world

ROOT = Path(__file__).parents[3]


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def plain(text: str) -> str:
    """Return a text without line breaks, lines of tables, and figures."""
    return " ".join(
        re.sub(r"[-+]?[$]?[\d.,:+]*\d", "#", re.sub("[│┌┐└┘├┤┬┴┼─]", " ", text)).split()
    )


def assert_the_page_shows(printed: str) -> None:
    """The output on the page is what the road prints, but for figures, and for the verdict, which
    depends on them.
    """
    page = (ROOT / "docs/own-traffic.md").read_text(encoding="utf-8")
    road = page.split("<!-- the road: make own-traffic -->")[1].split("<!-- end of the road -->")[0]
    shown = plain(printed)
    blocks = re.findall(r"```console\n(.*?)```", road, re.DOTALL)
    assert len(blocks) == 7
    for line in "".join(blocks).splitlines():
        if line != "..." and not line.startswith("deploy:"):
            assert plain(line) in shown, line


@pytest.mark.timeout(600)
def test_from_logs_to_a_better_router_in_the_running_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)  # of the commands and the proxy
    told = console()
    sizes = Sizes(logged=100, observed=330, before=10, after=120)
    walked = walk(make_world(), tmp_path, told, sizes)
    text = told.file.getvalue()  # type: ignore[attr-defined]
    assert walked.verdict.startswith(("deploy: saves", "not yet"))
    assert walked.adapted.apgr > walked.bundled.apgr + 0.15
    assert walked.adapted.loss < walked.bundled.loss
    assert "changed and is used from now on" in text
    assert "answers of 'gpt-4o-mini' are in the file" in text
    assert "loss against always strong" in text
    assert "report: quality lost" in text
    assert_the_page_shows(text.replace(f"{tmp_path}/", ""))
    # The report is of the router that was taken up: no share was meant, and the sample is its own.
    assert "30% were meant" not in text


def test_intervals_are_counted() -> None:
    told = console()
    simulation = print_coverage(told, make_world(), 2)
    drawn = {command: len(each.held) for (command, _), each in simulation.covered.items()}
    assert drawn[REPORT] == 2 * (1 + MORE_REPORTS)
    assert drawn[EXPLORED] == 2
    assert "quality lost (IPS)" in told.file.getvalue()  # type: ignore[attr-defined]
