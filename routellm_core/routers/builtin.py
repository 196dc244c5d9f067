"""Registers the built-in routers through the same hook that plugins use."""

from __future__ import annotations

from ..checkpoints.store import Checkpoint
from ..contracts import Router
from ..errors import ConfigError
from ..hookspecs import Register, hookimpl


def _bert(
    checkpoint: Checkpoint = "bert",
    device: str | None = None,
    strong_model: str | None = None,
    weak_model: str | None = None,
    strong_ability: float | None = None,
    weak_ability: float | None = None,
) -> Router:
    from .bert.loading import load_bert

    return load_bert(
        checkpoint,
        device=device,
        strong_model=strong_model,
        weak_model=weak_model,
        strong_ability=strong_ability,
        weak_ability=weak_ability,
    )


def _causal_llm(
    checkpoint: Checkpoint = "causal_llm",
    device: str | None = None,
    base_url: str | None = None,
    model: str | None = None,
    api_key_env: str | None = None,
    chat: bool = False,
    top_logprobs: int = 20,
    timeout_s: float = 10.0,
    max_retries: int = 2,
    concurrency: int = 8,
) -> Router:
    from .causal_llm.router import CausalLLMRouter

    if (base_url is None) != (model is None):
        raise ConfigError(
            "router 'causal_llm': base_url and model belong together: write the address of a "
            "server and the name of the model there, or neither"
        )
    if base_url is None or model is None:
        return CausalLLMRouter.from_pretrained(checkpoint, device=device)
    return CausalLLMRouter.from_server(
        base_url,
        model,
        checkpoint=checkpoint,
        api_key_env=api_key_env,
        chat=chat,
        top_logprobs=top_logprobs,
        timeout_s=timeout_s,
        max_retries=max_retries,
        concurrency=concurrency,
    )


def _mf(
    checkpoint: Checkpoint = "mf",
    strong_model: str | None = None,
    weak_model: str | None = None,
    strong_ability: float | None = None,
    weak_ability: float | None = None,
) -> Router:
    from .mf.router import MatrixFactorizationRouter

    router = MatrixFactorizationRouter.from_pretrained(
        checkpoint,
        strong_model=strong_model,
        weak_model=weak_model,
        strong_ability=strong_ability,
        weak_ability=weak_ability,
    )
    router.encoder.check()
    return router


def _random(seed: int = 0) -> Router:
    from .random import RandomRouter

    return RandomRouter(seed)


def _remote(
    url: str,
    token_env: str | None = None,
    timeout_ms: float = 500.0,
    retry_ms: float = 1000.0,
) -> Router:
    from .remote.router import load_remote

    return load_remote(url, token_env=token_env, timeout_ms=timeout_ms, retry_ms=retry_ms)


def _sw_ranking(
    checkpoint: Checkpoint = "sw_ranking",
    strong_model: str | None = None,
    weak_model: str | None = None,
    strong_ability: float | None = None,
    weak_ability: float | None = None,
) -> Router:
    from .sw_ranking.router import SWRankingRouter

    router = SWRankingRouter.from_pretrained(
        checkpoint,
        strong_model=strong_model,
        weak_model=weak_model,
        strong_ability=strong_ability,
        weak_ability=weak_ability,
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
    register("remote", _remote)
    register("sw_ranking", _sw_ranking)
