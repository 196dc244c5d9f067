"""Training settings of any router: the pair, the features, use of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from ...data.unique_keys import load_yaml
from ...errors import ConfigError, did_you_mean
from ...optional import require

RIGHT_ANSWER = "right answer"
"""Stands for a model that is always right, where no strong model's answers are known."""


class SourceConfig(BaseModel):
    """How one file is used. Files are named without folder and endings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    about: str = Field(default="", description="what it is, origin and licence, for the card")
    weight: float = Field(default=1.0, gt=0, description="share of the loss, over all sources")


class PairConfig(BaseModel):
    """Which two models are compared."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    strong_model: str = Field(
        default="gpt-4-1106-preview", description="the strong reference model"
    )
    weak_model: str = Field(
        default="mixtral-8x7b-instruct-v0.1",
        validate_default=True,
        description="the weak reference model, another one",
    )

    @field_validator("weak_model")
    @classmethod
    def _is_another(cls, weak: str, given: ValidationInfo) -> str:
        if weak == given.data.get("strong_model"):
            raise ValueError("it is 'strong_model' too: name two models")
        return weak


class FeatureConfig(PairConfig):
    """The features of a prompt, for a router that does not read its text."""

    encoder: str | dict[str, Any] = Field(
        default="static", description="name of the encoder, or {name: ..., option: ...}"
    )
    embedding_scale: float = Field(
        default=0.5,
        ge=1e-3,
        le=1e3,
        description="spread of an embedding's element; surface features have 1",
    )

    @property
    def encoder_name(self) -> str:
        """The encoder's name, without options."""
        return self.encoder if isinstance(self.encoder, str) else str(self.encoder.get("name"))


class LearnConfig(FeatureConfig):
    """What is learned, for a router that learns a pair or the outcomes of many models."""

    learn: Literal["pair", "outcomes"] = Field(
        default="pair",
        description="what is learned: which of the pair's models wins, from battles and gold of "
        "what counts as them, or how hard a prompt is, from the outcomes of all models of gold",
    )
    strong_ability: float = Field(
        default=1.1, description="ability of the default strong model, if outcomes are learned"
    )
    weak_ability: float = Field(default=0.0, description="likewise of the weak one, a lower one")
    l2: float | None = Field(
        default=None,
        ge=1e-9,
        le=1e9,
        description="penalty on squared weights of the features; none: chosen by cross-validation",
    )

    @field_validator("weak_ability")
    @classmethod
    def _is_lower(cls, weak: float, given: ValidationInfo) -> float:
        if weak >= given.data.get("strong_ability", math.inf):
            raise ValueError("it must be below 'strong_ability'")
        return weak


class TrainingConfig(PairConfig):
    """What every router's configuration has. A router adds its hyper-parameters between the
    pair and the rest: ``class BERTConfig(TrainingConfig, Hyper)`` where Hyper is a PairConfig.
    """

    source_kind: ClassVar[type[SourceConfig]] = SourceConfig
    """What ``sources`` holds."""

    validation_share: float = Field(default=0.1, gt=0, lt=1, description="share of prompts")
    traffic: str | None = Field(
        default=None,
        description="source whose validation prompts stand for usual traffic; none: all",
    )
    traffic_prompts: int = Field(default=800, ge=1, description="how many of them are kept")
    models: dict[str, list[str]] = Field(
        default_factory=dict,
        description="by model, the names that count as it. Gold compares what counts as "
        "strong_model with what counts as weak_model",
    )
    sources: Mapping[str, SourceConfig] = Field(
        default_factory=dict, description="by name of the file"
    )
    keep_format_failures: bool = Field(
        default=False,
        description="learn also the labels of models whose answers could not be read",
    )
    notes: str = Field(default="", description="Markdown for the end of the card")

    def source(self, name: str) -> SourceConfig:
        """Return how a source is used; the defaults where nothing is set."""
        return self.sources.get(name, self.source_kind())

    def canonical(self) -> dict[str, str]:
        """Return the one name of each model that has several."""
        return {other: name for name, others in self.models.items() for other in others}


