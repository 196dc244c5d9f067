"""Prompts as applications fill them: ``{q}`` is the question and ``{c}`` the context."""

from __future__ import annotations

HUB = (
    "You are an assistant for question-answering tasks. Use the following pieces of retrieved "
    "context to answer the question. If you don't know the answer, just say that you don't know."
)
STUFF = "Use the following pieces of context to answer the question at the end."
REFINE = (
    "is as follows: {q}\nWe have provided an existing answer: A proof of it all.\nWe have the "
    "opportunity to refine the existing answer (only if needed) with some more context below.\n"
    "------------\n{c}\n------------\nGiven the new context, refine the original answer to better "
    "answer the query."
)
RULE = "---------------------"

FILLED: dict[str, str] = {
    "LangChain hub, rag-prompt": HUB + "\nQuestion: {q} \nContext: {c} \nAnswer:",
    "LangGraph's agentic RAG": HUB + "\nQuestion: {q} \nContext: {c}",
    "LangChain, an expression": (
        "Answer the question based only on the following context:\n{c}\n\nQuestion: {q}\n"
    ),
    "LangChain, stuff": STUFF + "\n\n{c}\n\nQuestion: {q}\nHelpful Answer:",
    "LangChain, map": (
        "Use the following portion of a long document to see if any of the text is relevant to "
        "answer the question. \nReturn any relevant text verbatim.\n{c}\nQuestion: {q}\n"
        "Relevant text, if any:"
    ),
    "LangChain, reduce": (
        "Given the following extracted parts of a long document and a question, create a final "
        "answer. \n\nQUESTION: Which law governs the contract?\n=========\nContent: English law.\n"
        "=========\nFINAL ANSWER: English law.\n\nQUESTION: {q}\n=========\n{c}\n=========\n"
        "FINAL ANSWER:"
    ),
    "LangChain, map-rerank": (
        STUFF + "\n\nThis should be in the following format:\n\nQuestion: [question here]\n"
        "Helpful Answer: [answer here]\nScore: [score between 0 and 100]\n\nBegin!\n\n"
        "Context:\n---------\n{c}\n---------\nQuestion: {q}\nHelpful Answer:"
    ),
    "LangChain, refine": "The original question " + REFINE,
    "LangChain, refine with sources": "The original question "
    + REFINE.replace("an existing answer:", "an existing answer, including sources:"),
    "LangChain, refine, first": (
        "Context information is below. \n------------\n{c}\n------------\nGiven the context "
        "information and not prior knowledge, answer the question: {q}\n"
    ),
    "LlamaIndex, text_qa": (
        f"Context information is below.\n{RULE}\n{{c}}\n{RULE}\nGiven the context information and "
        "not prior knowledge, answer the query.\nQuery: {q}\nAnswer: "
    ),
    "LlamaIndex, tree_summarize": (
        f"Context information from multiple sources is below.\n{RULE}\n{{c}}\n{RULE}\nGiven the "
        "information from multiple sources and not prior knowledge, answer the query.\n"
        "Query: {q}\nAnswer: "
    ),
    "LlamaIndex, refine": "The original query " + REFINE + "\nRefined Answer: ",
    "LlamaIndex, refine by chat": (
        "You are an expert Q&A system that strictly operates in two modes when refining existing "
        "answers.\nNever reference the original answer or context directly in your answer.\n"
        "New Context: {c}\nQuery: {q}\nOriginal Answer: A proof of it all.\nNew Answer: "
    ),
    "Haystack": (
        "\n    Given the following information, answer the question.\n\n    Context:\n    {c}\n\n"
        "    Question: {q}\n    Answer:\n    "
    ),
    "OpenAI's cookbook": (
        "Use the below article on the Olympics to answer the subsequent question.\n\nArticle:\n"
        '"""\n{c}\n"""\n\nQuestion: {q}'
    ),
    "Open WebUI": (
        "### Task:\nRespond to the user query using the provided context, incorporating inline "
        'citations in the format [id].\n\n### Guidelines:\n- Prove it.\n\n<context>\n<source id="1"'
        ">{c}</source>\n</context>\n\n{q}"
    ),
    "labels": "Context: {c}\n\nQuestion: {q}",
    "labels, the question first": "Question: {q}\n\nContext:\n{c}",
    "other labels": "Retrieved documents:\n{c}\n\nUser question: {q}",
    "headings": "### Context\n{c}\n\n### Question\n{q}\n\n### Answer\n",
    "bold labels": "**Context:**\n{c}\n\n**Question:** {q}",
    "Anthropic's documents": (
        '<documents>\n<document index="1">\n<source>a.pdf</source>\n<document_content>\n{c}\n'
        "</document_content>\n</document>\n</documents>\n\n{q}"
    ),
    "documents and a tagged question": (
        "Here are documents, and a question about them.\n<documents>\n{c}\n</documents>\n\n"
        "<question>\n{q}\n</question>"
    ),
    "documents and the user's question": (
        "<context>\n{c}\n</context>\n<user_question>{q}</user_question>"
    ),
    "an article after the question": "{q}\n\n<article>\n{c}\n</article>",
}
"""Where the question can be found."""


def filled(name: str, question: str, context: str) -> str:
    """Return the prompt of one of ``FILLED``."""
    return FILLED[name].replace("{c}", context).replace("{q}", question)
