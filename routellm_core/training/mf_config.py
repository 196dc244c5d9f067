"""What can be set about the training of the mf router."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigError, MissingExtraError, did_you_mean

RIGHT_ANSWER = "right answer"
"""Stands for a model that is always right, where no strong model's answers are known."""


class SourceConfig(BaseModel):
    """How one file is used. Files are named without folder and endings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str = Field(default="", description="what it is, origin and licence, for the card")
    weight: float = Field(default=1.0, gt=0, description="share of the loss, over all sources")
    level: Literal["shared", "pooled", "own"] = Field(
        default="shared",
        description="how often the first (strong) model wins: one level for all such sources, "
        "levels drawn to each other by level_l2, or one of its own that nothing else learns from",
    )
    level_only: bool = Field(
        default=False,
        description="teach how strong models are, not which prompts need the strong one",
    )


class MFConfig(BaseModel):
    """Hyper-parameters, reference pair, and the use of each source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strong_model: str = Field(
        default="gpt-4-1106-preview", description="the strong reference model"
    )
    weak_model: str = Field(
        default="mixtral-8x7b-instruct-v0.1", description="the weak reference model"
    )
    encoder: str = Field(default="static", description="name of the encoder")
    embedding_scale: float = Field(
        default=0.5, gt=0, description="spread of an embedding's element; surface features have 1"
    )
    rank: int = Field(default=8, ge=1, description="length of a model's vector")
    l2: float = Field(default=0.01, ge=0, description="penalty on squared weights of the features")
    level_l2: float = Field(
        default=0.005, ge=0, description="penalty on squared differences of pooled levels"
    )
    steps: int = Field(default=400, ge=1, description="full passes over the data")
    learning_rate: float = Field(default=0.02, gt=0, description="of Adam, falling to 0")
    seed: int = Field(default=0, description="of the initial weights")
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
    sources: dict[str, SourceConfig] = Field(
        default_factory=dict, description="by name of the file"
    )
    notes: str = Field(default="", description="Markdown for the end of the card")

    def source(self, name: str) -> SourceConfig:
        """Return how a source is used; plainly, where nothing is set."""
        return self.sources.get(name, SourceConfig())

    def canonical(self) -> dict[str, str]:
        """Return the one name of each model that has several."""
        return {other: name for name, others in self.models.items() for other in others}


def read_config(path: Path) -> MFConfig:
    """Read a YAML file.

    Raises:
        ConfigError: it cannot be read, or a setting is unknown or out of range.
        MissingExtraError: pyyaml is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(
            'reading the configuration needs pyyaml: pip install "routellm-plugins[train]"'
        ) from error
    try:
        return MFConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(_explain(e) for e in error.errors())) from None


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = (SourceConfig if error["loc"][0] == "sources" else MFConfig).model_fields
        return f"unknown key '{key}': {did_you_mean(str(error['loc'][-1]), known)}"
    return f"'{key}' is {error['input']!r}: {error['msg']}"
