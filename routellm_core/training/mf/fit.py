"""Fit the matrix factorization, so that a killed run goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from ...checkpoints.store import Tensors, write_whole
from ...data.digests import digest_of
from ...errors import ConfigError
from ...progress import SILENT, Progress
from ..shared.comparisons import Comparisons
from .config import MFConfig

UNFINISHED = "training_state.safetensors"
"""File with the state of a run that is not finished."""

SAVE_EVERY = 50
"""Steps between two saves."""

PARAMETERS = ("P.weight", "text_proj.0.weight", "text_proj.0.bias", "classifier.0.weight", "levels")


def fit(
    features: NDArray[np.float32],
    comparisons: Comparisons,
    config: MFConfig,
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> Tensors:
    """Minimise the binary cross-entropy of the comparisons, by Adam over all of them at once.

    A source counts for its weight, however many comparisons it has. The learning rate falls
    to 0 along half a cosine.

    Args:
        features: of each prompt, standardised, shape (len(comparisons.prompts), D).
        comparisons: what to learn from.
        config: hyper-parameters.
        folder: where the state is saved every ``SAVE_EVERY`` steps and found again; None:
            nowhere. The result is the same, to the byte, however often the run was cut off.
        progress: receives each step with its loss.

    Returns:
        The tensors named in ``PARAMETERS``, float32; ``levels`` has one number per source.

    Raises:
        ConfigError: ``folder`` holds the state of a run on other data or settings.
    """
    with _same_bytes_every_time():
        return _fit(features, comparisons, config, folder, progress)


def _fit(
    features: NDArray[np.float32],
    comparisons: Comparisons,
    config: MFConfig,
    folder: Path | None,
    progress: Progress,
) -> Tensors:
    problem = _Problem(features, comparisons, config)
    run = digest_of(
        [
            config.model_dump_json(exclude={"notes"}),
            *comparisons.models,
            *comparisons.sources,
            features,
            comparisons.source,
            comparisons.prompt,
            comparisons.first,
            comparisons.second,
            comparisons.p_first,
        ]
    )
    parameters = _initial(features.shape[1], comparisons, config)
    optimizer = torch.optim.Adam(parameters.values(), lr=config.learning_rate)
    done = _restore(folder / UNFINISHED, run, parameters, optimizer) if folder else 0
    for step in range(done + 1, config.steps + 1):
        for group in optimizer.param_groups:
            half_turn = math.pi * (step - 1) / config.steps
            group["lr"] = config.learning_rate * (1 + math.cos(half_turn)) / 2
        optimizer.zero_grad()
        loss = problem.loss(parameters)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        progress.step(step, config.steps, f"loss {float(loss.detach()):.4f}")
        if folder and step % SAVE_EVERY == 0 and step < config.steps:
            _save(folder / UNFINISHED, run, step, parameters, optimizer)
    return {name: tensor.detach().numpy().copy() for name, tensor in parameters.items()}


@contextmanager
def _same_bytes_every_time() -> Iterator[None]:
    """Add up in one order on one thread: how sums are split depends on how many threads share."""
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)


class _Problem:
    def __init__(
        self, features: NDArray[np.float32], comparisons: Comparisons, config: MFConfig
    ) -> None:
        features = features.copy()
        for number, name in enumerate(comparisons.sources):
            if config.source(name).level_only:
                own = comparisons.source == number
                features[own] = features[own].mean(axis=0)
        source = comparisons.source[comparisons.prompt]
        sizes = np.bincount(source, minlength=len(comparisons.sources))
        shares = np.array([config.source(name).weight for name in comparisons.sources])
        weight = (shares / np.maximum(sizes, 1))[source]
        levels = [config.source(name).level for name in comparisons.sources]
        self._features = torch.from_numpy(features)
        self._prompt = torch.from_numpy(comparisons.prompt)
        self._first = torch.from_numpy(comparisons.first)
        self._second = torch.from_numpy(comparisons.second)
        self._p_first = torch.from_numpy(comparisons.p_first.astype(np.float32))
        self._weight = torch.from_numpy((weight / weight.sum()).astype(np.float32))
        self._source = torch.from_numpy(source)
        self._has_level = torch.tensor([level != "shared" for level in levels], dtype=torch.float32)
        self._pooled = torch.tensor([level == "pooled" for level in levels])
        pairs = np.stack([comparisons.first, comparisons.second])
        distinct, pair = np.unique(pairs, axis=1, return_inverse=True)
        self._pairs = torch.from_numpy(distinct)
        self._pair_weight = torch.from_numpy(
            np.bincount(pair.ravel(), weight / weight.sum()).astype(np.float32)
        )
        self._l2 = config.l2
        self._level_l2 = config.level_l2

    def loss(self, parameters: dict[str, torch.Tensor]) -> torch.Tensor:
        models, projection, bias, classifier, levels = (parameters[name] for name in PARAMETERS)
        projected = (self._features @ projection.T + bias) * classifier
        difference = models[self._first] - models[self._second]
        logits = (projected[self._prompt] * difference).sum(dim=1)
        logits = logits + (levels * self._has_level)[self._source]
        entropy = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, self._p_first, self._weight, reduction="sum"
        )
        of_pair = (models[self._pairs[0]] - models[self._pairs[1]]) * classifier @ projection
        penalty = (of_pair.square().sum(dim=1) * self._pair_weight).sum()
        penalty = self._l2 * penalty
        if self._pooled.any():
            pooled = levels[self._pooled]
            penalty = penalty + self._level_l2 * (pooled - pooled.mean()).square().sum()
        return entropy + penalty


def _initial(dim: int, comparisons: Comparisons, config: MFConfig) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(config.seed)

    def normal(*shape: int, scale: float) -> torch.Tensor:
        return (torch.randn(*shape, generator=generator) * scale).requires_grad_()

    rank = config.rank
    tensors = (
        normal(len(comparisons.models), rank, scale=rank**-0.5),
        normal(rank, dim, scale=0.1 * dim**-0.5),
        torch.zeros(rank, requires_grad=True),
        torch.ones(1, rank, requires_grad=True),
        torch.zeros(len(comparisons.sources), requires_grad=True),
    )
    return dict(zip(PARAMETERS, tensors, strict=True))


def _save(
    path: Path,
    run: str,
    step: int,
    parameters: dict[str, torch.Tensor],
    optimizer: torch.optim.Adam,
) -> None:
    tensors = {name: tensor.detach() for name, tensor in parameters.items()}
    for name, tensor in parameters.items():
        state = optimizer.state[tensor]
        tensors |= {f"{name}/{moment}": state[moment] for moment in ("exp_avg", "exp_avg_sq")}
    metadata = {"run": run, "step": str(step)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, safetensors.torch.save(tensors, metadata))


def _restore(
    path: Path, run: str, parameters: dict[str, torch.Tensor], optimizer: torch.optim.Adam
) -> int:
    if not path.is_file():
        return 0
    with safetensors.safe_open(path, "pt") as saved:
        metadata = saved.metadata()
        if metadata["run"] != run:
            raise ConfigError(
                f"{path} belongs to a run on other data or settings: "
                "give another --out, or remove the file to start anew"
            )
        step = int(metadata["step"])
        with torch.no_grad():
            for name, tensor in parameters.items():
                tensor.copy_(saved.get_tensor(name))
                optimizer.state[tensor] = {
                    "step": torch.tensor(float(step)),
                    **{
                        moment: saved.get_tensor(f"{name}/{moment}")
                        for moment in ("exp_avg", "exp_avg_sq")
                    },
                }
    return step
