"""Read a LiteLLM config and report mistakes in its routed aliases; does not import litellm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routellm_core import ConfigError, MissingExtraError, RouteLLMError, RoutingPolicy
from routellm_core.data.unique_keys import load_yaml
from routellm_core.overrides import overridden
from routellm_core.policy.policies import policy_of

from .ignored import ignored_groups, ignored_parameters, ignored_settings
from .placeholder import without_address
from .routes import Route, Routes
from .settings import ANY
from .versions import version_warning

HANDLER = "routellm_plugins.litellm.proxy_handler"
"""What ``litellm_settings.callbacks`` must list."""

_ENVIRONMENT = "os.environ/"


@dataclass(frozen=True)
class ConfigReport:
    """What a config says about routing."""

    routes: list[tuple[Route, RoutingPolicy | None]]
    """The routes without mistakes and their policies; None for a wildcard's."""
    problems: list[str]
    """One line per entry with mistakes, saying what to write."""
    warnings: list[str]
    """One line for each setting that does not do what it seems to, and for a LiteLLM that this
    package was not tested with."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the config in a YAML file, with the files it includes.

    Raises:
        ConfigError: a file is missing or is no YAML mapping.
        MissingExtraError: PyYAML is not installed.
    """
    config: dict[str, Any] = {}
    pending, seen = [path.absolute()], set()
    while pending:
        file = pending.pop(0)
        if file in seen:
            continue
        seen.add(file)
        part = _read_yaml(file)
        includes = part.pop("include", [])
        if not isinstance(includes, list):
            raise ConfigError(f"{file}: 'include' must be a list of file names")
        pending.extend((file.parent / str(name)).absolute() for name in includes)
        for key, value in part.items():
            both_lists = isinstance(config.get(key), list) and isinstance(value, list)
            config[key] = [*config[key], *value] if both_lists else value
    resolved = _with_environment(config)
    assert isinstance(resolved, dict)
    return resolved


def check_config(config: Mapping[str, Any]) -> ConfigReport:
    """Check every routed alias of a config, and load its router.

    Args:
        config: LiteLLM's config as a mapping.

    Raises:
        ConfigError: its ``model_list`` is no list, or ``model_group_alias`` no mapping.
    """
    routes = _routes(config)
    report = check_routes(routes)
    if warning := version_warning():
        report.warnings.insert(0, warning)
    for name, advice in ignored_parameters(routes, _entries(config)):
        report.warnings.append(f"model_list entry '{name}': {advice}")
    report.warnings.extend(without_address(_entries(config)))
    report.warnings.extend(ignored_settings(routes, config))
    report.warnings.extend(ignored_groups(routes, config))
    return report


def check_routes(routes: Routes) -> ConfigReport:
    """Load the router of every route; report those that fail and the mistakes in entries."""
    problems = list(routes.problems.values())
    sound: list[tuple[Route, RoutingPolicy | None]] = []
    warnings: list[str] = []
    for route in (*routes, *routes.observed.values()):
        try:
            policy = None if "*" in route.name else policy_of(route.settings)
            for path in (route.settings.allow_override or ANY).calibrations.values():
                policy_of(overridden(route.settings, {"calibration": path}))
        except RouteLLMError as error:
            problems.append(f"model_list entry '{route.name}': {error}")
        except Exception as error:
            kind = type(error).__name__
            problems.append(
                f"model_list entry '{route.name}': router '{route.settings.router}' "
                f"cannot be loaded ({kind}: {error})"
            )
        else:
            sound.append((route, policy))
            if policy is not None and policy.warning:
                warnings.append(f"model_list entry '{route.name}': {policy.warning}")
    return ConfigReport(sound, problems, warnings)


def lacks_handler(config: Mapping[str, Any]) -> bool:
    """Whether LiteLLM would not load the handler that does the routing.

    Raises:
        ConfigError: ``callbacks`` is neither a name nor a list.
    """
    callbacks = _section(config, "litellm_settings").get("callbacks") or []
    if not isinstance(callbacks, (str, list)):
        raise ConfigError(f"litellm_settings: 'callbacks' must be a list such as [{HANDLER}]")
    return HANDLER not in ([callbacks] if isinstance(callbacks, str) else callbacks)


def _routes(config: Mapping[str, Any]) -> Routes:
    aliases = _section(config, "router_settings").get("model_group_alias") or {}
    if not (isinstance(aliases, Mapping) and all(isinstance(name, str) for name in aliases)):
        raise ConfigError("router_settings: 'model_group_alias' must be a mapping of model names")
    return Routes(
        _entries(config),
        aliases,
        groups_may_follow=bool(_section(config, "general_settings").get("store_model_in_db")),
    )


def _entries(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    entries = config.get("model_list") or []
    if not isinstance(entries, list):
        raise ConfigError("'model_list' must be a list of entries")
    return [entry for entry in entries if isinstance(entry, Mapping)]


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _read_yaml(file: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(
            "reading a config needs PyYAML: pip install 'routellm-plugins[litellm]'"
        ) from error
    try:
        config = load_yaml(yaml, file.read_text(encoding="utf-8"), str(file))
    except OSError as error:
        raise ConfigError(f"cannot read {file} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {file}: not UTF-8 ({error.reason})") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"{file} must hold a mapping with a model_list")
    return config


def _with_environment(value: object) -> object:
    """Replace ``os.environ/NAME``, as LiteLLM does; a variable that is not set stays as it is."""
    if isinstance(value, dict):
        return {key: _with_environment(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_environment(item) for item in value]
    if isinstance(value, str) and value.startswith(_ENVIRONMENT):
        return os.environ.get(value.removeprefix(_ENVIRONMENT), value)
    return value
