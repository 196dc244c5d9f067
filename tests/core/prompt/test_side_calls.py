"""Calls that serve an application are told from those of a human, by shapes of real clients."""

from __future__ import annotations

from typing import Any

import pytest

from routellm_core import PolicySettings
from routellm_core.prompt.side_calls import is_side_call, side_call


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


TALK = "<chat_history>\nUSER: Prove it.\nASSISTANT: Done.\n</chat_history>"

SIDE: dict[str, list[dict[str, Any]]] = {
    "Open WebUI, title": [user(f"### Task:\nGenerate a concise title of 3 to 5 words.\n{TALK}")],
    "Open WebUI, tags": [user(f"### Task:\nGenerate 1-3 broad tags of the themes.\n{TALK}")],
    "Open WebUI, follow-ups": [user(f"### Task:\nSuggest 3 follow-up questions.\n{TALK}")],
    "Open WebUI, queries": [
        user(f"### Task:\nAnalyze the chat history: are search queries needed?\n{TALK}")
    ],
    "Claude Code, title": [user("<session>\nProve it.\n</session>\n\nWrite the title alone.")],
    "Claude Code, policy": [
        user([{"type": "text", "text": "<policy_spec>\nPrefixes.\n</policy_spec>\nCommand: git"}])
    ],
    "Claude Code, topic": [
        system("Analyze if this message indicates a new conversation topic. If so, name it."),
        user("Prove that it is correct."),
    ],
    "opencode, title": [
        system("You are a title generator. You output ONLY a thread title."),
        user("Generate a title for this conversation:"),
        user("Prove that it is correct."),
    ],
    "Goose, title": [
        system("Generate a short title (four words or less) for this conversation.\n\nRules: ..."),
        user("Prove that it is correct."),
    ],
    "Goose, title of messages": [
        system(
            "Generate a short title (four words or less) that describes the topic of the user's "
            "messages."
        ),
        user("---BEGIN USER MESSAGES---\nProve it.\n---END USER MESSAGES---"),
    ],
    "Goose, title alone": [
        user(
            "---BEGIN USER MESSAGES---\nProve it.\n---END USER MESSAGES---\n\n"
            "Generate a short title for the above messages."
        )
    ],
    "Goose, description": [
        system("Reply with only a description in four words or less"),
        user("Prove that it is correct."),
    ],
    "Goose, compaction": [
        system("## Task Context\n- A limit was reached.\n[user]: Prove that it is correct."),
        user("Please summarize the conversation history provided in the system prompt."),
    ],
    "aider, commit": [
        system(
            "You are an expert software engineer that generates concise, one-line Git commit "
            "messages based on the provided diffs."
        ),
        user("# Diff\n- a\n+ b"),
    ],
    "AutoGen, next speaker": [
        user(
            "You are in a role play game. The following roles are available:\nwriter: writes.\n"
            "Read the following conversation. Then select the next role. Only return the role.\n\n"
            "user: Prove it."
        )
    ],
    "CrewAI, summary": [
        system(
            "You are a precise assistant that creates structured summaries of agent "
            + "conversations. You preserve context."
        ),
        user("Analyze the following conversation ..."),
    ],
    "gptme, title": [
        system("Generate concise conversation titles."),
        user("Your task: Create a 2-4 word title for this conversation.\n\nProve it."),
    ],
    "LangChain, an emulated tool": [
        user(
            "You are emulating a tool call for testing purposes.\n\nTool: prove\nDescription: "
            "Prove it.\nArguments: {}\n\nGenerate a realistic response that this tool would return."
        )
    ],
    "LangChain, history": [
        user("<role>\nContext Extraction Assistant\n</role>\n\nExtract.\n<messages>...</messages>")
    ],
    "LangChain, summary": [user('Write a concise summary of the following:\n\n\n"A proof."')],
    "LangChain, map": [
        user("The following is a set of documents:\nA proof.\nName the themes.\nHelpful Answer:")
    ],
    "LangChain, memory": [
        user("Progressively summarize the lines of conversation provided, adding onto the ...")
    ],
    "LangChain, condense": [
        system(
            "Given a chat history and the latest user question which might reference context in "
            "the chat history, formulate a standalone question."
        ),
        user("Hello"),
        {"role": "assistant", "content": "Hello."},
        user("And why?"),
    ],
    "LangChain, queries": [
        user(
            "You are an AI language model assistant. Your task is to generate 3 different "
            "versions of the given user question. Original question: Why?"
        )
    ],
    "LangChain, filter": [
        user(
            "Given the following question and context, return YES if the context is relevant to "
            "the question and NO if it isn't.\n\n> Question: Why?\n> Context:\n>>>\nProve it.\n"
            ">>>\n> Relevant (YES / NO):"
        )
    ],
    "LangChain, rephrase": [
        user(
            "You are an assistant tasked with taking a natural language query from a user and "
            "converting it into a query for a vectorstore. Here is the user query: Prove it."
        )
    ],
    "LangChain, refined summary": [
        user(
            "Your job is to produce a final summary.\nWe have provided an existing summary up to a "
            "certain point: A proof.\nRefine it."
        )
    ],
    "LangChain, a choice of prompts": [
        user(
            "Given a raw text input to a language model select the model prompt best suited for "
            "the input.\n\n<< INPUT >>\nProve it."
        )
    ],
    "LangChain, a choice of tables": [
        user(
            "Given the below input question and list of potential tables, output a comma separated "
            "list of the table names.\n\nQuestion: Prove it."
        )
    ],
    "LangChain, a form that was missed": [
        user(
            "Instructions:\n--------------\nJSON.\n--------------\nCompletion:\n--------------\nProof"
            "\n--------------\n\nAbove, the Completion did not satisfy the constraints given in "
            "the Instructions."
        )
    ],
    "LangChain, HyDE for facts": [
        user("Please write a scientific paper passage to support/refute the claim\nPassage:")
    ],
    "LangChain, HyDE": [
        user("Please write a passage to answer the question \nQuestion: Why?\nPassage:")
    ],
}

