"""What happens before and after training any router: splits, features, validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.learned import LEARNED, short_hashes
from ...contracts import Encoder
from ...data.digests import sha256_of
from ...data.labels import split_position
from ...encoders.surface import surface_features
from ...errors import DataError
from ...evaluation.intervals import bootstrap_apgr, interval
from ...evaluation.metrics import apgr
from ...progress import Progress
from ...registry.loading import described_encoder, load_encoder
from .comparisons import Comparisons, check_direction, compare_models
from .config import FeatureTrainingConfig, TrainingConfig
from .decontaminate import contaminated
from .features import standardisation
from .files import TrainingFiles, read_files
from .label_faults import usable_gold

_CONSTANT = 1e-3
"""Win rates that differ less than this order no prompts."""


@dataclass(frozen=True)
class Split:
    """Comparisons, and which of their prompts are for training and for validation."""

    comparisons: Comparisons
    train: NDArray[np.bool_]
    """Which prompts are learned from, shape (n,)."""
    validation: NDArray[np.bool_]
    """Which are held out."""
    copies: NDArray[np.bool_]
    """Which resemble an evaluation prompt, and are neither."""
    usual: NDArray[np.int64]
    """The validation prompts that stand for usual traffic."""
    findings: dict[str, list[str]]
    """What the check of labels found, by source of gold."""

    def sources(self, learned: NDArray[np.bool_] | None = None) -> dict[str, dict[str, Any]]:
        """Return, by source, how many prompts are for what, their digest, short hashes of those
        that are learned from, and the findings.

        Args:
            learned: which prompts are learned from in the end, shape (n,); None: those that are
                for training.
        """
        learned = self.train if learned is None else learned
        described = {}
        for number, name in enumerate(self.comparisons.sources):
            own = self.comparisons.source == number
            parts = {"train": self.train & own, "validation": self.validation & own}
            described[name] = {
                **{f"{part}_prompts": int(rows.sum()) for part, rows in parts.items()},
                "near_evaluation": int((self.copies & own).sum()),
                **{f"{part}_sha256": self._digest(rows) for part, rows in parts.items()},
                "findings": self.findings.get(name, []),
                LEARNED: short_hashes(
                    self.comparisons.prompts[i] for i in np.flatnonzero(learned & own)
                ),
            }
        return described

    def validate(
        self, router: str, win_rates: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    ) -> dict[str, Any]:
        """Return APGR of the router and of prompt length on held-out prompts, by gold source.

        Args:
            router: its name.
            win_rates: gives those of the prompts of these numbers.
        """
        comparisons, measured = self.comparisons, {}
        for number, name in enumerate(comparisons.sources):
            rows = np.flatnonzero(self.validation & (comparisons.source == number))
            better, worse = comparisons.strong[rows], comparisons.weak[rows]
            if not len(rows) or not (better - worse).sum() > 0:
                continue
            scores = {
                router: win_rates(rows),
                "length": np.array([float(len(comparisons.prompts[i])) for i in rows]),
            }
            draws = bootstrap_apgr(scores, better, worse)
            measured[name] = {
                "n": len(rows),
                "apgr": apgr(scores[router], better, worse),
                "interval": list(interval(draws[router])),
                "apgr_of_length": apgr(scores["length"], better, worse),
            }
        mean = float(win_rates(self.usual).mean())
        traffic = {"prompts": len(self.usual), "mean_win_rate": mean}
        return {"validation": measured, "traffic": traffic}

    def _digest(self, rows: NDArray[np.bool_]) -> str:
        prompts = self.comparisons.prompts
        return sha256_of("\n".join(sorted(sha256_of(prompts[i]) for i in np.flatnonzero(rows))))


@dataclass(frozen=True)
class Prepared(Split):
    """The same, with the features of the prompts."""

    encoder: Encoder
    mean: NDArray[np.float32]
    """Of each raw feature over the prompts to learn from, shape (D,)."""
    scale: NDArray[np.float32]
    """What a raw feature less its mean is multiplied by, shape (D,)."""
    features: NDArray[np.float32]
    """Embedding and surface of each prompt, standardised, shape (n, D)."""


def split(files: TrainingFiles, config: TrainingConfig, progress: Progress) -> Split:
    """Read the files, for a router that reads the prompts itself.

    Copies of evaluation prompts are found by the static encoder.

    Args:
        files: what to learn from.
        config: how.
        progress: receives each stage.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    parts, _ = _split(files, config, load_encoder("static"), progress)
    return parts


