"""Move a router by labels of one's own traffic, judge it, and write it with its threshold."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...checkpoints.learned import LEARNED, short_hashes
from ...checkpoints.store import CARD, CONFIG, PARTIAL, WEIGHTS, write_whole
from ...data.writable import check_folder
from ...errors import ConfigError
from ...evaluation.results import Prices
from ...progress import SILENT, Progress
from ...rules.calibration import calibration_of
from ...training.shared.card import METRICS
from .base import Base
from .judged import Judged, judge
from .labels import Labels
from .move import Moved
from .verdict import FEWEST, verdict
from .write import write_adapted, write_base

CALIBRATION = "calibration.json"
"""Name of the calibration file in the folder of the checkpoint."""

_UNFINISHED = ".unfinished"
"""Name of an empty file that is there while the others are written."""

_WRITTEN = frozenset((CONFIG, WEIGHTS, CARD, METRICS, CALIBRATION, _UNFINISHED))


@dataclass(frozen=True)
class Adapted:
    """What came of the labels."""

    judged: Judged | None
    """None where there are fewer than ``FEWEST``."""
    verdict: str
    """Whether to deploy, in a line that begins with ``deploy``, ``not yet`` or ``no``."""
    calibration: Path | None
    """The calibration file, if a threshold holds."""


def adapt(
    base: Base,
    labels: Labels,
    folder: Path,
    *,
    name: str,
    models: tuple[str, str] = ("strong", "weak"),
    max_loss: float = 0.02,
    confidence: float = 0.95,
    prices: Prices | None = None,
    progress: Progress = SILENT,
) -> Adapted:
    """Move a router and write the checkpoint, its metrics, card and calibration.

    Args:
        base: where to start from.
        labels: of one's own traffic.
        folder: for the checkpoint.
        name: what the base router is called.
        models: names of the strong and the weak model.
        max_loss: most that mean quality may be below always strong, in (0, 1).
        confidence: of that, in (0, 1).
        prices: of a query on each model, where the labels have no costs.
        progress: receives each stage.

    Raises:
        ConfigError: the folder holds something.
        MissingExtraError: scipy is not installed.
    """
    check_out(folder)
    progress.stage(f"Encoding {len(labels.prompts):,} prompts")
    raw = base.raw(labels.prompts)
    features, before = base.standardised(raw), base.router.score_embeddings(raw)
    judged = moved = None
    if len(labels.prompts) >= FEWEST:
        progress.stage("Judging on labels that were not learned")
        weights = base.linear(features)
        judged = judge(
            features,
            (weights, before),
            labels,
            embedding=base.embedding,
            max_loss=max_loss,
            confidence=confidence,
            prices=prices,
        )
        moved = judged.moved
    said = verdict(judged, len(labels.prompts), max_loss, confidence)
    metrics = _metrics(judged, labels, name, said)
    _begin(folder)
    router = _write(folder, base, moved, features, models, metrics)
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    path = _write_calibration(folder, judged, labels, router, max_loss, confidence)
    (folder / _UNFINISHED).unlink()
    return Adapted(judged, said, path)


def _write_calibration(
    folder: Path,
    judged: Judged | None,
    labels: Labels,
    router: str | None,
    max_loss: float,
    confidence: float,
) -> Path | None:
    """Write the threshold of a router with this fingerprint; returns where, if there is one."""
    if judged is None or judged.bounded.threshold is None:
        return None
    calibration = calibration_of(
        judged.scores,
        judged.bounded.threshold,
        router="mf",
        fingerprint=router,
        rule={"max_quality_loss": max_loss, "confidence": confidence},
        data=labels.digest,
        date=datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        guarantee=guarantee(judged, len(labels.prompts), max_loss, confidence),
    )
    write_whole(folder / CALIBRATION, calibration.as_json().encode())
    return folder / CALIBRATION


def check_out(folder: Path) -> None:
    """Make sure that a new folder can be written, and that nothing is overwritten but what a run
    left that was killed while it wrote.

    Raises:
        ConfigError: the folder holds something else, is a file, or cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and _is_free(folder)):
        raise ConfigError(f"--out {folder} exists and is not empty: name a new folder")
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise ConfigError(f"--out {folder} cannot be written: there is no folder {parent}")
    check_folder(folder)


def _is_free(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return not names or (_UNFINISHED in names and all(map(_is_written, names)))


def _is_written(name: str) -> bool:
    return name in _WRITTEN or name.endswith(PARTIAL)


def _begin(folder: Path) -> None:
    """Make the folder, without what a run left in it that was killed."""
    folder.mkdir(exist_ok=True)
    (folder / _UNFINISHED).touch()
    for path in [*folder.iterdir()]:
        if path.name != _UNFINISHED and _is_written(path.name):
            path.unlink()


def guarantee(judged: Judged, labels: int, max_loss: float, confidence: float) -> str:
    """Return what holds of the quality, in words."""
    test = "exact test" if judged.bounded.exact else "test by betting"
    how = (
        "of a router that did not learn them"
        if judged.keeps_base
        else "each scored by a router that did not learn it, of five that learned the others"
    )
    return (
        f"with confidence {confidence:g}, mean quality is at most {max_loss:g} below always strong "
        f"on prompts like these ({labels:,} labels, {how}; {test})"
    )


def _write(
    folder: Path,
    base: Base,
    moved: Moved | None,
    features: Any,
    models: tuple[str, str],
    metrics: Mapping[str, Any],
) -> str | None:
    """Write the checkpoint and return the router's fingerprint."""
    from ...registry.loading import load_router

    if moved is None:
        write_base(folder, base, metrics)
    else:
        write_adapted(folder, base, moved, features, models, metrics)
    return load_router("mf", checkpoint=folder).fingerprint


def _metrics(judged: Judged | None, labels: Labels, name: str, said: str) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "verdict": said,
        "from": name,
        "labels": len(labels.prompts),
        "prompts_sha256": labels.digest,
        "keeps_base": judged is None or judged.keeps_base,
    }
    if judged is None:
        return metrics
    if not judged.keeps_base:
        metrics["sources"] = {"labels": {LEARNED: short_hashes(labels.prompts)}}
    metrics["gap"] = vars(judged.gap)
    metrics["threshold"] = judged.bounded.threshold
    if judged.at is not None:
        metrics["at_threshold"] = {
            figure: value and vars(value) for figure, value in vars(judged.at).items()
        }
    if judged.result is not None:
        metrics["cross_validated"] = {
            router.name: {
                "apgr": vars(router.apgr),
                "over": {other: vars(value) for other, value in router.over.items()},
            }
            for router in judged.result.results
            if router.apgr is not None
        }
    return metrics