TITLES = (
    "Your task: Create a 2-4 word title for this conversation.",
    "Provide a concise, 5-word-or-less title for the conversation, using its same language.",
    "Please write a short title of at most six words for the following chat:",
    "Generate a brief, descriptive title (3 to 7 words) that fits the topic of this conversation.",
    "Create a very short session title.",
    "Suggest titles for our discussion",
)

HUMAN: dict[str, list[dict[str, Any]]] = {
    "Open WebUI, retrieval": [user("### Task:\nRespond to the user query by the context.\nWhy?")],
    "a task": [user("### Task: Generate a proof of the theorem.")],
    "a title": [user("Write a title for my essay.")],
    "a title of something else": [user("Write a short title for this proof of the theorem.")],
    "titles of conversations": [
        user("Write a React component that shows the title of the conversation in a chat."),
    ],
    "a program for titles": [
        user("Create a title bar for the app. The conversation list is below it."),
    ],
    "a program for a chat": [user("Write a title generator for the chat of my site.")],
    "a schema": [user("Generate a table of titles. Each belongs to the chat of a thread.")],
    "a summary": [user("Write a concise summary of the following proof, and check it.")],
    "a session": [user("<session>\n<user id='1'/>\n</session>\nWhy does this XML not parse?")],
    "a passage": [user("Please write a passage to answer the question of why it holds.")],
    "a title of a context": [user("Context: a thesis. Give a title that fits.")],
    "a summary of a text": [user("Some text is provided below. Is it proved?")],
    "a later turn": [
        user("Hello"),
        {"role": "assistant", "content": "Hello."},
        user("You are a title generator: name my thesis."),
    ],
    "nothing": [],
    "no text": [user([{"type": "image_url", "image_url": {"url": "x"}}]), user(None)],
    "no message": [3, {"content": 3}],  # type: ignore[list-item]
}


@pytest.mark.parametrize("shape", SIDE)
def test_a_side_call_is_recognised(shape: str) -> None:
    assert is_side_call(SIDE[shape])


@pytest.mark.parametrize("text", TITLES)
def test_the_naming_of_a_conversation_is_recognised(text: str) -> None:
    assert is_side_call([user(f"{text}\n\nUser: Prove it.")])
    assert is_side_call([system(text), user("Prove it.")])


@pytest.mark.parametrize("shape", HUMAN)
def test_what_a_human_asks_is_none(shape: str) -> None:
    assert not is_side_call(HUMAN[shape])


def test_utility_says_where_it_goes() -> None:
    messages = SIDE["LangChain, summary"]
    for tier in ("weak", "strong"):
        asked = side_call(messages, PolicySettings(threshold=0.5, utility=tier))
        assert asked is not None
        assert (asked.without_text, asked.cause, asked.turns) == (tier, "utility", ())
    assert side_call(messages, PolicySettings(threshold=0.5, utility="score")) is None
    assert side_call(HUMAN["a task"], PolicySettings(threshold=0.5)) is None
