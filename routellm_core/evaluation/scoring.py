"""Score a benchmark's prompts, or take the scores from an earlier run."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import write_whole
from ..contracts import Router
from ..data.digests import digest_of
from ..errors import ScoringError
from ..progress import SILENT, Progress
from ..version import __version__
from .metrics import Floats

CACHE = "ROUTELLM_CACHE"
"""Environment variable that names the cache folder."""

_BATCH = 256


def score_prompts(
    name: str,
    router: Router,
    prompts: Sequence[str],
    *,
    cache: Path | None,
    progress: Progress = SILENT,
) -> Floats:
    """Return the strong win rate of each prompt: shape (n,), each in [0, 1].

    Args:
        name: name of the router.
        router: the router.
        prompts: the n prompts.
        cache: folder with scores of earlier runs, created if missing; None to score again. Only
            scores of routers with a fingerprint are cached.
        progress: receives how many prompts are scored.

    Raises:
        ScoringError: the router returned values that are not win rates. The router's own
            exceptions are not caught.
    """
    kept = _kept(router, prompts, cache)
    if kept is not None:
        scores = _read(kept, len(prompts))
        if scores is not None:
            return scores
    progress.stage(f"Scoring with {name}")
    scores = np.empty(len(prompts))
    for start in range(0, len(prompts), _BATCH):
        batch = prompts[start : start + _BATCH]
        scores[start : start + len(batch)] = _checked(router, batch)
        progress.step(start + len(batch), len(prompts))
    if kept is not None:
        _write(kept, scores)
    return scores


def cache_folder() -> Path:
    """Return the cache folder: ``$ROUTELLM_CACHE``, or the platform's usual place for caches."""
    if given := os.environ.get(CACHE):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "routellm"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local or Path.home() / "AppData" / "Local") / "routellm" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "routellm"


def _checked(router: Router, batch: Sequence[str]) -> Floats:
    n = len(batch)
    scores = np.asarray(router.score(batch), np.float64)
    if scores.shape != (n,):
        raise ScoringError(f"{n} prompts got scores of shape {scores.shape}")
    wrong = ~_win_rates(scores)
    if wrong.any():
        raise ScoringError(f"a score is {scores[wrong][0]}, not a win rate in [0, 1]")
    return scores


def _win_rates(scores: Floats) -> NDArray[np.bool_]:
    return np.asarray((scores >= 0) & (scores <= 1))


def _kept(router: Router, prompts: Sequence[str], cache: Path | None) -> Path | None:
    if cache is None or router.fingerprint is None:
        return None
    digest = digest_of([__version__, router.fingerprint, *prompts])
    return cache / "scores" / f"{digest}.npy"


def _read(path: Path, n: int) -> Floats | None:
    """Return the cached scores; None if there are none, or the file is damaged."""
    try:
        with path.open("rb") as file:
            scores = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # a damaged head fails in many ways, down to NumPy's tokenizer
        return None
    whole = scores.shape == (n,) and scores.dtype == np.float64
    return scores if whole and _win_rates(scores).all() else None


def _write(path: Path, scores: Floats) -> None:
    data = io.BytesIO()
    np.save(data, scores, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data.getvalue())
    except OSError:  # a cache that cannot be written costs time, not the results
        return
