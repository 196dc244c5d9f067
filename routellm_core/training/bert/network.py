"""An encoder with two linear heads: a prompt's difficulty and its contrast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from ...errors import ConfigError

LENGTH = 30.0
"""Of the vector that the heads read. The longer, the faster they learn beside the encoder."""


class ItemNetwork(nn.Module):
    """Mean of an encoder's last states, scaled to a fixed length, and two linear heads.

    Args:
        encoder: a BERT of transformers. Its word vectors are kept as they are: most words occur in
            few prompts, so that they would learn those by heart.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.embeddings.word_embeddings.weight.requires_grad_(False)
        self.head = nn.Linear(encoder.config.hidden_size, 2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return both, shape (n, 2), difficulty in standard deviations.

        Args:
            input_ids: shape (n, tokens).
            attention_mask: 1 for what is read, shape (n, tokens).
        """
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        read = attention_mask[..., None].to(states.dtype)
        pooled = (states * read).sum(dim=1) / read.sum(dim=1)
        told: torch.Tensor = self.head(nn.functional.normalize(pooled, dim=1) * LENGTH)
        return told

    def restore(self, folder: Path) -> None:
        """Set the weights to those that were saved in a folder."""
        self.load_state_dict(load_file(folder / "model.safetensors"))

    def check_layers(self, layers: Sequence[int]) -> None:
        """Check that the encoder has these layers.

        Raises:
            ConfigError: there is no such layer, or the numbers do not ascend.
        """
        own = len(self.encoder.encoder.layer)
        if layers and (list(layers) != sorted({*layers} & {*range(own)})):
            raise ConfigError(
                f"'kept_layers' is {list(layers)}: name layers in ascending order, from 0 to "
                f"{own - 1}"
            )

    def keep(self, layers: Sequence[int]) -> None:
        """Drop all other layers of the encoder."""
        own = self.encoder.encoder.layer
        self.encoder.encoder.layer = nn.ModuleList([own[number] for number in layers])
        self.encoder.config.num_hidden_layers = len(layers)
