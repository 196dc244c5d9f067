"""Measure what scoring templates without a question would do: ``python -m`` this module.

Questions are human prompts of Chatbot Arena, of ``$ROUTELLM_DATA/train/arena_battles.jsonl.gz``.
Texts are the chapters on Python's language that come with Python, in LlamaIndex's default chunks.
Each of LlamaIndex's own templates that holds no question is filled with them and scored by the
bundled router. Intervals are bootstrap 95 %.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pydoc_data.topics import topics

import numpy as np
from llama_index.core import Document
from llama_index.core.extractors.metadata_extractors import (
    DEFAULT_QUESTION_GEN_TMPL,
    DEFAULT_SUMMARY_EXTRACT_TEMPLATE,
    DEFAULT_TITLE_NODE_TEMPLATE,
)
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.prompts import PromptTemplate
from llama_index.core.prompts.default_prompts import (
    DEFAULT_HYDE_PROMPT,
    DEFAULT_KEYWORD_EXTRACT_TEMPLATE,
    DEFAULT_KG_TRIPLET_EXTRACT_PROMPT,
    DEFAULT_SUMMARY_PROMPT,
)
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from routellm_core import RoutingPolicy
from tests.benchmarks.quality.data import data_folder

QUESTIONS = 1000
SHARES = (0.1, 0.3, 0.5)
TEMPLATES: dict[str, tuple[PromptTemplate, str, dict[str, object]]] = {
    "HyDE": (DEFAULT_HYDE_PROMPT, "context_str", {}),
    "title": (PromptTemplate(DEFAULT_TITLE_NODE_TEMPLATE), "context_str", {}),
    "summary of a node": (PromptTemplate(DEFAULT_SUMMARY_EXTRACT_TEMPLATE), "context_str", {}),
    "questions it answers": (
        PromptTemplate(DEFAULT_QUESTION_GEN_TMPL),
        "context_str",
        {"num_questions": 5},
    ),
    "keyword table": (DEFAULT_KEYWORD_EXTRACT_TEMPLATE, "text", {"max_keywords": 10}),
    "tree summary": (DEFAULT_SUMMARY_PROMPT, "context_str", {}),
    "knowledge graph": (
        DEFAULT_KG_TRIPLET_EXTRACT_PROMPT,
        "text",
        {"max_knowledge_triplets": 10},
    ),
}
"""The template, the variable for the text, and its other variables."""


def questions() -> list[str]:
    """Return human prompts, the same in every run."""
    path = data_folder() / "train" / "arena_battles.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        prompts = sorted({json.loads(line)["prompt"] for line in lines})
    chosen = np.random.default_rng(0).choice(len(prompts), QUESTIONS, replace=False)
    return [prompts[at] for at in chosen]


def chunks() -> list[str]:
    """Return real documentation in the chunks of a default index."""
    documents = [Document(text=text) for text in topics.values()]
    return [node.get_content() for node in SentenceSplitter().get_nodes_from_documents(documents)]


def interval(values: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], float]) -> str:
    """Return a statistic with its bootstrap 95 % interval."""
    generator = np.random.default_rng(0)
    draws = [statistic(generator.choice(values, len(values))) for _ in range(1000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{statistic(values):.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Print the share of strong calls per template, and how HyDE agrees with its question."""
    policies = {share: RoutingPolicy("mf", strong_share=share) for share in SHARES}
    policy = policies[0.3]

    def scores(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([decision.score for decision in policy.decide_many(texts)])

    asked, read = questions(), chunks()
    bare = scores(asked)
    table = Table("calls", "n", "mean", "sd", *(f"strong at {share:g}" for share in SHARES))

    def row(name: str, values: NDArray[np.float64]) -> None:
        strong = (interval(values >= policies[s].threshold, np.mean) for s in SHARES)
        n, mean, deviation = str(len(values)), f"{values.mean():.3f}", f"{values.std():.3f}"
        table.add_row(name, n, mean, deviation, *strong)

    row("the questions alone", bare)
    agreement = []
    for name, (template, variable, others) in TEMPLATES.items():
        texts = asked if name == "HyDE" else read
        filled = scores([template.format(**{variable: text}, **others) for text in texts])
        row(name, filled)
        if name == "HyDE":
            for share in SHARES:
                threshold = policies[share].threshold
                same = (filled >= threshold) == (bare >= threshold)
                lost = (filled < threshold)[bare >= threshold]
                agreement.append(
                    f"strong_share {share:g}: HyDE goes where its question goes for "
                    f"{interval(same, np.mean)}; strong questions that lose it: "
                    f"{interval(lost, np.mean)}"
                )
            agreement.append(f"correlation {np.corrcoef(bare, filled)[0, 1]:.2f}")
    console = Console(width=120)
    console.print(table, *agreement, sep="\n")


if __name__ == "__main__":
    main()
