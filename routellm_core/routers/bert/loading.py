"""Which kind of ``bert`` a checkpoint is."""

from __future__ import annotations

from ...checkpoints.store import Checkpoint, check_router, find_checkpoint
from ...contracts import Router
from ...errors import ConfigError


def load_bert(
    checkpoint: Checkpoint = "bert",
    *,
    device: str | None = None,
    strong_model: str | None = None,
    weak_model: str | None = None,
    strong_ability: float | None = None,
    weak_ability: float | None = None,
) -> Router:
    """Load a checkpoint trained on the outcomes of many models, or a classifier of one pair.

    Args:
        checkpoint: a bundled name, a folder or a Hugging Face id.
        device: torch device; only for a classifier.
        strong_model: name of the strong model, only for a checkpoint trained on outcomes; None
            for its default.
        weak_model: name of the weak model, likewise.
        strong_ability: ability of the strong model in logits, instead of its name.
        weak_ability: ability of the weak model, likewise.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        ConfigError: an option does not apply to this kind of checkpoint, or a model is unknown.
        MissingExtraError: a package that scoring needs is not installed.
    """
    from .onnx import MODEL, BERTOutcomesRouter

    folder = find_checkpoint(checkpoint)
    check_router(folder, "bert")  # before what it would take to read it is missed
    pair = {
        "strong_model": strong_model,
        "weak_model": weak_model,
        "strong_ability": strong_ability,
        "weak_ability": weak_ability,
    }
    if (folder / MODEL).is_file():
        if device is not None:
            raise ConfigError(
                f"router 'bert': {folder} is scored by ONNX Runtime on the CPU: remove 'device'"
            )
        return BERTOutcomesRouter.from_pretrained(
            folder,
            models=(strong_model, weak_model),
            abilities=(strong_ability, weak_ability),
        )
    given = [name for name, value in pair.items() if value is not None]
    if given:
        raise ConfigError(
            f"router 'bert': {folder} was trained on one pair of models: remove '{given[0]}', or "
            "use a checkpoint that learned from the outcomes of many models"
        )
    from .classifier import BERTRouter

    return BERTRouter.from_pretrained(folder, device=device)
