"""Prompts of frameworks in which the question has a known place: of LangChain and LlamaIndex, for
answers, retrieval, agents and the judging of answers, and of Open WebUI.

A proxy is sent such a prompt filled in, as one text. Add a line for what is missing.
"""

from __future__ import annotations

from typing import NamedTuple


class Filled(NamedTuple):
    """A template, by the fixed texts in it. Texts rather than a regular expression, because a
    prompt made for that purpose can keep some of those busy for hours.
    """

    start: str
    """How the template begins."""
    before: str
    """What stands before the question; of several such places the last counts."""
    after: str
    """What stands after the question; ``""``: it is the last."""

    def question_in(self, text: str) -> str | None:
        """Return the question in a text; None if the text was not made of this template."""
        if not text.startswith(self.start):
            return None
        _, found, rest = text.rpartition(self.before)
        if not found:
            return None
        question, found, _ = rest.partition(self.after) if self.after else (rest, "-", "")
        return (question.strip() or None) if found else None


_REFINED = (
    "\nWe have provided an existing answer",
    "\nWe have an opportunity to answer some, or all of the question from a knowledge source.",
)
_ORIGINAL = "The original question is given below.\nThis question has been translated into a "
_TO_QUERY = "Given an input question, first create a syntactically correct "
_DIALECTS = (
    *("a CrateDB", "a DuckDB", "a GoogleSQL", "an MS SQL", "a MySQL", "a MariaDB", "an Oracle SQL"),
    *("a PostgreSQL", "a SQLite", "a ClickHouse", "a PrestoDB"),
)

