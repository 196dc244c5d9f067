"""What a config sets for a routed alias without effect, because its groups serve its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .routes import Routes

_OF_REQUESTS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "n", "seed", "stop"),
    *("presence_penalty", "frequency_penalty", "logit_bias", "reasoning_effort", "thinking"),
    *("response_format", "tools", "tool_choice", "extra_body", "extra_headers", "drop_params"),
    *("timeout", "stream_timeout", "num_retries", "max_retries", "cooldown_time", "mock_response"),
    *("rpm", "tpm", "max_parallel_requests", "max_budget", "budget_duration", "weight", "order"),
    *("tags", "input_cost_per_token", "output_cost_per_token"),
    *("configurable_clientside_auth_params", "keepalive_seconds"),
)
_SECTIONS = ("router_settings", "litellm_settings")
_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
_BY_GROUP = ("model_group_retry_policy", "model_group_affinity_config")


def ignored_settings(routes: Routes, config: Mapping[str, Any]) -> Iterable[str]:
    """Yield a line of advice for each setting that names an alias where a group is looked up.

    Args:
        routes: the routes of the config.
        config: LiteLLM's config.
    """
    for section in _SECTIONS:
        settings = config.get(section)
        if not isinstance(settings, Mapping):
            continue
        for setting in (*_FALLBACKS, *_BY_GROUP):
            named = settings.get(setting)
            mappings = named if isinstance(named, list) else [named]
            names = {name for each in mappings if isinstance(each, Mapping) for name in each}
            for route in routes:
                if route.name in names:
                    groups = f"'{route.settings.strong}' and '{route.settings.weak}'"
                    yield (
                        f"{section}: not applied: what '{setting}' says of '{route.name}', which "
                        f"is routed; write it for its groups {groups}"
                    )


def ignored_groups(routes: Routes, config: Mapping[str, Any]) -> Iterable[str]:
    """Yield a line of advice for each of LiteLLM's routing groups that has an alias in it.

    Args:
        routes: the routes of the config.
        config: LiteLLM's config.
    """
    settings = config.get("router_settings")
    groups = settings.get("routing_groups") if isinstance(settings, Mapping) else None
    for group in groups if isinstance(groups, list) else ():
        models = group.get("models") if isinstance(group, Mapping) else None
        for route in routes:
            if isinstance(models, list) and route.name in models:
                yield (
                    f"router_settings: not applied: what 'routing_groups' says of '{route.name}', "
                    f"which is routed; name its groups '{route.settings.strong}' and "
                    f"'{route.settings.weak}' there"
                )


def ignored_parameters(
    routes: Routes, entries: Sequence[Mapping[str, Any]]
) -> Iterable[tuple[str, str]]:
    """Yield the alias and a line of advice for each entry that sets parameters of requests.

    Args:
        routes: the routes of the entries.
        entries: the config's ``model_list``.
    """
    for route in routes:
        own = _params(next(e for e in entries if e.get("model_name") == route.name))
        serving = [_params(e) for e in entries if e.get("model_name") in route.entries.values()]
        # An entry that repeats what a group's says was copied from it.
        ignored = [
            name
            for name in _OF_REQUESTS
            if name in own and all(params.get(name) != own[name] for params in serving)
        ]
        if ignored:
            names = " and ".join(map(repr, ignored))
            groups = f"'{route.settings.strong}' and '{route.settings.weak}'"
            yield (
                route.name,
                f"not applied: {names} of litellm_params; write them in the entries of {groups}",
            )


def _params(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    params = entry.get("litellm_params")
    return params if isinstance(params, Mapping) else {}
