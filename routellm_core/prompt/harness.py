"""Recognise what agent harnesses write into user messages: reminders, state, output of tools.

The names and beginnings below are those of public clients. A harness that is not listed yet is a
line in one of the tuples.
"""

from __future__ import annotations

from collections.abc import Mapping

from .blocks import without_blocks

WRAPPERS = ("skill", "system")
"""Tags whose blocks are left out, beside every tag with ``-`` or ``_`` in its name, such as
``<system-reminder>`` or ``<environment_details>``."""

HUMAN_TAGS = ("command-args", "user_input", "user_message", "user_prompt", "user_request")
HUMAN_ENDS = ("problem", "problem_statement", "question", "query")
"""Tags with ``-`` or ``_`` that hold the human's own words, and how others of them end, such as
``<user_query>``: only the tags are left out."""

CLIENT_TAGS = (
    *("additional_data", "attached_files", "bash-", "command-", "current_", "environment_", "git_"),
    *("info-msg", "local-command-", "open_files", "project_", "recently_", "skill", "system"),
    *("user_info", "user_instructions", "user_rules", "workspace_"),
)
"""How tags with ``-`` or ``_`` begin that clients write. Blocks of others may be an application's
data."""

HARNESS_PARTS = ("Called the ", "<path>")
"""How a part begins that a client puts beside the human's part: a file that was read."""

TOOL_RESULTS = ("Observation:", "<returncode>", "TOOL RESPONSE:", "Tool call error:\n\n<error>")
"""How a user message begins that holds a tool's result, if it follows an answer of the model."""

TOOL_MEDIA = ("Reading first ", "Reading [")
"""How a user message begins that shows what a tool read, right after the tool's own message: frames
of a video, each under its time (deepagents)."""

SUMMARIES = (
    "Another language model started to solve this problem and produced a summary",
    "Here is a summary of the conversation to date:",
    "You are in the middle of a conversation that has been summarized.",
    "This session is being continued from a previous conversation that ran out of context",
)
"""How a user message begins that holds a summary of earlier turns (Codex, LangChain, deepagents,
Claude Code)."""

TAKEN_NOTE = (
    "The previous message contains a summary",
    "Your context was compacted",
    "Okay, please provide the passages.",
    "Received passage [",
)
"""How an answer begins, not written by a model, that says of the message before that it is no
question: a summary (Goose), a passage that will have to be ranked (LlamaIndex's RankGPTRerank)."""

STEPS = (
    "Now proceed and carry out this plan.",
    "Now write your updated facts below, taking into account the above history:",
    "Fantastic. To address this request we have assembled the following team:",
    "Please briefly explain what went wrong on this last run (the root cause of the failure)",
    "You have reached the maximum number of iterations (",
    "A grader reviewed your work ",
    "We have the opportunity to refine the existing answer (only if needed) with some more context",
)
"""How a user message begins by which a program takes an agent through its task (smolagents with
``planning_interval``, AutoGen's MagenticOne, LlamaIndex, deepagents), or a chain that refines an
answer (LangChain)."""

FRAMES = (
    # smolagents: a plan, a task for a managed agent, an answer after the last step.
    (
        "You are a world expert at analyzing a situation to derive facts, and plan accordingly",
        "\nNow begin! Here is your task:\n```\n",
        "\n```\nFirst in part 1, write the facts survey",
    ),
    (
        "You're a helpful agent named '",
        "\nYou have been submitted this task by your manager.\n---\nTask:\n",
        "\n---\nYou're helping your manager solve a wider task",
    ),
    ("Based on the above, please provide an answer to the following user task:\n", "", ""),
    # deepagents: a subagent that goes on with its caller's conversation.
    (
        "[The messages above are a prior conversation you are continuing as the subagent",
        "Your actual task is below.]\n\n",
        "",
    ),
    # mini-swe-agent: what its user says while it works.
    ("The user added a new task: ", "", ""),
    ("Interrupted by user: ", "", ""),
    (
        "Commands not executed. The user rejected your commands with the following message: ",
        "",
        "",
    ),
    # MagenticOne: what is known, the plan, progress, another plan, the answer.
    (
        "Below I will present you a request. Before we begin addressing the request, please answer",
        "\n\nHere is the request:\n\n",
        "\n\nHere is the pre-survey:\n\n",
    ),
    (
        "We are working to address the following user request:\n\n",
        "",
        "\n\n\nTo answer this request we have assembled the following team:\n\n",
    ),
    (
        "Recall we are working on the following request:\n\n",
        "",
        "\n\nAnd we have assembled the following team:\n\n",
    ),
    (
        "As a reminder, we are working to solve the following task:\n\n",
        "",
        "\n\nIt's clear we aren't making as much progress as we would like,",
    ),
    (
        "We are working on the following task:\n",
        "",
        "\n\nWe have completed the task.\n\nThe above messages contain the conversation",
    ),
)
"""How a message begins that a program writes around a task, and what stands before and after the
task there."""

NEW_TASK = "New task:\n"
"""What smolagents writes before the human's words, also where it appends them to a result."""


def without_harness(text: str) -> str:
    """Return ``text`` without the blocks of harnesses, stripped if there were any."""
    return without_blocks(text, _is_of_harness, _is_of_human)


def data_in(text: str) -> str:
    """Return what is in a text besides the blocks of clients; ``""`` if there is nothing.

    Args:
        text: a message that consists of blocks.
    """
    return without_blocks(text, lambda name: name.startswith(CLIENT_TAGS), lambda name: False)


def is_harness_part(text: str) -> bool:
    """Whether a part of a message of several parts was put there by a client."""
    return text.lstrip()[:80].startswith(HARNESS_PARTS)


def is_of_harness(text: str) -> bool:
    """Whether a user message holds a summary of earlier turns, or only leads to the next step."""
    return text.lstrip()[:200].startswith((*SUMMARIES, *STEPS))


def takes_note(content: object) -> bool:
    """Whether an answer says that the message before it is no question, but a summary or data."""
    if isinstance(content, list) and content and isinstance(content[0], Mapping):
        content = content[0].get("text")
    return isinstance(content, str) and content.startswith(TAKEN_NOTE)


def framed(text: str) -> str | None:
    """Return the task that a program wrote the rest of a message around; None if there is none."""
    text = text.lstrip("\n")
    for start, before, after in FRAMES:
        if not text.startswith(start):
            continue
        begin = text.find(before, len(start))
        end = text.find(after, begin) if after else len(text)
        if begin >= 0 and end >= 0:
            return text[begin + len(before) : end].strip()
    return None


def is_tool_result(text: str) -> bool:
    """Whether a user message that follows an answer holds a tool's result."""
    return text.lstrip()[:80].startswith(TOOL_RESULTS)


def is_tool_media(text: str) -> bool:
    """Whether a user message that follows a tool's message shows what the tool read."""
    return text.startswith(TOOL_MEDIA)


def new_task(text: str, appended: bool) -> str | None:
    """Return the human's words after ``NEW_TASK``; None if the text has none.

    Args:
        text: of a user message.
        appended: whether they may follow a tool's result, not only begin the text.
    """
    if text.startswith(NEW_TASK):
        return text[len(NEW_TASK) :]
    at = text.rfind("\n" + NEW_TASK) if appended else -1
    return text[at + 1 + len(NEW_TASK) :] if at >= 0 else None


def _is_of_harness(name: str) -> bool:
    return "-" in name or "_" in name or name in WRAPPERS


def _is_of_human(name: str) -> bool:
    return name in HUMAN_TAGS or (_is_of_harness(name) and name.endswith(HUMAN_ENDS))
