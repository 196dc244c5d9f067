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
    "LangChain, relevant parts": (
        "Given the following question and context, extract any part of the context *AS IS* that is "
        "relevant to answer the question. If none of the context is relevant return NO_OUTPUT.\n\n"
        "Remember, *DO NOT* edit the extracted parts of the context.\n\n> Question: {q}\n"
        "> Context:\n>>>\n{c}\n>>>\nExtracted relevant parts:"
    ),
    "LangChain, FLARE": (
        "Respond to the user message using any relevant context. If context is provided, you "
        "should ground your answer in that context.\n\n>>> CONTEXT: {c}\n>>> USER INPUT: {q}\n"
        ">>> RESPONSE: A proof"
    ),
    "LangChain, SQL": (
        "You are a SQLite expert. Given an input question, first create a syntactically correct "
        "SQLite query to run.\nUse the following format:\n\nQuestion: Question here\nSQLQuery: SQL "
        "Query to run\nAnswer: Final answer here\n\nOnly use the following tables:\n{c}\n\n"
        "Question: {q}\nSQLQuery: "
    ),
    "LangChain, API": (
        "You are given the below API Documentation:\n{c}\nUsing this documentation, generate the "
        "full API url to call for answering the user question.\n\nQuestion:{q}\nAPI url:"
    ),
    "LangChain, filters": (
        "Your goal is to structure the user's query to match the request schema provided below.\n\n"
        "<< Example 1. >>\nUser Query:\nProve it\n\nStructured Request:\n{}\n\n<< Example 2. >>\n"
        "Data Source:\n{c}\n\nUser Query:\n{q}\n\nStructured Request:\n"
    ),
    "LangChain, conversation": (
        "The following is a friendly conversation between a human and an AI.\n\nCurrent "
        "conversation:\nHuman: Prove it.\nAI: {c}\nHuman: {q}\nAI:"
    ),
    "LangChain, ReAct": (
        "Answer the following questions as best you can. You have access to the following tools:\n"
        "\nUse the following format:\n\nQuestion: the input question you must answer\nThought: you "
        "should always think about what to do\n\nBegin!\n\nQuestion: {q}\nThought: I need a tool."
        "\nAction: read\nAction Input: it\nObservation: {c}\nThought:"
    ),
    "LangChain, ReAct in a chat": (
        "Assistant is a large language model trained by OpenAI.\n\nBegin!\n\nPrevious conversation "
        "history:\nHuman: Prove it.\n\nNew input: {q}\nThought: Do I need to use a tool? Yes\n"
        "Observation: {c}\nThought:"
    ),
    "LangChain, JSON agent": (
        "TOOLS\n------\nAssistant can ask the user to use tools to look up information.\n{c}\n\n"
        "USER'S INPUT\n--------------------\nHere is the user's input (remember to respond with a "
        "markdown code snippet of a json blob with a single action, and NOTHING else):\n\n{q}"
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
    "LangChain, a graded answer": (
        "You are a teacher grading a quiz.\nYou are given a question, the student's answer, and "
        "the true answer.\n\nExample Format:\nQUESTION: question here\nSTUDENT ANSWER: student's "
        "answer here\nGRADE: CORRECT or INCORRECT here\n\nBegin!\n\nQUESTION: {q}\n"
        "STUDENT ANSWER: {c}\nTRUE ANSWER: It is so.\nGRADE:"
    ),
    "LangChain, a graded answer from context": (
        "You are a teacher grading a quiz.\nYou are given a question and its context.\n\nQUESTION: "
        "{q}\nCONTEXT: {c}\nSTUDENT ANSWER: A proof.\nGRADE:"
    ),
    "LangChain, an answer by an expert": (
        "You are comparing a submitted answer to an expert answer on a given SQL coding question. "
        "Here is the data:\n[BEGIN DATA]\n***\n[Question]: {q}\n***\n[Expert]: {c}\n***\n"
    ),
    "LangChain, criteria": (
        "You are assessing a submitted answer on a given task or input based on a set of criteria. "
        "Here is the data:\n[BEGIN DATA]\n***\n[Input]: {q}\n***\n[Submission]: {c}\n***\n"
        "[Criteria]: Is it a proof?\n***\n[END DATA]\nDoes the submission meet the Criteria?"
    ),
    "LangChain, an agent's steps": (
        "An AI language model has been given access to a set of tools to help answer a user's "
        "question.\n\nThe question the human asked the AI model was:\n[QUESTION]\n{q}\n"
        "[END_QUESTION]\n\n[AGENT_TRAJECTORY]\n{c}\n[END_AGENT_TRAJECTORY]"
    ),
    "LangChain, a rating": (
        "[Instruction]\nPlease act as an impartial judge and evaluate the quality of the response "
        "provided by an AI assistant to the user question displayed below.\n\n[Question]\n{q}\n\n"
        "[The Start of Assistant's Answer]\n{c}\n[The End of Assistant's Answer]"
    ),
    "LangChain, two answers": (
        "[User Question]\n{q}\n\n[The Start of Assistant A's Answer]\n{c}\n[The End of Assistant "
        "A's Answer]\n\n[The Start of Assistant B's Answer]\nA proof.\n[The End of Assistant B's "
        "Answer]"
    ),
    "LangChain, two answers and a reference": (
        "To help you evaluate the responses, here is a reference answer to the user's question:\n"
        "{c}[User Question]\n{q}\n\n[The Start of Assistant A's Answer]\nA proof.\n"
    ),
    "LlamaIndex, correctness": (
        "\n## User Query\n{q}\n\n## Reference Answer\nA proof.\n\n## Generated Answer\n{c}\n"
    ),
    "LlamaIndex, guidelines": (
        "Here is the original query:\nQuery: {q}\nCritique the following response based on the "
        "guidelines below:\nResponse: {c}\nGuidelines: Prove it.\nNow please provide constructive "
        "criticism.\n"
    ),
    "LlamaIndex, relevance of an answer": (
        "Your task is to evaluate if the response is relevant to the query.\nQuery: \n {q}\n"
        "Response: \n {c}\nFeedback:"
    ),
    "LlamaIndex, relevance of context": (
        "Your task is to evaluate if the retrieved context from the document sources are relevant "
        "to the query.\n\nQuery: \n {q}\nContext: \n {c}\nFeedback:"
    ),
    "LlamaIndex, relevance of both": (
        "Your task is to evaluate if the response for the query     is in line with the context "
        "information provided.\nQuery and Response: \n Question: {q}\nResponse: A proof.\nContext: "
        "\n {c}\nAnswer: "
    ),
    "LlamaIndex, relevance of both, refined": (
        "We want to understand if the following query and response isin line with the context "
        "information: \n Question: {q}\nResponse: A proof.\nWe have provided an existing YES/NO "
        "answer: \n YES\n------------\n{c}\n------------\n"
    ),
    "LlamaIndex, faithfulness": (
        "Please tell if a given piece of information is supported by the context.\nInformation: "
        "Apple pies tastes bad.\nContext: An apple pie is a fruit pie.\nAnswer: NO\nInformation: "
        "{q}\nContext: {c}\nAnswer: "
    ),
    "LlamaIndex, faithfulness, refined": (
        "We want to understand if the following information is present in the context information: "
        "{q}\nWe have provided an existing YES/NO answer: NO\n------------\n{c}\n------------\n"
    ),
    "LlamaIndex, RankGPT": (
        "Search Query: {q}. \nRank the 3 passages above based on their relevance to the search "
        "query. The most relevant passages should be listed first. {c}"
    ),
    "OpenEvals": (
        "You are an expert data labeler evaluating model outputs for correctness. Your task is to "
        "assign a score.\n\n<Rubric>\n  Prove it.\n</Rubric>\n\n<input>\n{q}\n</input>\n\n"
        "<output>\n{c}\n</output>\n"
    ),
    "Open WebUI": (
        "### Task:\nRespond to the user query using the provided context, incorporating inline "
        'citations in the format [id].\n\n### Guidelines:\n- Prove it.\n\n<context>\n<source id="1"'
        ">{c}</source>\n</context>\n\n{q}"
    ),
    "labels": "Context: {c}\n\nQuestion: {q}",
    "labels and a response": "Context: {c}\n\nQuestion: {q}\n\nResponse:",
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
