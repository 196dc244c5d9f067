"""An agent with tools and a memory; each turn stays on the model that its question was sent to.

Usage: OPENAI_API_KEY=sk-... python agent.py ["a question" ...]
"""

from __future__ import annotations

import sys

from docs_store import docs_store
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from routellm_core import load_router
from routellm_plugins.langchain import RouteLLMMiddleware

QUESTIONS = [
    "What does strong_share mean?",
    "If 30 % of 10,000 requests cost 0.02 dollars and the rest 0.001 dollars, what is the mean "
    "cost and its standard deviation?",
]

store = docs_store()


def search_docs(words: str) -> str:
    """Find the sections of routellm-plugins' documentation that are nearest to these words."""
    return "\n\n".join(document.page_content for document in store.similarity_search(words, k=3))


def strong_win_rate(prompt: str) -> float:
    """Tell how likely it is, from 0 to 1, that the strong model answers this prompt better."""
    return float(load_router("mf").score([prompt])[0])


agent = create_agent(
    "openai:gpt-4o",
    [search_docs, strong_win_rate],
    middleware=[RouteLLMMiddleware("openai:gpt-4o-mini", strong_share=0.3)],
    checkpointer=InMemorySaver(),
)


def main() -> None:
    thread = {"configurable": {"thread_id": "example"}}
    for question in sys.argv[1:] or QUESTIONS:
        print(f"> {question}")
        turn = {"messages": [{"role": "user", "content": question}]}
        for step in agent.stream(turn, thread, stream_mode="updates"):
            for message in (step.get("model") or {}).get("messages", []):
                print(told(message))
        print()


def told(message: AIMessage) -> str:
    """Return one answer of a model, with the model and the reason why it was asked."""
    metadata = message.response_metadata
    calls = ", ".join(call["name"] for call in message.tool_calls)
    return (
        f"[{metadata['routellm']['tier']}: {metadata['model_name']}] "
        f"{f'calls {calls}' if calls else message.text}"
    )


if __name__ == "__main__":
    main()
