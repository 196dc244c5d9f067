"""Outcomes of every model that was measured: reading, splits and features, validation figures.

Labels of one pair of models carry that pair's habits, such as a model that explains where a letter
is asked for. Outcomes of many models on the same prompts teach how hard a prompt is, which carries
over to other models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...checkpoints.learned import LEARNED, short_hashes
from ...contracts import Encoder
from ...data.digests import sha256_of
from ...data.outcomes import Outcomes
from ...encoders.surface import surface_features
from ...errors import ConfigError, DataError, did_you_mean
from ...evaluation.named_pairs import mean_over_named_pairs
from ...evaluation.pairs import mean_over_pairs
from ...progress import Progress
from ...registry.loading import described_encoder
from ..shared.config import LearnTrainingConfig
from ..shared.decontaminate import contaminated
from ..shared.features import standardisation
from ..shared.files import TrainingFiles, read_files
from ..shared.label_faults import usable_gold
from ..shared.prepare import is_held_out

STRONG, WEAK = "strong", "weak"
"""Names of the two models of the default pair, which stand for a strong and a weak tier."""

TRAFFIC = 3_000
"""Most prompts of usual traffic from which a language model learns."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Data:
    """Prompts of all sources, each once, and the outcomes of each source."""

    prompts: list[str]
    place: Mapping[str, int]
    """Of each prompt in the list."""
    sources: list[Outcomes]
    findings: dict[str, list[str]]
    """Of the check of labels, by source."""
    traffic: list[str]
    """Prompts of the source that stands for usual traffic; empty: those of all sources."""
    evaluation: list[str]
    """Prompts that must not be learned from."""

    def rows(self, outcomes: Outcomes) -> NDArray[np.int64]:
        """Return the places of a source's prompts."""
        return np.array([self.place[prompt] for prompt in outcomes.prompts], np.int64)


@dataclass(frozen=True)
class PreparedOutcomes:
    """Outcomes with the features of their prompts, and which prompts are for what."""

    data: _Data
    encoder: Encoder
    mean: NDArray[np.float32]
    """Of each raw feature over the prompts to learn from, shape (D,)."""
    scale: NDArray[np.float32]
    """What a raw feature less its mean is multiplied by, shape (D,)."""
    features: Floats
    """Of each prompt, standardised, shape (n, D)."""
    learned: NDArray[np.bool_]
    """Which prompts are learned from, shape (n,)."""
    validation: NDArray[np.bool_]
    """Which are held out."""
    copies: NDArray[np.bool_]
    """Which resemble an evaluation prompt, and are neither."""
    usual: NDArray[np.int64]
    """The validation prompts that stand for usual traffic."""

    def parts(self) -> list[tuple[Outcomes, NDArray[np.int64]]]:
        """Return the outcomes that are learned from, with the numbers of their prompts."""
        found = []
        for source in self.data.sources:
            keep = self.learned[self.data.rows(source)] & (source.measured > 0)
            if keep.any():
                own = source.only(keep)
                found.append((own, self.data.rows(own)))
        return found

    def traffic_rows(self) -> NDArray[np.int64]:
        """Return the numbers of prompts of usual traffic that have no outcomes and may be learned
        from, ``TRAFFIC`` at most: the first by SHA-256.
        """
        measured = {prompt for source in self.data.sources for prompt in source.prompts}
        rows = {self.data.place[prompt] for prompt in self.data.traffic if prompt not in measured}
        found = sorted(
            (row for row in rows if self.learned[row]),
            key=lambda row: sha256_of(self.data.prompts[row]),
        )
        return np.array(found[:TRAFFIC], np.int64)

    def described(self) -> dict[str, dict[str, Any]]:
        """Return, by source, how many models and prompts there are, with their digests."""
        return _described(self.data, self.learned, self.validation, self.copies)

    def validate(self, router: str, rates: Floats) -> dict[str, dict[str, Any]]:
        """Return, by source, mean APGR over the pairs of models whose gap is wide enough.

        Args:
            router: its name.
            rates: of each prompt for its default pair, shape (n,).
        """
        return _validation(self.data, self.validation, router, rates)

    def validate_named(
        self, logits: Callable[[Outcomes, NDArray[np.int64]], Floats], contrast: Floats
    ) -> dict[str, dict[str, Any]]:
        """Return, by source, mean APGR over the same pairs, each named: ``apgr`` and ``interval``.

        Args:
            logits: gives those of each model's being right on prompts of a source, shape
                (n, models), from their outcomes and their numbers.
            contrast: of each prompt, shape (n,).
        """
        measured = {}
        for source in self.data.sources:
            if not source.models:  # all of them are held out
                continue
            own = source.only(self.validation[self.data.rows(source)])
            rows = self.data.rows(own)
            found = mean_over_named_pairs(own.quality, {"named": logits(own, rows)}, contrast[rows])
            if found is not None:
                measured[source.source] = {
                    "apgr": found.mean["named"],
                    "interval": list(found.interval["named"]),
                }
        return measured


