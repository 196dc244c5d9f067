"""What clients send, in our own words: `python -m tests.fakes.client_shapes` prints the table.

A shape is a function from the human's words, oldest first, to the messages that the client sends
when the last of them was just written; or, in a loop, when a tool's result came back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from routellm_core import PolicySettings
from routellm_core.prompt.reading import asked_in

EASY = "What is the capital of France, in one word?"
HARD = "Write a thread-safe cache with expiry in C++ and prove that it is correct."
FOLLOW_UP = "That is wrong. Try again with fewer locks."
ASKS = {"easy": [EASY], "hard": [HARD], "follow-up": [HARD, FOLLOW_UP]}

Messages = list[dict[str, Any]]
Shape = Callable[[list[str]], Messages]

REMINDER = "<system-reminder>\nThe list of tasks is empty. Prove nothing.\n</system-reminder>\n"


def _user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _talk(asks: list[str], user: Callable[[str, int], list[dict[str, Any]]]) -> Messages:
    messages: Messages = [{"role": "system", "content": "You write code."}]
    for at, ask in enumerate(asks):
        messages += [*([{"role": "assistant", "content": "Done."}] if at else []), *user(ask, at)]
    return messages


def plain(asks: list[str]) -> Messages:
    return _talk(asks, lambda ask, at: [_user(ask)])


def claude_code_2(asks: list[str]) -> Messages:
    messages = _talk(asks, lambda ask, at: [_user([_text(REMINDER), _text(ask)])])
    return [*messages, {"role": "system", "content": "Mode: plan."}]


def claude_code_1(asks: list[str]) -> Messages:
    return _talk(asks, lambda ask, at: [_user([_text(REMINDER), _text(REMINDER), _text(ask)])])


def claude_code_after_compaction(asks: list[str]) -> Messages:
    blocks = (
        "<local-command-caveat>Not for you.</local-command-caveat>",
        "<command-name>/compact</command-name>\n            <command-args></command-args>",
        "<local-command-stdout>Compacted: a long proof.</local-command-stdout>",
    )
    summary = "This session is being continued from a previous conversation that ran out of context"
    first = [_user(summary + ". Summary: ..."), _user([_text(b) for b in blocks])]
    return first + plain(asks)


def claude_code_shell(asks: list[str]) -> Messages:
    command = [_user("<bash-input>ls</bash-input>"), _user("<bash-stdout>a\nb</bash-stdout>")]
    return plain(asks) + command


def claude_code_tool_result(asks: list[str]) -> Messages:
    result = {"type": "tool_result", "tool_use_id": "1", "content": "long output"}
    image = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    call = {"role": "assistant", "content": [{"type": "tool_use", "id": "1"}]}
    return [*plain(asks), call, _user([result, _text(REMINDER), image])]


def codex(asks: list[str]) -> Messages:
    context = (
        "<environment_context>\n  <cwd>/work</cwd>\nRules: prove it all.\n</environment_context>"
    )
    first = [{"role": "developer", "content": "Rules."}, _user([_input(context)])]
    return first + _talk(asks, lambda ask, at: [_user([_input(ask)])])


def _input(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text}


def codex_loop(asks: list[str]) -> Messages:
    call = {"type": "function_call", "call_id": "1", "name": "shell", "arguments": "{}"}
    return [*codex(asks), call, {"type": "function_call_output", "call_id": "1", "output": "long"}]


def codex_compacted(asks: list[str]) -> Messages:
    summary = (
        "Another language model started to solve this problem and produced a summary of it: ..."
    )
    return [*codex(asks), _user([_input(summary)])]


def opencode_plan(asks: list[str]) -> Messages:
    return _talk(asks, lambda ask, at: [_user([_text(ask), _text(REMINDER)])])


def opencode_file(asks: list[str]) -> Messages:
    called = 'Called the Read tool with the following input: {"filePath": "/src/a.py"}'
    file = "<path>/src/a.py</path>\n<content>\n1: def prove(): ...\n</content>"
    return _talk(asks, lambda ask, at: [_user([_text(called), _text(file), _text(ask)])])


def qwen_code(asks: list[str]) -> Messages:
    context = _user("This is Qwen Code. Set up the context.")
    return [context, {"role": "assistant", "content": "Got it."}, *plain(asks)]


def cline(asks: list[str]) -> Messages:
    details = "<environment_details>\n# Visible files\nproof.cpp\n</environment_details>"
    return _talk(asks, lambda ask, at: [_user([_text(ask), _text(details)])])


def goose(asks: list[str]) -> Messages:
    now = "<info-msg>\nIt is Monday.\nWorking directory: /proof\nProve it all.\n</info-msg>"
    return _talk(asks, lambda ask, at: [_user(f"{ask}\n{now}")])


def goose_loop(asks: list[str]) -> Messages:
    call = {"role": "assistant", "content": "I look.", "tool_calls": [{"id": "1"}]}
    now = _user("<info-msg>\nWorking directory: /proof\nProve it all.\n</info-msg>")
    result = {"role": "tool", "tool_call_id": "1", "content": "a long proof"}
    return [*plain(asks), call, result, now, call, result]


def goose_compacted(asks: list[str]) -> Messages:
    told = "Your context was compacted. The previous message contains a summary of it all."
    summary = [_user("## Goal\n" + "Prove it. " * 50), {"role": "assistant", "content": told}]
    return [*summary, *plain(asks)[1:]]


def gptme(asks: list[str]) -> Messages:
    nudge = _user("<system>No tool was called. Did you mean to finish? Prove it.</system>")
    return [*plain(asks), {"role": "assistant", "content": "Done."}, nudge]


def gptme_unknown_model(asks: list[str]) -> Messages:
    prompt = "<system>\nYou prove things.\n</system>\n\n"
    return _talk(asks, lambda ask, at: [_user(ask if at else prompt + ask)])


def smolagents(asks: list[str]) -> Messages:
    messages: Messages = []
    for at, ask in enumerate(asks):
        task = _text(f"New task:\n{ask}")
        seen = _text("Observation:\nExecution logs: a long proof")
        if at:
            messages += [{"role": "assistant", "content": "Done."}, _user([seen, task])]
        else:
            messages += [_user([task])]
    loop = [{"role": "assistant", "content": "Code: ..."}, _user([_text("Observation:\nmore")])]
    return messages + loop


def mini_swe_agent(asks: list[str]) -> Messages:
    result = _user("<returncode>0</returncode>\n<output>\nprove.py\n</output>")
    return [*plain(asks), {"role": "assistant", "content": "THOUGHT: look"}, result]


def mini_swe_agent_interrupted(asks: list[str]) -> Messages:
    said = (
        "The user added a new task: ",
        "Interrupted by user: ",
        "Commands not executed. The user rejected your commands with the following message: ",
    )
    error = _user("Tool call error:\n\n<error>\nNo tool calls found.\n</error>\n\nProve it all.")
    talk = _talk(asks, lambda ask, at: [_user(said[(at - 1) % 3] + ask if at else ask)])
    return [*talk, _done(), error]


def cursor_like(asks: list[str]) -> Messages:
    context = "<open_files>proof.cpp</open_files>\n"
    return _talk(asks, lambda ask, at: [_user(f"{context}<user_query>\n{ask}\n</user_query>")])


def image_of_a_tool(asks: list[str]) -> Messages:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    tool = {"role": "tool", "tool_call_id": "1", "content": "see the image"}
    return [*plain(asks), call, tool, _user([image])]


def autogen_team(asks: list[str]) -> Messages:
    said = {"role": "user", "name": "writer", "content": "A long proof of it all. " * 10}
    return _talk(asks, lambda ask, at: [{**_user(ask), "name": "user"}, said])


def openai_agents_nested(asks: list[str]) -> Messages:
    records = [f"user: {asks[0]}", 'function_call: {"name": "to_b", "arguments": "{}"}']
    for ask in asks[1:]:
        records += ["assistant: A long proof. 2. Of it all.", f"user (Ann): {ask}"]
    records.append(json.dumps({"role": "assistant", "content": "To the other:\n1. user: prove it"}))
    history = "\n".join(f"{at}. {record}" for at, record in enumerate(records, 1))
    told = "For context, here is the conversation so far between the user and the previous agent:"
    text = f"{told}\n<CONVERSATION HISTORY>\n{history}\n</CONVERSATION HISTORY>"
    return [{"role": "system", "content": "You prove."}, {"role": "assistant", "content": text}]


def smolagents_plan(asks: list[str]) -> Messages:
    rules = "You are a world expert at analyzing a situation to derive facts, and plan accordingly"
    before = f"{rules}.\n{'Prove it. ' * 50}\n---\nNow begin! Here is your task:\n```\n"
    after = "\n```\nFirst in part 1, write the facts survey, then in part 2, write your plan."
    first = _user([_text(before + asks[0] + after)])
    return [first, *(m for ask in asks[1:] for m in (_done(), _user([_text(f"New task:\n{ask}")])))]


def smolagents_planned(asks: list[str]) -> Messages:
    steps = (
        "Now proceed and carry out this plan.",
        "Now write your updated facts below, taking into account the above history:\n## 1. Facts",
    )
    talk = _talk(asks, lambda ask, at: [_user([_text(f"New task:\n{ask}")])])
    return [*talk, *(m for step in steps for m in (_done(), _user([_text(step)])))]


def smolagents_managed(asks: list[str]) -> Messages:
    begin = "You're a helpful agent named 'x'.\nYou have been submitted this task by your manager."
    end = "You're helping your manager solve a wider task: so " + "prove it all " * 50
    return _talk(
        asks, lambda ask, at: [_user(f"New task:\n{begin}\n---\nTask:\n{ask}\n---\n{end}")]
    )


def deepagents(asks: list[str]) -> Messages:
    summary = (
        "You are in the middle of a conversation that has been summarized.\n\nThe full "
        "conversation history has been saved to /history.md should you need to refer back to it "
        "for details.\n\nA condensed summary follows:\n\n<summary>\nProve it.\n</summary>"
    )
    skill = '<skill name="proofs" path="/skills/proofs/SKILL.md">\nProve it by induction.\n</skill>'
    graded = (
        "A grader reviewed your work against the rubric and asked for revisions before we can "
        "finish.\n\nCriteria that still need work:\n- proof: prove it"
    )
    done = {"role": "assistant", "content": "Done."}
    return [_user(summary), *plain(asks), _user(skill), done, _user(graded)]


def deepagents_fork(asks: list[str]) -> Messages:
    preamble = (
        "[The messages above are a prior conversation you are continuing as the subagent that was "
        "just invoked. Prove nothing. Your actual task is below.]\n\n"
    )
    *before, last = plain(asks)
    return [*before, _user(preamble + last["content"])]


def summarised_by_langchain(asks: list[str]) -> Messages:
    return [_user("Here is a summary of the conversation to date:\n\nA proof."), *plain(asks)]


def aider(asks: list[str]) -> Messages:
    rules = "\n\n# *SEARCH/REPLACE block* Rules:\n\n" + "Every block is exact. " * 100
    files = "I have *added these files to the chat* so you can edit them.\n\nproof.cpp\n..."
    example = [_user("Change f() so that it calls g()"), {"role": "assistant", "content": "Ok."}]
    talk = _talk(asks, lambda ask, at: [_user(ask)])
    last = _user(asks[-1] + rules)
    added = [_user(files), {"role": "assistant", "content": "Ok, any changes I propose ..."}]
    return [*talk[:1], *example, *talk[1:-1], *added, last]


def aider_whole_files(asks: list[str]) -> Messages:
    rules = "\n\nTo suggest changes to a file you MUST return all of it. " + "Prove it. " * 100
    talk = _talk(asks, lambda ask, at: [_user(ask)])
    return [*talk[:-1], _user(asks[-1] + rules)]


def mini_swe_agent_task(asks: list[str]) -> Messages:
    rules = "You can execute bash commands and edit files.\n\n## Workflow\n\n" + "Prove it. " * 100
    first = _user(f"Please solve this issue: {asks[0]}\n\n{rules}")
    return [first, *(m for ask in asks[1:] for m in (_done(), _user(ask)))]


def swe_bench(asks: list[str]) -> Messages:
    task = f"<pr_description>\nConsider the following PR description:\n{asks[0]}\n</pr_description>"
    first = _user(f"{task}\n\n<instructions>\n" + "Prove it. " * 100 + "</instructions>")
    return [first, *(m for ask in asks[1:] for m in (_done(), _user(ask)))]


def _done() -> dict[str, Any]:
    return {"role": "assistant", "content": "Done."}


def dspy(asks: list[str]) -> Messages:
    fields = "\n\n[[ ## trajectory ## ]]\nthought: prove it" * 3
    return _talk(asks, lambda ask, at: [_user(f"[[ ## question ## ]]\n{ask}{fields}")])


def dspy_predict(asks: list[str]) -> Messages:
    form = "Respond with the corresponding output fields, starting with the field `[[ ## a ## ]]`."
    return _talk(asks, lambda ask, at: [_user(f"[[ ## question ## ]]\n{ask}\n\n{form}")])


def dspy_rag(asks: list[str]) -> Messages:
    context = "[[ ## context ## ]]\n" + "a proof " * 100
    form = "Respond with a JSON object in the following order of fields: `answer`."
    return _talk(
        asks, lambda ask, at: [_user(f"{context}\n\n[[ ## question ## ]]\n{ask}\n\n{form}")]
    )


def crewai(asks: list[str]) -> Messages:
    form = "\n\nProvide your complete response:"
    return _talk(asks, lambda ask, at: [_user(f"\nCurrent Task: {ask}{form}")])


def crewai_crew(asks: list[str]) -> Messages:
    form = (
        "\n\nThis is the expected criteria for your final answer: A proof of it all.\nyou MUST ..."
        "\n\nThis is the context you're working with:\n" + "a proof " * 100
    )
    return _talk(asks, lambda ask, at: [_user(f"\nCurrent Task: {ask}{form}")])


def open_webui_rag(asks: list[str]) -> Messages:
    task = "### Task:\nRespond to the user query using the provided context.\n\n### Guidelines:\n"
    context = f"{task}<context>\n{'a proof ' * 100}\n</context>\n\n"
    return _talk(asks, lambda ask, at: [_user(f"{context}<user_query>\n{ask}\n</user_query>")])


def open_webui_rag_bare(asks: list[str]) -> Messages:
    task = "### Task:\nRespond to the user query using the provided context.\n"
    context = f"{task}<context>\n{'a proof ' * 100}\n</context>\n\n"
    return _talk(asks, lambda ask, at: [_user(context + ask)])


RIGHT: dict[str, Shape] = {
    "chat (Open WebUI, llm, Continue)": plain,
    "Claude Code 2": claude_code_2,
    "Claude Code 1": claude_code_1,
    "Claude Code, after compaction": claude_code_after_compaction,
    "Claude Code, shell command": claude_code_shell,
    "Claude Code, tool result": claude_code_tool_result,
    "Codex": codex,
    "Codex, tool result": codex_loop,
    "Codex, after compaction": codex_compacted,
    "opencode, plan mode": opencode_plan,
    "opencode, with a file": opencode_file,
    "Qwen Code": qwen_code,
    "Cline": cline,
    "Goose": goose,
    "Goose, in its loop": goose_loop,
    "Goose, after compaction": goose_compacted,
    "gptme, nudge": gptme,
    "gptme, unknown model": gptme_unknown_model,
    "smolagents, in its loop": smolagents,
    "mini-swe-agent, tool result": mini_swe_agent,
    "mini-swe-agent, interrupted": mini_swe_agent_interrupted,
    "editor with user_query": cursor_like,
    "image of a tool": image_of_a_tool,
    "AutoGen, a team": autogen_team,
    "openai-agents, nested history": openai_agents_nested,
    "smolagents, a plan": smolagents_plan,
    "smolagents, after a plan": smolagents_planned,
    "smolagents, a managed agent": smolagents_managed,
    "LangChain's summary": summarised_by_langchain,
    "deepagents": deepagents,
    "deepagents, a fork": deepagents_fork,
    "Open WebUI, RAG": open_webui_rag,
    "Open WebUI, RAG without a tag": open_webui_rag_bare,
}
"""The human's words are found."""

