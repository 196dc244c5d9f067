"""What naming two models gains on a kind of prompt that was not learned, by `mf`'s specialities.

    python -m tests.benchmarks.quality.named_pairs

With ``ROUTELLM_DATA``. Each source in turn is left out of the bundled router's training, and then
all pairs of its models are named that other sources taught: mean APGR by the abilities of the two
and the prompt's difficulty, then with what each is good at. The last rows are common sense, in the
140 pairs written apart, of some pairs named in the bundled router.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import routellm_core.training
from routellm_core import load_router
from routellm_core.evaluation.intervals import Estimate
from routellm_core.evaluation.named_pairs import mean_over_named_pairs
from routellm_core.evaluation.pairs import OverPairs
from routellm_core.progress import SILENT
from routellm_core.training.mf.config import MFConfig
from routellm_core.training.outcomes.contrast import fit_contrast
from routellm_core.training.outcomes.prepare import PreparedOutcomes, prepare_outcomes
from routellm_core.training.outcomes.rasch import fit_rasch
from routellm_core.training.outcomes.specialities import fit_specialities
from routellm_core.training.shared.config import read_config
from routellm_core.training.shared.files import TrainingFiles
from tests.benchmarks.quality.common_sense import APART, sense_of
from tests.benchmarks.quality.data import data_folder

LEFT_OUT = [
    *("gold_routerbench", "gold_mmlu_pro", "gold_fasteval_bbh_math", "gold_evouna_openqa"),
    *("gold_bgtp_openai", "gold_zeroeval_crux", "gold_zeroeval_math_l5"),
]
"""Sources of which other sources have two models or more."""
OTHERS = ["gold_theoremqa", "gold_gsm8k_train"]
NAMED = (
    ("gpt-4-1106-preview", "mixtral-8x7b-instruct-v0.1"),
    ("gpt-4o-2024-05-13", "gpt-4o-mini-2024-07-18"),
    ("llama-3.1-405b-instruct", "llama-3.1-8b-instruct"),
    ("qwen2.5-72b-instruct", "qwen2.5-7b-instruct"),
    ("claude-3-5-sonnet-20240620", "claude-3-haiku-20240307"),
    ("gemini-1.5-pro", "gemini-1.5-flash"),
)


def prepared(data: Path) -> PreparedOutcomes:
    """Read what the bundled router was trained on."""
    package = Path(routellm_core.training.__file__).parent
    files = TrainingFiles(
        battles=[data / "train" / "arena_battles.jsonl.gz"],
        gold=[
            *(data / "train" / f"{each}.jsonl.gz" for each in (*LEFT_OUT, *OTHERS)),
            *(package / f"{each}.jsonl" for each in ("anchors", "requests")),
        ],
        gold_mmlu=data / "eval" / "routellm_evals",
        decontaminate=[data / "eval" / "routellm_evals"],
    )
    config = read_config(package / "mf.yaml", MFConfig)
    return prepare_outcomes(files, config, SILENT)


def left_out(name: str, found: PreparedOutcomes) -> OverPairs | None:
    """Return mean APGR over the pairs of a source that was not learned."""
    config = read_config(Path(routellm_core.training.__file__).parent / "mf.yaml", MFConfig)
    parts = [
        (outcomes, found.features[rows], config.source(outcomes.source).weight)
        for outcomes, rows in found.parts()
    ]
    own, features, _ = next(part for part in parts if part[0].source == name)
    learned = [part for part in parts if part[0].source != name]
    rasch, contrast = fit_rasch(learned, config.l2), fit_contrast(learned).of(features)
    specialities = fit_specialities(learned, rasch)
    own = own.without_models([model for model in own.models if model not in rasch.ability])
    ability = np.array([rasch.ability[model] for model in own.models])
    plain = ability - (features @ rasch.weights)[:, None]
    special = plain + features @ np.stack([specialities.of(m) for m in own.models], axis=1)
    logits = {"abilities": plain, "specialities": special}
    return mean_over_named_pairs(own.quality, logits, contrast)


def main() -> None:
    console, data = Console(), prepared(data_folder())
    table = Table("not learned", "pairs", "by abilities", "with specialities", "difference, paired")
    for name in track(LEFT_OUT, "Leaving out", console=console):
        found = left_out(name, data)
        if found is not None:
            told = (found.estimate(each) for each in ("abilities", "specialities"))
            gained = found.over("specialities", "abilities")
            table.add_row(name, str(found.pairs), *map(shown, (*told, gained)))
    console.print(table)
    sense = Table("strong", "weak", "common sense, AUC", "pairs right")
    for strong, weak in NAMED:
        router = load_router("mf", strong_model=strong, weak_model=weak)
        seen = sense_of(router.score, APART)
        sense.add_row(strong, weak, f"{seen.auc:.3f}", f"{seen.right} of {seen.pairs}")
    console.print(sense)


def shown(found: Estimate) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


if __name__ == "__main__":
    main()
