"""Questions about this repository's documentation; the question is scored, not what was retrieved.

Usage: OPENAI_API_KEY=sk-... python rag.py ["a question" ...]
"""

from __future__ import annotations

import sys

from docs_store import docs_store
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from routellm_plugins.langchain import ChatRouteLLM

QUESTIONS = [
    "What does strong_share mean?",
    "What is the probability that of 10,000 requests, each strong with probability 0.3, more "
    "than 3,100 are strong?",
]

# What is scored is the question that the prompt is filled with, also if the context is beside it.
prompt = ChatPromptTemplate(
    [("system", "Answer from these pages:\n\n{context}"), ("human", "{question}")]
)
retriever = docs_store().as_retriever(search_kwargs={"k": 3})


def joined(documents: list[Document]) -> str:
    return "\n\n".join(f"[{doc.metadata['page']}]\n{doc.page_content}" for doc in documents)


llm = ChatRouteLLM(strong="openai:gpt-4o", weak="openai:gpt-4o-mini", strong_share=0.3)
context = retriever | RunnableLambda(joined)
chain = {"context": context, "question": RunnablePassthrough()} | prompt | llm


def main() -> None:
    for question in sys.argv[1:] or QUESTIONS:
        print(f"> {question}")
        for number, chunk in enumerate(chain.stream(question)):
            if number == 0:
                decision = chunk.response_metadata["routellm"]
                print(f"[{decision['tier']}: score {decision['score']}] ", end="")
            print(chunk.text, end="", flush=True)
        print("\n")


if __name__ == "__main__":
    main()