UNTAGGED: dict[str, tuple[Shape, dict[str, str]]] = {
    "CrewAI": (crewai, {"extract": "crewai"}),
    "CrewAI, a crew's task": (crewai_crew, {"extract": "crewai"}),
    "aider": (aider, {"ignore": "aider"}),
    "aider, whole files": (aider_whole_files, {"ignore": "aider"}),
    "mini-swe-agent, task": (mini_swe_agent_task, {"extract": "mini-swe-agent"}),
    "mini-swe-agent, SWE-bench": (swe_bench, {"extract": "swe-bench"}),
    "DSPy, ReAct": (dspy, {"extract": "dspy"}),
    "DSPy, a question alone": (dspy_predict, {"extract": "dspy"}),
    "DSPy, a question after its context": (dspy_rag, {"extract": "dspy"}),
}
"""Templates without tags that the core knows, and the setting that finds the human's words."""


def settings_of(setting: dict[str, str]) -> PolicySettings:
    """Return settings with one for templates."""
    return PolicySettings.model_validate({"threshold": 0.5, **setting})


def main() -> None:
    """Print what is scored of each shape."""
    table = Table("client", "setting", *ASKS, title="what is scored")
    plain: dict[str, tuple[Shape, dict[str, str]]] = {
        name: (each, {}) for name, each in RIGHT.items()
    }
    without = {name: (shape, {}) for name, (shape, _) in UNTAGGED.items()}
    for rows in (plain, without, UNTAGGED):
        for name, (shape, setting) in rows.items():
            cells = []
            for asks in ASKS.values():
                turns = asked_in(shape(asks), settings_of(setting)).turns
                scored = (turns or ("",))[-1]
                cells.append("the ask" if scored == asks[-1] else scored[:30] + "...")
            said = ", ".join(f"{key}: {value}" for key, value in setting.items())
            table.add_row(name, said, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
