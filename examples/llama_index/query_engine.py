"""Ask this repository's documentation; each question goes to the model that it needs.

The question is scored, and not the pages that are retrieved for it.

Usage: OPENAI_API_KEY=sk-... python query_engine.py ["a question" ...]
"""

from __future__ import annotations

import sys

from docs_index import PrintDecisions, docs_index
from llama_index.core import Settings
from llama_index.llms.openai import OpenAI

from routellm_core import register_plugin
from routellm_plugins.llama_index import RouteLLM

QUESTIONS = [
    "What happens when scoring fails?",
    "What is the probability that of 10,000 requests, each strong with probability 0.3, more "
    "than 3,100 are strong?",
]


def main() -> None:
    Settings.llm = RouteLLM(strong=OpenAI("gpt-4o"), weak=OpenAI("gpt-4o-mini"), strong_share=0.3)
    register_plugin(PrintDecisions())
    query_engine = docs_index().as_query_engine(similarity_top_k=3)
    for question in sys.argv[1:] or QUESTIONS:
        print(f"> {question}")
        print(f"{query_engine.query(question)}\n")


if __name__ == "__main__":
    main()