TEMPLATES = (
    # To refine an answer, and to break a question down.
    *(
        Filled(start, start, after)
        for start in ("The original question is as follows: ", "The original query is as follows: ")
        for after in _REFINED
    ),
    Filled(
        "Context information is below",
        "\nGiven the context information and not prior knowledge, answer the question: ",
        "",
    ),
    # LangChain: chains that take answers from parts of a document together; the relevant parts of
    # a page; an answer that looks up what it is not sure of.
    Filled(
        "Given the following extracted parts of a long document and a question, create a final",
        "\nQUESTION: ",
        "\n=========\n",
    ),
    Filled(
        "Given the following question and context, extract any part of the context *AS IS*",
        "\n> Question: ",
        "\n> Context:\n",
    ),
    Filled(
        "Respond to the user message using any relevant context.",
        "\n>>> USER INPUT: ",
        "\n>>> RESPONSE:",
    ),
    # LangChain: conversations and agents in one text. What an agent did follows its task.
    Filled(
        "The following is a friendly conversation between a human and an AI.", "\nHuman: ", "\nAI:"
    ),
    Filled(
        "You are an assistant to a human, powered by a large language model",
        "\nLast line:\nHuman: ",
        "\nYou:",
    ),
    Filled("Answer the following questions as best you can", "Begin!\n\nQuestion: ", "\nThought:"),
    Filled("Assistant is a large language model trained by OpenAI.", "\nNew input: ", "\nThought:"),
    Filled("Assistant is a large language model trained by OpenAI.", "\nNew input: ", ""),
    Filled(
        "TOOLS\n------\nAssistant can ask the user to use tools",
        " a markdown code snippet of a json blob with a single action, and NOTHING else):\n\n",
        "",
    ),
    # Questions to databases, programs and APIs, and the answers that are made of what they return.
    *(
        Filled(start, "\nQuestion: ", "\nSQLQuery:")
        for start in (
            _TO_QUERY,
            "You are given a table named: '",
            *(f"You are {name} expert. Given an input question" for name in _DIALECTS),
        )
    ),
    Filled(
        "Given an input question, synthesize a response from the query results.",
        "\nQuery: ",
        "\nSQL: ",
    ),
    *(
        Filled(start + language, "Original question: ", f"\n{answers} query: ")
        for start in (_ORIGINAL, f'"{_ORIGINAL}')
        for language, answers in (("SQL query", "SQL"), ("Graph Database query", "Graph"))
    ),
    Filled(
        "Given an input question, create a syntactically correct Elasticsearch query",
        "\nQuestion: ",
        "\nESQuery:",
    ),
    Filled(
        "Given an input question and relevant data from a database, answer the user question.",
        "\n\nQuestion: ",
        "\nData: ",
    ),
    Filled("Task:Generate Cypher statement to query a graph", "\nThe question is:\n", ""),
    Filled(
        "You are an assistant that helps to form nice and human understandable answers.",
        "\n        Question:\n",
        "\n        Information:\n",
    ),
    Filled("We have provided a JSON schema below:\n", "\nTask: ", "\nResponse:"),
    Filled("Given a query, synthesize a response to satisfy the query", "\nQuery: ", "\nResponse:"),
    Filled(
        "Translate a math problem into a expression that can be executed using Python's numexpr",
        "\nQuestion: ",
        "",
    ),
    Filled("You are given the below API Documentation:\n", "\n\nQuestion:", "\nAPI url:"),
    # Retrieval that depends on the question: filters, choices, keywords, several questions.
    Filled(
        "Your goal is to structure the user's query to match the request schema provided below.",
        "\nUser Query:\n",
        "\n\nStructured Request:",
    ),
    Filled("Some choices are given below. ", " relevant to the question: '", "'\n"),
    Filled(
        "A question is provided below. Given the question, extract up to ",
        " Avoid stopwords.\n---------------------\n",
        "\n---------------------\n",
    ),
    Filled("Generate synonyms or possible form of keywords up to ", "\nKEYWORDS: ", "\n----"),
    Filled("Given some initial query, generate synonyms or related", "\nQUERY: ", "\n----"),
    Filled(
        "You are a helpful assistant that generates multiple search queries based on a single",
        "\nQuery: ",
        "\nQueries:",
    ),
    Filled(
        "Given a user question, and a list of tools, output a list of relevant sub-questions",
        "\n<User Question>\n",
        "\n\n<Output>",
    ),
    # LlamaIndex: a follow-up that is made a question of its own; the memory of an agent, and its
    # conversation, where the answer is to have a form.
    Filled(
        "Given the following conversation between a user and an AI assistant and a follow up",
        "\n  Follow Up Input: ",
        "\n  Standalone question:",
    ),
    Filled(
        "Given a conversation (between Human and Assistant) and a follow up message from Human",
        "\n<Follow Up Message>\n",
        "\n\n<Standalone question>",
    ),
    Filled("Current state:\n", "\nCurrent message:\n", ""),
    *(
        Filled("<current_conversation>", f"<user>{lines}\t\t<message>", "</message>")
        for lines in ("\n", "\n\n")  # as one text, and as parts that are joined by newlines
    ),
    # Judges of an answer, or of passages: how hard that is depends on what was asked.
    Filled("You are a teacher grading a quiz.", "\nQUESTION: ", "\nCONTEXT: "),
    Filled("You are a teacher grading a quiz.", "\nQUESTION: ", "\nSTUDENT ANSWER: "),
    Filled("You are comparing a submitted answer to an expert answer", "[Question]: ", "\n***\n"),
    Filled("You are assessing a submitted answer on a given task", "[Input]: ", "\n***\n"),
    *(
        Filled(start, "\n[QUESTION]\n", "\n[END_QUESTION]")
        for start in (
            "An AI language model has been given access to the following set of tools to help",
            "An AI language model has been given access to a set of tools to help answer",
        )
    ),
    Filled(
        "[Instruction]\nPlease act as an impartial judge", "\n[Question]\n", "\n\n[The Start of "
    ),
    *(
        Filled(start, "[User Question]\n", "\n\n[The Start of ")
        for start in (
            "[User Question]\n",
            "To help you evaluate the responses, here is a reference",
        )
    ),
    Filled("## User Query\n", "## User Query\n", "\n\n## Reference Answer\n"),
    Filled(
        "Here is the original query:\n",
        "Here is the original query:\nQuery: ",
        "\nCritique the following response based",
    ),
    Filled("Your task is to evaluate if the response is", "\nQuery: \n ", "\nResponse: \n "),
    Filled("Your task is to evaluate if the retrieved context", "\nQuery: \n ", "\nContext: \n "),
    Filled(
        "Your task is to evaluate if the response for the query",
        "\nQuery and Response: \n Question: ",
        "\nResponse: ",
    ),
    Filled(
        "We want to understand if the following query and response is",
        "information: \n Question: ",
        "\nResponse: ",
    ),
    Filled(
        "We want to understand if the following information is present in the context",
        " information: ",
        "\nWe have provided an existing YES/NO answer",
    ),
    Filled(
        "Please tell if a given piece of information is supported by the",
        "\nInformation: ",
        "\nContext: ",
    ),
    *(
        Filled(start, "<input>\n", "\n</input>\n\n<output>\n")
        for start in (
            "You are an expert data labeler evaluating model outputs for ",
            "You are an expert evaluator assessing whether outputs are relevant to the",
            "You are an expert code reviewer evaluating code for correctness.",
        )
    ),
    Filled("Search Query: ", "Search Query: ", ". \nRank the "),
    # Open WebUI's retrieval.
    Filled("### Task:\nRespond to the user query using ", "</context>", ""),
)

_STARTS = tuple({template.start for template in TEMPLATES})


def question_in_template(text: str) -> str | None:
    """Return the question in a prompt that was made of one of ``TEMPLATES``; None if there is none.

    Args:
        text: a user message, with the blocks of harnesses.
    """
    text = text.lstrip()
    if not text.startswith(_STARTS):
        return None
    questions = (template.question_in(text) for template in TEMPLATES)
    return next((question for question in questions if question is not None), None)