def prepare_outcomes(
    files: TrainingFiles, config: LearnTrainingConfig, progress: Progress
) -> PreparedOutcomes:
    """Read the files and encode their prompts.

    Args:
        files: what to learn from. Of battles only prompts are used, as usual traffic.
        config: how.
        progress: receives each stage.

    Raises:
        DataError: a file cannot be used; the message names file, line and remedy.
        ConfigError: the configuration does not fit the data.
    """
    progress.stage("Reading")
    data = _read(files, config, progress)
    progress.stage(f"Encoding {len(data.prompts):,} prompts")
    encoder = described_encoder(config.encoder)
    vectors = encoder.encode(data.prompts)
    copies = contaminated(data.prompts, vectors, data.evaluation, encoder)
    held_out = np.array([is_held_out(prompt, files, config) for prompt in data.prompts])
    learned, validation = ~held_out & ~copies, held_out & ~copies
    measured = [data.rows(source)[source.measured > 0] for source in data.sources]
    used = np.unique(np.concatenate(measured))
    if not learned[used].any():
        raise DataError("no gold prompt is left to train on: give more gold")
    raw = np.hstack([vectors, surface_features(data.prompts)])
    mean, scale = standardisation(raw[used[learned[used]]], encoder.dim, config.embedding_scale)
    features = ((raw - mean) * scale).astype(np.float64)
    usual = _usual(data, validation, config)
    if files.held_out is not None and not len(usual):
        usual = np.flatnonzero(validation)  # a fold's router is judged, and not deployed
    if not len(usual):
        raise DataError(
            "no prompt is held out to calibrate the router on: give more prompts, or raise "
            f"'validation_share' in the configuration (it is {config.validation_share:g})"
        )
    return PreparedOutcomes(
        data, encoder, mean, scale, features, learned, validation, copies, usual
    )


def _read(files: TrainingFiles, config: LearnTrainingConfig, progress: Progress) -> _Data:
    rows = read_files(files)
    known = [*rows.gold, *rows.battles]
    usual = [name for kind in config.traffic_kinds for name in kind]
    for name in (*config.sources, *([config.traffic] if config.traffic else []), *usual):
        if name not in known:
            raise ConfigError(
                f"the configuration names a source '{name}' but no such file was given: "
                f"{did_you_mean(name, known)}"
            )
    if not rows.gold:
        raise DataError("learning from outcomes needs gold: give --gold, or set learn: pair")
    gold, findings = usable_gold(rows.gold, config, progress)
    sources = [
        Outcomes.of(name, kept, config.canonical()).without_models(files.models_held_out)
        for name, kept in gold.items()
    ]
    traffic = [row.prompt for row in rows.battles.get(config.traffic or "", ())]
    traffic += [row.prompt for row in rows.gold.get(config.traffic or "", ())]
    prompts = dict.fromkeys(prompt for source in sources for prompt in source.prompts)
    prompts.update(dict.fromkeys(traffic))
    place = {prompt: at for at, prompt in enumerate(prompts)}
    return _Data(list(prompts), place, sources, findings, traffic, rows.evaluation)


def _usual(
    data: _Data, held_out: NDArray[np.bool_], config: LearnTrainingConfig
) -> NDArray[np.int64]:
    """Return the prompts whose scores give the quantiles, the first by SHA-256: equal parts of each
    kind of usual traffic.
    """

    def first(rows: Sequence[int] | NDArray[np.int64], most: int) -> list[int]:
        candidates = sorted({int(row) for row in rows if held_out[row]})
        return sorted(candidates, key=lambda row: sha256_of(data.prompts[row]))[:most]

    rows = {source.source: data.rows(source).tolist() for source in data.sources}
    kinds = config.traffic_kinds or [[config.traffic] if config.traffic else [], list(rows)]
    kinds = [kind for kind in kinds if kind]
    if config.traffic:
        rows[config.traffic] = [data.place[prompt] for prompt in data.traffic]
    chosen: list[int] = []
    for kind in kinds:
        each = -(-config.traffic_prompts // (len(kinds) * len(kind)))
        for source in kind:
            chosen += first(rows[source], each)
    return np.array(chosen, np.int64)


def _described(
    data: _Data,
    learned: NDArray[np.bool_],
    validation: NDArray[np.bool_],
    copies: NDArray[np.bool_],
) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = {}
    for source in data.sources:
        rows = data.rows(source)
        parts = {"train": rows[learned[rows]], "validation": rows[validation[rows]]}
        described[source.source] = {
            "models": len(source.models),
            **{f"{part}_prompts": len(own) for part, own in parts.items()},
            "near_evaluation": int(copies[rows].sum()),
            **{f"{part}_sha256": _digest(data, own) for part, own in parts.items()},
            LEARNED: short_hashes(data.prompts[row] for row in parts["train"]),
        }
    return described


def _digest(data: _Data, rows: NDArray[np.int64]) -> str:
    return sha256_of("\n".join(sorted(sha256_of(data.prompts[row]) for row in rows)))


def _validation(
    data: _Data, validation: NDArray[np.bool_], router: str, rates: Floats
) -> dict[str, dict[str, Any]]:
    measured = {}
    for source in data.sources:
        own = source.only(validation[data.rows(source)])
        if len(own.prompts) < 2:
            continue
        scores = {
            router: rates[data.rows(own)],
            "length": np.array([float(len(prompt)) for prompt in own.prompts]),
        }
        found = mean_over_pairs(own.quality, scores)
        if found is not None:
            measured[source.source] = {
                "n": len(own.prompts),
                "pairs": found.pairs,
                "apgr": found.mean[router],
                "interval": list(found.interval[router]),
                "apgr_of_length": found.mean["length"],
            }
    return measured
