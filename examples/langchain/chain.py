"""A chain, prompt | model | parser, whose calls go to a strong or a weak model.

Usage: OPENAI_API_KEY=sk-... python chain.py ["a question" ...]
"""

from __future__ import annotations

import sys

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel

from routellm_plugins.langchain import ChatRouteLLM

QUESTIONS = [
    "What is the capital of Australia?",
    "Prove that p^2 - 1 is divisible by 24 for every prime p > 3, and say whether the "
    "converse holds.",
]

llm = ChatRouteLLM(strong="openai:gpt-4o", weak="openai:gpt-4o-mini", strong_share=0.3)
prompt = ChatPromptTemplate([("system", "Answer in one paragraph."), ("human", "{question}")])

# The decision is on the message, so take it before the parser keeps the text alone.
chain = (
    prompt
    | llm
    | RunnableParallel(
        decision=lambda message: message.response_metadata["routellm"], text=StrOutputParser()
    )
)


def main() -> None:
    questions = [{"question": question} for question in sys.argv[1:] or QUESTIONS]
    # The router scores all questions of a batch in one call.
    for asked, answer in zip(questions, chain.batch(questions), strict=True):
        decision = answer["decision"]
        print(f"> {asked['question']}")
        print(f"[{decision['tier']}: score {decision['score']}] {answer['text']}\n")


if __name__ == "__main__":
    main()
