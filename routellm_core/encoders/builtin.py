"""Registers the built-in encoders through the same hook that plugins use."""

from __future__ import annotations

from ..checkpoints.store import Checkpoint
from ..contracts import Encoder
from ..hookspecs import Register, hookimpl


def _static() -> Encoder:
    from .static import StaticEncoder

    return StaticEncoder.from_bundled()


def _openai(
    model: str = "text-embedding-3-small",
    dim: int = 1536,
    dimensions: int | None = None,
    base_url: str | None = None,
    api_key_env: str | None = None,
) -> Encoder:
    from .openai import OpenAIEncoder

    encoder = OpenAIEncoder(
        model, dim, dimensions=dimensions, base_url=base_url, api_key_env=api_key_env
    )
    encoder.check()
    return encoder


def _sentence_transformer(model: Checkpoint) -> Encoder:
    from .sentence_transformer import SentenceTransformerEncoder

    return SentenceTransformerEncoder(model)


@hookimpl
def routellm_register_encoders(register: Register) -> None:
    register("static", _static)
    register("openai", _openai)
    register("sentence_transformer", _sentence_transformer)
