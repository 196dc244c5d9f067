"""How weights move: by which loss, what learns how fast, and their average over the steps."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from .config import FinetuneConfig
from .targets import Targets

AVERAGE = "average.safetensors"
"""The averages in a saved state."""

_LAYER = re.compile(r"\.(?:layers?|h|blocks?)\.(\d+)\.")


def as_tensors(targets: Targets) -> dict[str, torch.Tensor]:
    """Return what ``loss_of`` needs of each row, by name, the rows in their order."""
    return {
        name: torch.from_numpy(getattr(targets, name))
        for name in ("probabilities", "weight", "levels", "taught", "teaching")
    }


def loss_of(log_probabilities: torch.Tensor, rows: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the mean loss over a batch.

    It is the cross-entropy of each row, after its level was added, times its weight; for
    probability that goes to none of the outcomes, the negative logarithm of the rest; and
    the squared error of the logit of P(strong wins) + P(tie) / 2, times what teaching counts for.

    Args:
        log_probabilities: of the strong model winning, a tie, the weak one winning, shape (b, 3).
        rows: what ``as_tensors`` returned, for the rows of the batch.
    """
    among = torch.log_softmax(log_probabilities + rows["levels"], dim=-1)
    entropy = -(rows["probabilities"] * among).sum(dim=-1)
    elsewhere = -torch.logsumexp(log_probabilities, dim=-1)
    strong, tie, weak = log_probabilities.unbind(dim=-1)
    half = tie - math.log(2)
    logit = torch.logaddexp(strong, half) - torch.logaddexp(weak, half)
    error = (logit - rows["taught"]).square()
    of_row: torch.Tensor = (entropy + elsewhere) * rows["weight"] + error * rows["teaching"]
    return of_row.mean()


def parameter_groups(model: torch.nn.Module, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Return what the optimizer takes: parameters with their learning rate and weight decay.

    With ``layer_decay`` d, a layer learns at d times the rate of the one above it, and the
    embeddings at d times that of the lowest; what lies above the layers learns at the full rate.

    Args:
        model: a transformer.
        config: hyper-parameters.
    """
    named = [(name, tensor) for name, tensor in model.named_parameters() if tensor.requires_grad]
    numbers = [_LAYER.search(name) for name, _ in model.named_parameters()]
    layers = 1 + max((int(number[1]) for number in numbers if number), default=-1)
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, tensor in named:
        layer = _LAYER.search(name)
        below = layers - 1 - int(layer[1]) if layer else layers if "embed" in name else 0
        rate = config.learning_rate * config.layer_decay**below
        decay = config.weight_decay if tensor.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(tensor)
    return [
        {"params": tensors, "lr": rate, "weight_decay": decay}
        for (rate, decay), tensors in groups.items()
    ]


class Average:
    """The exponential average of a model's trainable weights.

    It starts from the first steps' plain mean: after step t, the share that is kept is
    ``min(keep, (1 + t) / (10 + t))``.
    """

    def __init__(self, model: torch.nn.Module, keep: float) -> None:
        self._keep = keep
        self._parameters = {
            name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad
        }
        self._mean = {name: tensor.detach().clone() for name, tensor in self._parameters.items()}

    def update(self, step: int) -> None:
        """Take in the weights after a step."""
        keep = min(self._keep, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, tensor in self._parameters.items():
                self._mean[name].lerp_(tensor.to(self._mean[name]), 1 - keep)

    def apply(self) -> None:
        """Set the weights to their averages."""
        with torch.no_grad():
            for name, tensor in self._parameters.items():
                tensor.copy_(self._mean[name])

    def save(self, folder: Path) -> None:
        """Write the averages into the folder of a state."""
        safetensors.torch.save_file(self._mean, folder / AVERAGE)

    def load(self, folder: Path) -> None:
        """Go on from the averages in the folder of a state."""
        self._mean = safetensors.torch.load_file(folder / AVERAGE)
