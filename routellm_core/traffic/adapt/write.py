"""Write the adapted router as a checkpoint of mf that every adapter takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint
from ...encoders.surface import SURFACE_VERSION
from ...evaluation.intervals import Estimate
from ...evaluation.reporting.wording import estimated, signed
from .base import Base
from .move import Moved

_MOST_TRAFFIC = 800
"""Labelled prompts whose features are kept to turn a share into a threshold."""


def write_adapted(
    folder: Path,
    base: Base,
    moved: Moved,
    features: NDArray[np.float64],
    models: tuple[str, str],
    metrics: Mapping[str, Any],
) -> None:
    """Write a router that labels moved.

    Args:
        folder: made if absent.
        base: what it was moved from, whose features it reads.
        moved: the router.
        features: standardised, of the labelled prompts, which stand for usual traffic.
        models: names of the strong and the weak model.
        metrics: as in metrics.json.
    """
    # Gains d in mf's form: sigmoid(2 d) is (1 + d) / 2 near 0.
    tensors: Tensors = {
        "P.weight": np.array([[0.5], [-0.5]], np.float32),
        "text_proj.0.weight": (2 * moved.weights[None]).astype(np.float32),
        "text_proj.0.bias": np.array([2 * moved.intercept], np.float32),
        "classifier.0.weight": np.ones((1, 1), np.float32),
        "features.mean": base.tensors["features.mean"],
        "features.scale": base.tensors["features.scale"],
        "traffic.features": features[:_MOST_TRAFFIC].astype(np.float16),
    }
    config = {
        "router": "mf",
        "strong_model": models[0],
        "weak_model": models[1],
        "encoder": base.trained.config["encoder"],
        "encoder_fingerprint": base.trained.config["encoder_fingerprint"],
        "surface_version": SURFACE_VERSION,
        "models": list(models),
        "training": {"adapted_from": metrics["from"], "labels": metrics["labels"]},
    }
    save_checkpoint(folder, tensors, config, _card(models, metrics))


def write_base(folder: Path, base: Base, metrics: Mapping[str, Any]) -> None:
    """Write the router that labels did not move, as it was."""
    save_checkpoint(folder, base.tensors, base.trained.config, _card(None, metrics))


def _card(models: tuple[str, str] | None, metrics: Mapping[str, Any]) -> str:
    """Return the card in Markdown; ``models`` is None for the router as it was."""
    if models is None:
        what = f"The router `{metrics['from']}` as it was: labels did not move it."
    else:
        what = (
            f"How likely the answer of `{models[0]}` is preferred to that of `{models[1]}`: the\n"
            f"router `{metrics['from']}`, moved by labels in closed form."
        )
    rows = "\n".join(
        f"| {name} | {_shown(own['apgr'])} | {_shown(own['over'].get('prompt length'), True)} | "
        f"{_shown(own['over'].get('constant mix'), True)} |"
        for name, own in metrics.get("cross_validated", {}).items()
    )
    results = (
        f"""
## Results on these labels

APGR (chance is 0.5) with bootstrap 95 % intervals, by five folds: each prompt is scored by a
router that did not learn it.

| router | APGR | over prompt length | over the constant mix |
|---|---|---|---|
{rows}
"""
        if rows
        else ""
    )
    return f"""# mf, adapted

{what}

{metrics["labels"]:,} labelled prompts. SHA-256 of the prompts: `{metrics["prompts_sha256"]}`.

Verdict: {metrics["verdict"]}
{results}
## Rebuild

```
routellm adapt --labels FILE --from {metrics["from"]} --out DIR
```
"""


def _shown(values: Mapping[str, float] | None, with_sign: bool = False) -> str:
    estimate = Estimate(**values) if values else None
    return estimated(estimate, signed) if with_sign else estimated(estimate)
