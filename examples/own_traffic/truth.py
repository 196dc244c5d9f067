"""The truth about a router, which only this example can know: it made the models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from routellm_core import load_router
from routellm_core.decision import Tier

from .models import Models
from .world import PRICES, STRONG, WEAK, Floats, World

_NAMES: Mapping[Tier, str] = {"strong": STRONG, "weak": WEAK}


@dataclass(frozen=True)
class Truth:
    """What a router does on all the questions that it never saw."""

    saving: float
    """1 - cost / cost of always strong."""
    loss: float
    """Mean probability of a right answer of always strong, less that of routing."""
    apgr: float
    """Mean share of the gap that is recovered, over all shares of strong calls; chance: .5."""


def truth_of(folder: Path, world: World, models: Models) -> Truth:
    """Return the truth about a checkpoint with its calibration file.

    Args:
        folder: of both.
        world: questions that the router has not learned.
        models: who answers them.
    """
    scores = load_router("mf", checkpoint=folder).score(world.prompts)
    threshold = json.loads((folder / "calibration.json").read_text())["threshold"]
    return figures(scores, threshold, world, costs_of(models, world))


def figures(scores: Floats, threshold: float, world: World, costs: Mapping[Tier, Floats]) -> Truth:
    """Return the truth about win rates, shape (n,), with a threshold."""
    is_weak = scores < threshold
    strong, weak = costs["strong"], costs["weak"]
    spent = np.where(is_weak, weak, strong).sum() / strong.sum()
    order = np.argsort(-scores, kind="stable")
    recovered = np.concatenate([[0.0], np.cumsum(world.gains[order])]) / world.gains.sum()
    apgr = float((recovered[1:] + recovered[:-1]).mean() / 2)
    loss = float(np.where(is_weak, world.gains, 0.0).mean())
    return Truth(float(1 - spent), loss, apgr)


def costs_of(models: Models, world: World) -> dict[Tier, Floats]:
    """Return what each model's answer to each question costs, in dollars, by tier."""
    found: dict[Tier, Floats] = {}
    for tier, name in _NAMES.items():
        answers = [
            models.answer({"model": name, "messages": [{"content": prompt}]})
            for prompt in world.prompts
        ]
        tokens = np.array([[each.prompt_tokens, each.completion_tokens] for each in answers])
        found[tier] = tokens @ np.array(PRICES[name]) / 1e6
    return found


def print_truth(console: Console, truths: Mapping[str, Truth], n: int) -> None:
    """Print the truth about routers, by their names, on n questions."""
    table = _table(f"on {n:,} questions that neither router has seen", "router")
    for heading in ("saved", "quality lost", "APGR"):
        table.add_column(heading, justify="right")
    for name, truth in truths.items():
        table.add_row(name, f"{truth.saving:.1%}", f"{truth.loss:.3f}", f"{truth.apgr:.3f}")
    console.print(table)


def print_beside(console: Console, truth: Truth, folder: Path, report: Mapping[str, Any]) -> None:
    """Print estimates beside the truth about the router that was deployed.

    Args:
        console: where.
        truth: about it.
        folder: of the checkpoint that `routellm adapt` wrote.
        report: of its route, as `routellm report --json` prints it.
    """
    at = json.loads((folder / "metrics.json").read_text())["at_threshold"]
    costs, quality = report["costs"], report["quality"]
    table = _table("estimates for the router that was deployed", "")
    for heading in ("estimate", "95 %", "truth"):
        table.add_column(heading, justify="right")
    rows = [
        ("adapt: saved", at["saving"], truth.saving),
        ("adapt: quality lost", at["loss"], truth.loss),
        ("report: saved", costs["saving"], truth.saving),
        ("report: quality lost", quality["loss"], truth.loss),
    ]
    for name, found, true in rows:
        low, high = found["low"], found["high"]
        table.add_row(name, f"{found['value']:.3f}", f"[{low:.3f}, {high:.3f}]", f"{true:.3f}")
    console.print(table)


def _table(title: str, first: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(first)
    return table
