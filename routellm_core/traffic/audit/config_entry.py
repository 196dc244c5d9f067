"""The entry of a LiteLLM config that routes as an audit has shown."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...rules.share import NEVER


def config_entry(
    strong: str | None,
    weak: str | None,
    router: str,
    router_options: Mapping[str, object],
    *,
    threshold: float,
    calibration: str | None,
    settings: Mapping[str, object],
) -> str:
    """Return YAML to paste into a config, which a line of comment may ask to complete.

    Args:
        strong: name of the strong model's group; None if it is not known.
        weak: likewise of the weak one.
        router: name of the router.
        router_options: its options.
        threshold: of the audit, if there is not a calibration file.
        calibration: path of a calibration file.
        settings: others that are not at their defaults.
    """
    entry: dict[str, object] = {"strong": strong or "STRONG", "weak": weak or "WEAK"}
    entry["router"] = router
    if router_options:
        entry["router_options"] = dict(router_options)
    if calibration:
        entry["calibration"] = calibration
    elif threshold >= NEVER:
        entry["strong_share"] = 0.0
    else:
        entry["threshold"] = threshold
    entry.update(settings)
    lines = [
        "model_list:",
        "  # ... your entries, with the groups of both models, then:",
        f"  - model_name: {_yaml(f'{strong}-router' if strong else 'router')}",
        "    litellm_params: {model: openai/routellm, "
        "api_base: routellm://never-called, api_key: unused}",
        "    model_info:",
        "      disable_background_health_check: true",
        "      routellm:",
        *(f"        {key}: {_yaml(value)}" for key, value in entry.items()),
        "litellm_settings: {callbacks: [routellm_plugins.litellm.proxy_handler]}",
    ]
    if not (strong and weak):
        lines.insert(0, "# STRONG and WEAK stand for the names of your two model groups.")
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    # JSON is YAML; a plain word needs no quotes.
    text = json.dumps(value)
    word = text[1:-1]
    is_plain = isinstance(value, str) and word.replace("-", "a").replace("_", "a").isalnum()
    return word if is_plain and word[0].isalpha() and word.isascii() and not _means(word) else text


def _means(word: str) -> bool:
    """Whether YAML reads a word as something else."""
    return word.lower() in ("true", "false", "yes", "no", "on", "off", "null", "y", "n")
