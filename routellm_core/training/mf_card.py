"""The model card of an mf checkpoint."""

from __future__ import annotations

from typing import Any

from .mf_config import MFConfig
from .mf_data import Comparisons


def card(config: MFConfig, metrics: dict[str, Any], comparisons: Comparisons) -> str:
    """Return the card in Markdown: data, settings and validation results of a run."""
    battles = len(comparisons.p_first)
    return f"""# mf

Matrix factorization router: how likely the answer of `{config.strong_model}` is preferred to
that of `{config.weak_model}`, from a prompt's `{config.encoder}` embedding and surface features.

## Data

{len(comparisons.prompts):,} prompts with {battles:,} comparisons of
{len(comparisons.models)} models. Validation prompts are chosen by SHA-256 and never learned from. A set of prompts is named by the
SHA-256 of the sorted SHA-256 of its prompts, a line each.

| source | weight | train | validation | left out as copies | train set | validation set |
|---|---|---|---|---|---|---|
{_data_rows(config, metrics)}

{_uses(config)}
## Hyper-parameters

| | |
|---|---|
{_settings(config)}

## Results on validation prompts

APGR (random 0.5) with bootstrap 95 % intervals, comparing what counts as the strong model with
what counts as the weak one.

| source | n | APGR | 95 % interval | prompt length alone | mean win rate |
|---|---|---|---|---|---|
{_result_rows(metrics)}
"""


def _data_rows(config: MFConfig, metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {config.source(name).weight:g} | {row['train_prompts']:,} | "
        f"{row['validation_prompts']:,} | {row['dropped_as_copies']} | "
        f"`{row['train_sha256'][:16]}` | `{row['validation_sha256'][:16]}` |"
        for name, row in metrics["sources"].items()
    )


def _uses(config: MFConfig) -> str:
    lines = []
    for name, source in config.sources.items():
        if source.own_level:
            lines.append(f"- {name}: how often the strong model wins is left to this source.\n")
        if source.level_only:
            lines.append(f"- {name}: teaches how strong models are, nothing about prompts.\n")
    return "".join(lines)


def _settings(config: MFConfig) -> str:
    settings = config.model_dump(exclude={"sources", "models", "strong_model", "weak_model"})
    return "\n".join(f"| {name} | {value} |" for name, value in settings.items())


def _result_rows(metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {row['n']:,} | {row['apgr']:.3f} | [{row['interval'][0]:.3f}, "
        f"{row['interval'][1]:.3f}] | {row['apgr_of_length']:.3f} | {row['mean_win_rate']:.3f} |"
        for name, row in metrics["validation"].items()
    )
