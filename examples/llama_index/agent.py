"""An agent with tools; every step of a run stays on the model that its question was sent to.

Usage: OPENAI_API_KEY=sk-... python agent.py ["a question" ...]
"""

from __future__ import annotations

import asyncio
import sys

from docs_index import PrintDecisions, docs_index
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI

from routellm_core import load_router, register_plugin
from routellm_plugins.llama_index import RouteLLM

QUESTIONS = [
    "What happens when scoring fails?",
    "If 30 % of 10,000 requests cost 0.02 dollars and the rest 0.001 dollars, what is the mean "
    "cost and its standard deviation?",
]

retriever = docs_index().as_retriever(similarity_top_k=3)


def search_docs(words: str) -> str:
    """Find the sections of routellm-plugins' documentation that are nearest to these words."""
    return "\n\n".join(node.get_content() for node in retriever.retrieve(words))


def strong_win_rate(prompt: str) -> float:
    """Return how likely it is, from 0 to 1, that the strong model answers this prompt better."""
    return float(load_router("mf").score([prompt])[0])


async def main() -> None:
    llm = RouteLLM(strong=OpenAI("gpt-4o"), weak=OpenAI("gpt-4o-mini"), strong_share=0.3)
    register_plugin(PrintDecisions())
    agent = FunctionAgent(tools=[search_docs, strong_win_rate], llm=llm)
    for question in sys.argv[1:] or QUESTIONS:
        print(f"> {question}")
        print(f"{await agent.run(question)}\n")


if __name__ == "__main__":
    asyncio.run(main())
