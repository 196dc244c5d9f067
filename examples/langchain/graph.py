"""A LangGraph graph: the weak model's answers are checked by the strong model, its own are not.

Usage: OPENAI_API_KEY=sk-... python graph.py ["a question" ...]
"""

from __future__ import annotations

import sys
from typing import Literal

from langchain.chat_models import init_chat_model
from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, MessagesState, StateGraph

from routellm_plugins.langchain import ChatRouteLLM

QUESTIONS = [
    "What is the capital of Australia?",
    "Prove that p^2 - 1 is divisible by 24 for every prime p > 3, and say whether the "
    "converse holds.",
]

strong = init_chat_model("openai:gpt-4o")
llm = ChatRouteLLM(strong=strong, weak="openai:gpt-4o-mini", strong_share=0.3)


def answer(state: MessagesState) -> dict:
    return {"messages": [llm.invoke(state["messages"])]}


def needs_a_check(state: MessagesState) -> Literal["check", "__end__"]:
    decision = state["messages"][-1].response_metadata["routellm"]
    return "check" if decision["tier"] == "weak" else END


def check(state: MessagesState) -> dict:
    task = HumanMessage("What is wrong with this answer? Say 'nothing' if it is right.")
    return {"messages": [strong.invoke([*state["messages"], task])]}


graph = StateGraph(MessagesState)
graph.add_node(answer)
graph.add_node(check)
graph.add_edge(START, "answer")
graph.add_conditional_edges("answer", needs_a_check)
graph.add_edge("check", END)
app = graph.compile()


def main() -> None:
    for question in sys.argv[1:] or QUESTIONS:
        print(f"> {question}")
        # Tokens as they come: the metadata of each says who speaks and where the call was sent.
        speaker = None
        for token, metadata in app.stream(
            {"messages": [HumanMessage(question)]}, stream_mode="messages"
        ):
            if metadata["langgraph_node"] != speaker:
                speaker = metadata["langgraph_node"]
                sent = metadata.get("routellm_tier", "always strong")
                print(f"\n[{speaker}, {sent}] ", end="")
            print(token.text, end="", flush=True)
        print("\n")


if __name__ == "__main__":
    main()
