"""Registers the built-in routers through the same hook that plugins use."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl
from .base import Router


def _bert(checkpoint: str = "bert", device: str | None = None) -> Router:
    from .bert import BERTRouter

    return BERTRouter.from_pretrained(checkpoint, device=device)


def _causal_llm(checkpoint: str = "causal_llm", device: str | None = None) -> Router:
    from .causal_llm import CausalLLMRouter

    return CausalLLMRouter.from_pretrained(checkpoint, device=device)


def _mf(
    checkpoint: str = "mf", strong_model: str | None = None, weak_model: str | None = None
) -> Router:
    from .mf import MatrixFactorizationRouter

    router = MatrixFactorizationRouter.from_pretrained(
        checkpoint, strong_model=strong_model, weak_model=weak_model
    )
    router.encoder.check()
    return router


def _random(seed: int = 0) -> Router:
    from .random import RandomRouter

    return RandomRouter(seed)


def _sw_ranking(
    checkpoint: str = "sw_ranking", strong_model: str | None = None, weak_model: str | None = None
) -> Router:
    from .sw_ranking import SWRankingRouter

    router = SWRankingRouter.from_pretrained(
        checkpoint, strong_model=strong_model, weak_model=weak_model
    )
    if router.encoder:
        router.encoder.check()
    return router


@hookimpl
def routellm_register_routers(register: Register) -> None:
    register("bert", _bert)
    register("causal_llm", _causal_llm)
    register("mf", _mf)
    register("random", _random)
    register("sw_ranking", _sw_ranking)
