"""Sources of labels, the pairs of models in them, and base routers that did not learn them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from routellm_core.data.label_check import check_gold
from routellm_core.data.labels import read_gold
from routellm_core.data.outcomes import Outcomes
from routellm_core.traffic.adapt.base import Base, read_base
from routellm_core.traffic.adapt.judged import folds_of

Floats = NDArray[np.float64]

ROOT = Path(__file__).parents[4]

HONEST, BUNDLED = "base router", "bundled mf"

PAIRS = 3
LEAST_GAP, LEAST_QUALITY, LEAST_PROMPTS = 0.05, 0.4, 2500

GOLD = (
    *("gold_routerbench", "gold_mmlu_pro", "gold_fasteval_bbh_math", "gold_evouna_openqa"),
    *("gold_bgtp_openai", "gold_theoremqa", "gold_zeroeval_crux", "gold_zeroeval_math_l5"),
    "gold_gsm8k_train",
)
"""What the bundled mf learned from, beside MMLU and what was written for it."""


@dataclass(frozen=True)
class Source:
    name: str
    file: str
    without: tuple[str, ...]
    """Sources that the honest base router must not have learned from."""


SOURCES = (
    Source("MMLU-Pro", "train/gold_mmlu_pro", ("gold_mmlu_pro", "gold_theoremqa")),
    Source(
        "MMLU-Pro, other models",
        "validation/gold_mmlu_pro_other_models",
        ("gold_mmlu_pro", "gold_theoremqa"),
    ),
    Source("RouterBench", "train/gold_routerbench", ("gold_routerbench",)),
    Source(
        "Open LLM Leaderboard",
        "validation/gold_open_llm_leaderboard",
        ("gold_fasteval_bbh_math", "gold_zeroeval_math_l5"),
    ),
    Source("LawBench (Chinese)", "train/gold_lawbench_zh", ()),
)


class Table:
    """A source with everything that does not depend on the split."""

    def __init__(self, source: Source, data: Path, folder: Path) -> None:
        rows = read_gold(data / f"{source.file}.jsonl.gz")
        outcomes = Outcomes.of(source.name, rows).without(check_gold(rows).format_failures)
        self.prompts, self.quality = outcomes.prompts, outcomes.quality
        self.models = outcomes.models
        self.length = np.array([float(len(prompt)) for prompt in outcomes.prompts])
        self.folds = folds_of(outcomes.prompts)
        self.words = TfidfVectorizer(sublinear_tf=True, max_features=20_000).fit_transform(
            outcomes.prompts
        )
        bundled = read_base("mf")
        honest = read_base(base_without(source.without, data, folder)) if source.without else None
        self.raw = bundled.raw(outcomes.prompts)
        self.bases: dict[str, Base] = {BUNDLED: bundled, HONEST: honest or bundled}
        self.features = {name: base.standardised(self.raw) for name, base in self.bases.items()}
        self.weights = {name: base.linear(self.features[name]) for name, base in self.bases.items()}
        self.scores = {
            name: base.router.score_embeddings(self.raw) for name, base in self.bases.items()
        }

    def pairs(self) -> list[tuple[int, int]]:
        """Return some pairs of models, the stronger first, picked at random from all that have a
        gap to route for and a weaker model that is of use.
        """
        found = []
        for a, b in itertools.combinations(range(len(self.models)), 2):
            both = np.isfinite(self.quality[:, [a, b]]).all(axis=1)
            first, second = self.quality[both][:, [a, b]].mean(axis=0) if both.any() else (0, 0)
            if both.sum() < LEAST_PROMPTS or min(first, second) < LEAST_QUALITY:
                continue
            if abs(first - second) >= LEAST_GAP:
                found.append((a, b) if first > second else (b, a))
        order = np.random.default_rng(0).permutation(len(found))
        return [found[at] for at in order[:PAIRS]]


def base_without(sources: tuple[str, ...], data: Path, folder: Path) -> Path:
    """Return the folder of an mf that was trained as the bundled one without some sources."""
    out = folder / f"mf-without-{'-'.join(sources)}"
    if (out / "model.safetensors").is_file():
        return out
    config = yaml.safe_load((ROOT / "routellm_core" / "training" / "mf.yaml").read_text())
    for name in sources:
        del config["sources"][name]
    kinds = [[name for name in kind if name not in sources] for kind in config["traffic_kinds"]]
    config["traffic_kinds"] = [kind for kind in kinds if kind]
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "mf.yaml"
        file.write_text(yaml.safe_dump(config))
        gold = [data / "train" / f"{name}.jsonl.gz" for name in GOLD if name not in sources]
        evals = data / "eval" / "routellm_evals"
        arguments = ["train", "mf", "--out", out, "--config", file, "--gold-mmlu", evals]
        arguments += ["--decontaminate", evals]
        arguments += ["--battles", data / "train" / "arena_battles.jsonl.gz"]
        written = [
            ROOT / "routellm_core" / "training" / f"{name}.jsonl"
            for name in ("anchors", "requests")
        ]
        for path in [*gold, *written]:
            arguments += ["--gold", path]
        command = "from routellm_plugins.cli import main; main()"
        subprocess.run([sys.executable, "-c", command, *map(str, arguments)], check=True)
    return out
