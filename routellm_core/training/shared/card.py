"""The model card of a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...checkpoints.learned import METRICS
from .comparisons import Comparisons
from .config import TrainingConfig

__all__ = ["METRICS", "card"]

_FAULTLESS = "The check of gold labels found nothing."


def card(
    router: str,
    what: str,
    config: TrainingConfig,
    metrics: dict[str, Any],
    comparisons: Comparisons,
    command: str,
    use: Callable[[str], str],
    more_results: str = "",
) -> str:
    """Return the card in Markdown: data, settings, validation results, and how to rebuild it.

    Args:
        router: its name.
        what: what the router does with a prompt, the end of the first sentence.
        config: what it was trained with.
        metrics: as in metrics.json.
        comparisons: all that there were.
        command: the command line that trained it.
        use: says how a source was used.
        more_results: Markdown to follow the table of results.
    """
    return f"""# {router}

How likely the answer of `{config.strong_model}` is preferred to that of
`{config.weak_model}`: {what}.

## Data

{len(comparisons.prompts):,} prompts, {len(comparisons.p_first):,} comparisons, \
{len(comparisons.models)} models.

| source | used with | train prompts | validation | near an evaluation prompt, left out |
|---|---|---|---|---|
{_data_rows(metrics, use)}

{_about(config)}

{_findings(metrics)}

Validation prompts are chosen by SHA-256 and {_use_of_validation(metrics)}.
SHA-256 of the sorted SHA-256 of the prompts, one a line:

{_hashes(metrics)}

## Settings

| | |
|---|---|
{_settings(config)}

What counts as each of the two models:

{_names(config)}

## Rebuild

```
pip install "routellm-plugins[train]"
{command}
```

## Results on validation prompts

APGR (chance is 0.5) with bootstrap 95 % intervals, of what counts as the strong model against what
counts as the weak one.

| source | n | APGR | 95 % interval | prompt length alone |
|---|---|---|---|---|
{_result_rows(metrics)}
{more_results}
The quantiles that turn `strong_share` into a threshold are those of {metrics["traffic"]["prompts"]}
{_usual(metrics["traffic"], config)}; their mean win rate is
{metrics["traffic"]["mean_win_rate"]:.3f}.
{config.notes}"""


def _use_of_validation(metrics: dict[str, Any]) -> str:
    if metrics.get("validation_learned"):
        return (
            "not used for training\nuntil the results below are measured; then they are learned "
            "from as well"
        )
    return "not used for training"


def _usual(traffic: dict[str, Any], config: TrainingConfig) -> str:
    whose = config.traffic or "all sources"
    if not traffic.get("learned"):
        return f"validation prompts of {whose}"
    return f"prompts of {whose}, {traffic['learned']} of them scored by fits without them"


def _data_rows(metrics: dict[str, Any], use: Callable[[str], str]) -> str:
    return "\n".join(
        f"| {name} | {use(name)} | {row['train_prompts']:,} | "
        f"{row['validation_prompts']:,} | {row['near_evaluation']:,} |"
        for name, row in metrics["sources"].items()
    )


def _about(config: TrainingConfig) -> str:
    return "\n".join(f"- {name}: {use.about}" for name, use in config.sources.items() if use.about)


def _findings(metrics: dict[str, Any]) -> str:
    lines = [
        f"- {name}: {line}"
        for name, row in metrics["sources"].items()
        for line in row.get("findings", [])
    ]
    return "\n".join(["The check of gold labels found:\n", *lines] if lines else [_FAULTLESS])


def _hashes(metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"- {name}: train `{row['train_sha256']}`, validation `{row['validation_sha256']}`"
        for name, row in metrics["sources"].items()
    )


def _settings(config: TrainingConfig) -> str:
    settings = config.model_dump(exclude={"sources", "models", "notes"})
    return "\n".join(f"| {name} | {value} |" for name, value in settings.items())


def _names(config: TrainingConfig) -> str:
    return "\n".join(
        f"- {name}: {', '.join([name, *others])}" for name, others in config.models.items()
    )


def _result_rows(metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {row['n']:,} | {row['apgr']:.3f} | [{row['interval'][0]:.3f}, "
        f"{row['interval'][1]:.3f}] | {row['apgr_of_length']:.3f} |"
        for name, row in metrics["validation"].items()
    )
