"""The model card of a checkpoint that learned from the outcomes of many models."""

from __future__ import annotations

from typing import Any

from ..shared.config import LearnTrainingConfig
from ..shared.files import TrainingFiles

_FORMULA = """\
    gap = sigmoid(ability of the strong model - difficulty of the prompt)
          - sigmoid(ability of the weak model - difficulty of the prompt)
    strong win rate = (1 + gap * max(0, 1 + contrast of the prompt)) / 2"""

_SPECIALITIES = """
Of a model that is named, it also counts what it is better or worse at than its ability says, as far
as its outcomes show: a linear function of the prompt that is added to its ability.
"""


def outcomes_card(
    router: str,
    what: str,
    config: LearnTrainingConfig,
    metrics: dict[str, Any],
    files: TrainingFiles,
) -> str:
    """Return the card in Markdown: data, settings, abilities, validation results, how to rebuild.

    Args:
        router: its name.
        what: what the router does with a prompt, the end of the first sentence.
        config: what it was trained with.
        metrics: as in metrics.json.
        files: what it was trained on.
    """
    return f"""# {router}

How likely the answer of a strong model is preferred to that of a weak one: {what}.

{_FORMULA}

The sigmoid is the probability that a model is right. The contrast says how much more than usual the
abler models gain on the prompt, in standard deviations.

The default pair stands for two tiers, `strong` with ability {config.strong_ability:g} and `weak`
with {config.weak_ability:g}. `strong_model` and `weak_model` choose models listed below by name,
`strong_ability` and `weak_ability` describe a model that is not listed, by its place on this scale.
{_specialities(metrics)}
## Data

| source | models | weight | train prompts | validation | near an evaluation prompt, left out |
|---|---|---|---|---|---|
{_data_rows(config, metrics)}

{_about(config)}

Validation prompts are chosen by SHA-256 and not used for training. SHA-256 of the sorted SHA-256 of
the prompts, one a line:

{_hashes(metrics)}

What the check of labels found (`routellm data check`):

{_findings(metrics)}

## Abilities

In logits: a prompt of difficulty 0 is answered rightly with probability 1 / (1 + exp(-ability)).

{_abilities(metrics)}

## Settings

| | |
|---|---|
{_settings(config)}

## Rebuild

```
pip install "routellm-plugins[train]"
{files.command(router)}
```

## Results on validation prompts

Mean APGR (chance is 0.5) over all pairs of models of a source whose mean qualities differ by .03 or
more and of which the weaker one has .4 or more, with bootstrap 95 % intervals over prompts.

{_results(metrics)}

The quantiles that turn `strong_share` into a threshold are those of {metrics["traffic"]["prompts"]}
validation prompts{_kinds(config)}; the mean win rate is
{metrics["traffic"]["mean_win_rate"]:.3f}.
{config.notes}"""


def _kinds(config: LearnTrainingConfig) -> str:
    kinds = config.traffic_kinds
    if not kinds:
        half = config.traffic or "gold"
        return f", half of them of {half} and the rest of each source of gold\nalike"
    listed = "".join(f"\n- {', '.join(kind)}" for kind in kinds)
    return f" of these kinds, in equal parts:\n{listed}\n\nSources of a kind have equal parts too"


def _data_rows(config: LearnTrainingConfig, metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {row['models']} | {config.source(name).weight:g} | {row['train_prompts']:,} | "
        f"{row['validation_prompts']:,} | {row['near_evaluation']:,} |"
        for name, row in metrics["sources"].items()
    )


def _about(config: LearnTrainingConfig) -> str:
    return "\n".join(f"- {name}: {use.about}" for name, use in config.sources.items() if use.about)


def _hashes(metrics: dict[str, Any]) -> str:
    return "\n".join(
        f"- {name}: train `{row['train_sha256']}`, validation `{row['validation_sha256']}`"
        for name, row in metrics["sources"].items()
    )


def _findings(metrics: dict[str, Any]) -> str:
    found = metrics["label_findings"].items()
    return (
        "\n".join(f"- {source}: {line}" for source, lines in found for line in lines) or "nothing."
    )


def _abilities(metrics: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:+.2f}" for name, value in metrics["abilities"].items())


def _settings(config: LearnTrainingConfig) -> str:
    settings = config.model_dump(exclude={"sources", "models", "notes"})
    return "\n".join(f"| {name} | {value} |" for name, value in settings.items())


def _results(metrics: dict[str, Any]) -> str:
    header, rule = "| source | n | pairs | APGR | 95 % interval | prompt length alone |", "|---" * 6
    if _knows_specialities(metrics):
        header, rule = f"{header} each pair by its names | 95 % interval |", rule + "|---" * 2
    return "\n".join(
        (header, f"{rule}|", *(_result(*item) for item in metrics["validation"].items()))
    )


def _result(source: str, row: dict[str, Any]) -> str:
    named = f" {_apgr(row['by_name'])} |" if "by_name" in row else ""
    length = f"{row['apgr_of_length']:.3f}"
    return f"| {source} | {row['n']:,} | {row['pairs']} | {_apgr(row)} | {length} |{named}"


def _apgr(found: dict[str, Any]) -> str:
    return f"{found['apgr']:.3f} | [{found['interval'][0]:.3f}, {found['interval'][1]:.3f}]"


def _specialities(metrics: dict[str, Any]) -> str:
    return _SPECIALITIES if _knows_specialities(metrics) else ""


def _knows_specialities(metrics: dict[str, Any]) -> bool:
    return any("by_name" in row for row in metrics["validation"].values())
