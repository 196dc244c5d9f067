"""A callback by which a request changes the proxy that serves it, as an operator would."""

from __future__ import annotations

import itertools
from typing import Any

import litellm
from litellm.integrations.custom_logger import CustomLogger
from litellm.types.router import Deployment, LiteLLM_Params

STRATEGIES = itertools.cycle(["least-busy", "latency-based-routing", "simple-shuffle"])


class Disturber(CustomLogger):
    """Does what ``metadata.disturb`` says: ``update_settings``, ``reload`` of the config, or
    ``close`` of ``metadata.group``, whose address clients may not set any more.
    """

    async def async_pre_call_hook(
        self, user_api_key_dict: Any, cache: Any, data: dict[str, Any], call_type: str
    ) -> None:
        from litellm.proxy import proxy_server

        asked = (data.get("metadata") or {}).get("disturb")
        if asked == "update_settings":
            proxy_server.llm_router.update_settings(routing_strategy=next(STRATEGIES))
        elif asked == "close":
            proxy_server.llm_router.upsert_deployment(_closed(data["metadata"]["group"]))
        elif asked == "reload":
            router, models, settings = await proxy_server.proxy_config.load_config(
                router=None, config_file_path=proxy_server.user_config_file_path
            )
            proxy_server.llm_router = router
            proxy_server.llm_model_list = models
            proxy_server.general_settings = settings
            # LiteLLM lists it anew, and would run it as often at the next reload: 2, 4, 8 times.
            others = [each for each in litellm.callbacks if each is not self]
            litellm.callbacks = [*others, self]


def _closed(group: str) -> Deployment:
    from litellm.proxy.proxy_server import llm_router

    (entry,) = llm_router.get_model_list(group)
    params = {**entry["litellm_params"], "configurable_clientside_auth_params": None}
    return Deployment(**{**entry, "litellm_params": LiteLLM_Params(**params)})


disturber = Disturber()