class FeatureTrainingConfig(TrainingConfig, FeatureConfig):
    """The same for a router that learns from an encoder's vectors and surface features."""


class LearnTrainingConfig(FeatureTrainingConfig, LearnConfig):
    """The same where outcomes of many models can be learned."""

    only_pair: ClassVar[frozenset[str]] = frozenset(("strong_model", "weak_model"))
    """Keys without effect on what is learned from outcomes."""
    only_outcomes: ClassVar[frozenset[str]] = frozenset(
        ("strong_ability", "weak_ability", "traffic_kinds")
    )
    """Keys without effect on what is learned from a pair."""

    traffic_kinds: list[list[str]] = Field(
        default_factory=list,
        description="sources of each kind of usual traffic, if outcomes are learned; kinds, and "
        "sources of a kind, have equal parts in 'traffic_prompts'. None: 'traffic', and all gold",
    )

    def without_effect(self) -> str | None:
        """Return a line that names the keys that were set and have no effect; None without any."""
        outcomes = self.learn == "outcomes"
        unused = self.model_fields_set & (self.only_pair if outcomes else self.only_outcomes)
        if not unused:
            return None
        keys = ", ".join(f"'{key}'" for key in type(self).model_fields if key in unused)
        have = "has" if len(unused) == 1 else "have"
        line = f"{keys} {have} no effect with 'learn: {self.learn}'"
        if not outcomes:
            return f"{line}, the default: set 'learn: outcomes' or leave out what has no effect"
        if unused.isdisjoint(LearnTrainingConfig.only_pair):
            return line
        return (
            f"{line}, which learns all models: describe the default pair by 'strong_ability' and "
            "'weak_ability', or name the two models where the router is used"
        )


_WRITE = {
    "string_type": "write a text, a number in quotes",
    "dict_type": "write a mapping, like {key: value}",
    "mapping_type": "write a mapping, like {key: value}",
    "model_type": "write a mapping, like {key: value}",
    "list_type": "write a list, like [first, second]",
}
"""What to write, where pydantic speaks of Python, by the kind of its errors."""

Config = TypeVar("Config", bound=TrainingConfig)


def read_config(path: Path | None, kind: type[Config], settings: Sequence[str] = ()) -> Config:
    """Return the configuration of a training run.

    Args:
        path: a YAML file; None for the defaults.
        kind: what it must hold.
        settings: ``KEY=VALUE`` each, a value in YAML, in place of the file's.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or out of range.
        MissingExtraError: pyyaml is not installed.
    """
    if path is None and not settings:
        return kind()
    content = _mapping(path) if path else {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(
                f"--set {setting}: write a key and its value, like --set strong_model=big"
            )
        content = {**content, key: _yaml(value, f"--set {setting}")}
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        explained = "; ".join(_explain(each, kind) for each in error.errors())
        where = ", ".join([*([str(path)] if path else []), *(["--set"] if settings else [])])
        raise ConfigError(f"{where}: {explained}") from None


def _mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or f"not UTF-8, {getattr(error, 'reason', error)}"
        raise ConfigError(f"{path} cannot be read ({why}): give a configuration in YAML") from error
    content = _yaml(text, str(path))
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path} is not a mapping: write keys and values, like 'strong_model: big'"
        )
    return content


def _yaml(text: str, where: str) -> Any:
    yaml = require("yaml", "train", "reading a configuration")
    try:
        return load_yaml(yaml, text, where)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or error
        raise ConfigError(f"{where}{line}: not valid YAML ({reason}): correct it") from error


def _explain(error: Any, kind: type[TrainingConfig]) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = (kind.source_kind if error["loc"][0] == "sources" else kind).model_fields
        return f"unknown key '{key}': {did_you_mean(str(error['loc'][-1]), known)}"
    message = _WRITE.get(error["type"]) or error["msg"].removeprefix("Value error, ")
    return f"'{key}' is {error['input']!r}: {message[:1].lower()}{message[1:]}"
