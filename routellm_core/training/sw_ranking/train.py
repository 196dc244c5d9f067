"""Make an sw_ranking router: data in, checkpoint with metrics and model card out.

Little is fitted here, only along which directions prompts are compared: the battles themselves
are the checkpoint, with the vectors of their prompts. It takes seconds, so an interrupted run
starts again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, save_checkpoint, write_whole
from ...encoders.surface import SURFACE_VERSION
from ...evaluation.intervals import interval
from ...progress import SILENT, Progress
from ...routers.embedding_checkpoint import sigmoid
from ...routers.sw_ranking.directions import shortened
from ...routers.sw_ranking.router import SWRankingRouter
from ...routers.sw_ranking.tally import Battles, order_of
from ..shared.card import METRICS, card
from ..shared.files import TrainingFiles
from ..shared.prepare import Prepared, prepare, tell_if_constant, usual_prompts
from .battles import battles_of, of_votes
from .config import SWRankingConfig
from .metric import Metric, metric_of
from .outcomes import train_on_outcomes

_DRAWS = 1_000

_ENOUGH = 1_000
"""Prompts by whose scores a constant router is found."""


def train_sw_ranking(
    files: TrainingFiles,
    folder: Path,
    config: SWRankingConfig,
    *,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Pool the battles of all sources, or the outcomes of all models, and write the checkpoint.

    On a pair, the validation figures are of a ranking without the validation prompts. What is
    written then ranks them too, unless they are held out by a fold.

    Args:
        files: what to learn from.
        folder: for the checkpoint, its metrics.json and model card.
        config: what is learned (``learn``), hyper-parameters, and how each source is used.
        progress: receives each stage.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    if config.learn == "outcomes":
        return train_on_outcomes(files, folder, config, progress)
    data = prepare(files, config, progress)
    progress.stage("Ranking")
    used = data.train
    ranked = _rank(data, used, config)
    progress.stage("Measuring on validation prompts")
    measured = data.validate("sw_ranking", ranked.win_rates)
    votes = _votes(data, ranked.metric.projected, ranked.router)
    if files.held_out is None:
        progress.stage("Ranking with validation prompts too")
        used = data.train | data.validation
        ranked = _rank(data, used, config)
    tell_if_constant(ranked.win_rates(np.arange(len(used))[:_ENOUGH]), progress)
    usual = usual_prompts(data.comparisons, data.train | data.validation, config)
    traffic = shortened(ranked.metric.unseen[usual])
    metrics = {
        "sources": data.sources(used),
        "validation_learned": used is not data.train,
        **measured,
        "traffic": {
            "prompts": len(usual),
            "learned": int(used[usual].sum()),
            "mean_win_rate": float(ranked.router.score_embeddings(traffic).mean()),
        },
        "votes": votes,
        "tiers": ranked.router.tiers,
    }
    battles = ranked.battles
    tensors: Tensors = {
        "vectors": ranked.vectors,
        "first": battles.first.astype(np.int32),
        "second": battles.second.astype(np.int32),
        "p_first": battles.p_first.astype(np.float32),
        "weight": battles.weight.astype(np.float32),
        "features.mean": data.mean,
        "features.projection": (data.scale[:, None] * ranked.metric.directions).astype(np.float32),
        "traffic": traffic,
    }
    _write(folder, tensors, battles.models, data, config, metrics, files)
    return metrics


@dataclass(frozen=True)
class _Ranked:
    """A ranking of the battles on some of the prompts."""

    battles: Battles
    metric: Metric
    vectors: NDArray[np.int8]
    """Of the battles' prompts."""
    router: SWRankingRouter

    def win_rates(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return those of the prompts of these numbers."""
        return self.router.score_embeddings(self.metric.projected[rows])


def _rank(data: Prepared, used: NDArray[np.bool_], config: SWRankingConfig) -> _Ranked:
    learned = data.comparisons.only(used)
    battles = battles_of(learned, config)
    order = order_of(battles, config.num_tiers)
    battles = Battles(
        battles.models,
        battles.first[order],
        battles.second[order],
        battles.p_first[order].astype(np.float32).astype(np.float64),
        battles.weight[order].astype(np.float32).astype(np.float64),
    )
    metric = metric_of(data.features, used, learned, config)
    vectors = shortened(metric.projected[used][learned.prompt[order]])
    router = SWRankingRouter(
        battles,
        vectors,
        strong_model=config.strong_model,
        weak_model=config.weak_model,
        num_tiers=config.num_tiers,
        gamma=config.gamma,
    )
    return _Ranked(battles, metric, vectors, router)


def _votes(
    data: Prepared, projected: NDArray[np.float32], router: SWRankingRouter
) -> dict[str, Any] | None:
    """Return the log loss on held-out votes, beside that of a Bradley-Terry model of the votes
    that are learned from, which is blind to the prompt; None if no votes are held out.
    """
    comparisons = data.comparisons
    is_vote = np.isnan(comparisons.strong)[comparisons.prompt]
    train = is_vote & data.train[comparisons.prompt]
    rows = np.flatnonzero(is_vote & data.validation[comparisons.prompt])
    if not len(rows) or not train.any():
        return None
    first, second = comparisons.first[rows], comparisons.second[rows]
    blind = of_votes(comparisons, train).strengths()
    tiers = np.array([router.tiers[model] for model in comparisons.models])
    prompts, index = np.unique(comparisons.prompt[rows], return_inverse=True)
    strengths = router.tier_strengths(projected[prompts])[index]
    picked = np.arange(len(rows))
    ours = strengths[picked, tiers[first]] - strengths[picked, tiers[second]]
    p_first = comparisons.p_first[rows]
    loss, blind_loss = _log_loss(ours, p_first), _log_loss(blind[first] - blind[second], p_first)
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(rows), (_DRAWS, len(rows)))
    return {
        "n": len(rows),
        "log_loss": float(loss.mean()),
        "log_loss_of_bradley_terry": float(blind_loss.mean()),
        "difference_interval": list(interval((loss - blind_loss)[draws].mean(axis=1))),
    }


def _votes_in_words(votes: dict[str, Any] | None) -> str:
    if votes is None:
        return ""
    low, high = votes["difference_interval"]
    return f"""
On {votes["n"]:,} votes held out, the log loss is {votes["log_loss"]:.4f}; that of a Bradley-Terry
model blind to the prompt is {votes["log_loss_of_bradley_terry"]:.4f}; paired difference, 95 %
interval [{low:+.4f}, {high:+.4f}].
"""


def _log_loss(logits: NDArray[np.float64], p_first: NDArray[np.float64]) -> NDArray[np.float64]:
    win_rates = np.clip(sigmoid(logits), 1e-12, 1 - 1e-12)
    losses: NDArray[np.float64] = -(
        p_first * np.log(win_rates) + (1 - p_first) * np.log(1 - win_rates)
    )
    return losses


def _write(
    folder: Path,
    tensors: Tensors,
    models: list[str],
    data: Prepared,
    config: SWRankingConfig,
    metrics: dict[str, Any],
    files: TrainingFiles,
) -> None:
    described = {
        "router": "sw_ranking",
        "strong_model": config.strong_model,
        "weak_model": config.weak_model,
        "encoder": config.encoder,
        "encoder_fingerprint": data.encoder.fingerprint,
        "surface_version": SURFACE_VERSION,
        "num_tiers": config.num_tiers,
        "gamma": config.gamma,
        "models": models,
        "training": config.model_dump(exclude={"notes"}),
    }
    written = card(
        "sw_ranking",
        f"similarity-weighted ranking of battles by the `{config.encoder_name}` embedding of a "
        "prompt and\nfeatures of its surface",
        config,
        metrics,
        data.comparisons,
        files.command("sw_ranking"),
        use=lambda name: f"weight {config.source(name).weight:g}",
        more_results=_votes_in_words(metrics["votes"]),
    )
    save_checkpoint(folder, tensors, described, written)
    write_whole(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