def prepare(files: TrainingFiles, config: FeatureTrainingConfig, progress: Progress) -> Prepared:
    """Read the files and encode their prompts.

    Args:
        files: what to learn from.
        config: how.
        progress: receives each stage.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data, or the pair is the wrong way round.
    """
    encoder = described_encoder(config.encoder)
    parts, embeddings = _split(files, config, encoder, progress)
    check_pair(parts, files, config, progress)
    raw = np.hstack([embeddings, surface_features(parts.comparisons.prompts)])
    mean, scale = standardisation(raw[parts.train], encoder.dim, config.embedding_scale)
    features = ((raw - mean) * scale).astype(np.float32)
    return Prepared(**vars(parts), encoder=encoder, mean=mean, scale=scale, features=features)


def _split(
    files: TrainingFiles, config: TrainingConfig, encoder: Encoder, progress: Progress
) -> tuple[Split, NDArray[np.float32]]:
    """Return what is for what, and the vectors of the prompts."""
    progress.stage("Reading")
    rows = read_files(files)
    progress.stage("Checking labels")
    gold, findings = usable_gold(rows.gold, config, progress)
    comparisons = compare_models(rows.battles, gold, config, progress)
    progress.stage(f"Encoding {len(comparisons.prompts):,} prompts")
    vectors = encoder.encode(comparisons.prompts)
    if rows.evaluation:
        progress.stage(f"Comparing them with {len(rows.evaluation):,} evaluation prompts")
    copies = contaminated(comparisons.prompts, vectors, rows.evaluation, encoder)
    held_out = np.array([is_held_out(prompt, files, config) for prompt in comparisons.prompts])
    train, validation = ~held_out & ~copies, held_out & ~copies
    if not train.any():
        raise DataError(
            "no prompt is left to train on, apart from those held out and near-copies of "
            "evaluation prompts: give more battles or gold"
        )
    usual = usual_prompts(comparisons, validation, config)
    if files.held_out is not None and not len(usual):
        usual = np.flatnonzero(validation)  # a fold's router is judged, and not deployed
    if not len(usual):
        raise DataError(
            f"no prompt of {config.traffic or 'any source'} is held out to measure and calibrate "
            "the router on: give more prompts, or raise 'validation_share' in the configuration "
            f"(it is {config.validation_share:g})"
        )
    return Split(comparisons, train, validation, copies, usual, findings), vectors


def tell_if_constant(win_rates: NDArray[np.float64], progress: Progress) -> None:
    """Send a message if a router that was trained gives all prompts the same score.

    Args:
        win_rates: of prompts, shape (n,).
        progress: receives the message.
    """
    if np.ptp(win_rates) < _CONSTANT:
        progress.message(
            "the labels do not tell prompts apart, so every prompt gets the score "
            f"{win_rates.mean():.3f}: give more labels, or other ones"
        )


def check_pair(
    data: Split, files: TrainingFiles, config: TrainingConfig, progress: Progress
) -> None:
    """Make sure that the pair is not given the wrong way round, but for what a fold leaves of the
    labels, which may differ by chance.

    Raises:
        ConfigError: where the two are compared, the weak model wins more often.
    """
    if files.held_out is None:
        check_direction(data.comparisons, config, progress)


def is_held_out(prompt: str, files: TrainingFiles, config: TrainingConfig) -> bool:
    """Whether a prompt is kept out of training: by a fold, else by its hash."""
    if files.held_out is not None:
        return sha256_of(prompt) in files.held_out
    return split_position(prompt) < config.validation_share


def usual_prompts(
    comparisons: Comparisons, among: NDArray[np.bool_], config: TrainingConfig
) -> NDArray[np.int64]:
    """Return the numbers of the prompts whose scores give the quantiles, the first by SHA-256.

    Args:
        comparisons: their prompts.
        among: which may be taken, shape (n,).
        config: says of which source, and how many at most.
    """
    usual = among.copy()
    if config.traffic is not None:
        usual &= comparisons.source == comparisons.sources.index(config.traffic)
    candidates = np.flatnonzero(usual)
    order = sorted(candidates, key=lambda i: sha256_of(comparisons.prompts[i]))
    return np.array(order[: config.traffic_prompts], np.int64)
