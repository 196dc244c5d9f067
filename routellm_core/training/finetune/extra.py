"""The packages that fine-tuning needs, or what to install."""

from __future__ import annotations

from ...errors import MissingExtraError

try:
    import accelerate
    import safetensors.torch
    import torch
    import transformers
except ImportError as error:
    raise MissingExtraError(
        f"fine-tuning needs torch, transformers and accelerate ({error}): "
        'pip install "routellm-plugins[train]"'
    ) from error

__all__ = ["accelerate", "safetensors", "torch", "transformers"]
