"""Check gold labels before training, and leave out those that would mislead the router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...data.label_check import check_gold
from ...data.labels import Gold
from ...progress import Progress
from .config import TrainingConfig


def usable_gold(
    gold: Mapping[str, list[Gold]], config: TrainingConfig, progress: Progress
) -> tuple[dict[str, list[Gold]], dict[str, list[str]]]:
    """Return the labels to learn from, and what the check of labels found, both by source.

    Labels of a model on a task that are format failures are left out, unless
    ``config.keep_format_failures``.

    Args:
        gold: labels by source.
        config: how the router is trained.
        progress: receives each finding as a message.
    """
    usable, findings = {}, {}
    for source, rows in gold.items():
        report = check_gold(rows)
        findings[source] = list(report.findings)
        for line in report.findings:
            progress.message(f"{source}: {line}")
        failures = set() if config.keep_format_failures else report.format_failures
        usable[source] = _without(rows, failures) if failures else rows
    return usable, findings


def _without(rows: list[Gold], failures: set[tuple[str, str]]) -> list[Gold]:
    """Return the rows that keep a label, each without the labels of those tasks and models."""
    kept = []
    for row in rows:
        correct = {
            model: quality
            for model, quality in row.correct.items()
            if (row.task, model) not in failures
        }
        if correct:
            kept.append(replace(row, correct=correct))
    return kept
