"""examples/own_traffic, shortened: from logs to a better router in a running proxy."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

pytest.importorskip("openai")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

from rich.console import Console

from examples.own_traffic.coverage import EXPLORED, MORE_REPORTS, REPORT, print_coverage
from examples.own_traffic.models import Models
from examples.own_traffic.page import refreshed, words_of
from examples.own_traffic.road import Commands, Sizes, walk
from examples.own_traffic.shop import log_of, write_log
from examples.own_traffic.truth import truth_of
from examples.own_traffic.world import STRONG, make_world
from routellm_core.checkpoints.store import BUNDLED

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/own-traffic.md"
REFRESH = "python -m examples.own_traffic --page docs/own-traffic.md"


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def without_verdict(page: str) -> str:
    """Return the page without the line that depends on the figures."""
    return re.sub(r"^deploy: .*\n", "", page, flags=re.MULTILINE)


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
    page = without_verdict(PAGE.read_text(encoding="utf-8"))
    assert words_of(refreshed(page, text.replace(f"{tmp_path}/", ""))) == words_of(page)
    # The report is of the router that was taken up: no share was meant, and the sample is its own.
    assert "30% were meant" not in text


def test_intervals_are_counted() -> None:
    told = console()
    simulation = print_coverage(told, make_world(), 2)
    drawn = {command: len(each.held) for (command, _), each in simulation.covered.items()}
    assert drawn[REPORT] == 2 * (1 + MORE_REPORTS)
    assert drawn[EXPLORED] == 2
    assert "quality lost (IPS)" in told.file.getvalue()  # type: ignore[attr-defined]


def test_the_page_s_figures_of_the_bundled_router_are_of_the_one_that_is_bundled(
    tmp_path: Path,
) -> None:
    """The audit's, and the truth; all others are drawn anew by each run."""
    page, world, sizes = PAGE.read_text(encoding="utf-8"), make_world(), Sizes()
    typed = re.search(r"^\$ routellm (audit .*)$", page, re.MULTILINE)
    assert typed is not None
    with Models(world) as models:
        logged = world.part(0, sizes.logged)
        write_log(tmp_path / "log.jsonl", log_of(models, logged.prompts), STRONG)
        told = Commands(tmp_path, console()).routellm(*shlex.split(typed[1]))
        shutil.copytree(BUNDLED / "mf", tmp_path / "bundled")
        shutil.copy(tmp_path / "audit/calibration.json", tmp_path / "bundled")
        unseen = world.part(sum(vars(sizes).values()), len(world))
        truth = truth_of(tmp_path / "bundled", unseen, models)
    audit = page[typed.start() :].partition("```")[0].splitlines()[2:]
    known = [line.rstrip() for line in told.replace(f"{tmp_path}/", "").splitlines()]
    for line in audit:
        assert line in (*known, "...", ""), f"{line!r} is of another router: {REFRESH}"
    row = f"bundled {truth.saving:.1%} {truth.loss:.3f} {truth.apgr:.3f}"
    assert row in " ".join(page.split()), f"the truth is now {row!r}: {REFRESH}"
