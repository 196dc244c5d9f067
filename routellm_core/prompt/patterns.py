"""Find the human's words in templates that only the user's application, or one client, writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from ..errors import did_you_mean

IGNORE: Mapping[str, str] = {
    # Rules after the ask, and messages that list files.
    "aider": (
        r"\n\n(?:# \*SEARCH/REPLACE block\* Rules:|# File editing rules:"
        r"|To suggest changes to a file you MUST return ).*\Z"
        r"|\A(?:I have \*added these files to the chat\*"
        r"|I am not sharing any files that you can edit yet"
        r"|Here are summaries of some files present in my git repo"
        r"|Here are some READ ONLY files).*\Z"
    ),
}
"""Ready patterns of what is no word of the human, by the name of the client."""

EXTRACT: Mapping[str, str] = {
    # The description of a task; what is expected and what was found so far follow it.
    "crewai": (
        r"\A\nCurrent Task: (.*?)(?:\n\n(?:This is the (?:expected criteria for your final answer|"
        r"context you're working with):|Provide your complete response:|Begin! This is VERY "
        r"important|# Memories from past conversations:)|\Z)"
    ),
    # The question among other fields; what the answer is to look like follows the last field.
    "dspy": (
        r"(?:\A|\n\n)\[\[ ## question ## \]\]\n(.*?)"
        r"(?:\n\n\[\[ ## |\n\nRespond with (?:the corresponding output fields|a JSON object)|\Z)"
    ),
    "mini-swe-agent": r"\APlease solve this issue: (.*?)\n\nYou can execute bash commands",
    "swe-bench": (
        r"\A<pr_description>\n?(?:Consider the following PR description:\n?)?"
        r"(.*?)</pr_description>"
    ),
}
"""Ready patterns whose group is the human's words, by the name of the client. Clients' texts come
from anywhere, so each takes time linear in the text: nothing that repeats stands beside ``.*?``."""

_NAME = re.compile(r"[a-z][a-z0-9-]*")


class Patterns:
    """What of a user message is the human's.

    Args:
        ignore: what is left out; of each message all that matches.
        extract: whose first group is the human's words, of a message that matches; the first
            that matches counts, and what does not match stays.
    """

    def __init__(self, ignore: Iterable[str], extract: Iterable[str]) -> None:
        self._ignore = [re.compile(each, re.DOTALL) for each in ignore]
        self._extract = [re.compile(each, re.DOTALL) for each in extract]

    def human(self, text: str) -> str:
        """Return the human's words in a user message; ``""`` if there are none."""
        for pattern in self._extract:
            found = pattern.search(text)
            if found is not None:
                text = (found[1] or "").strip()
                break
        for pattern in self._ignore:
            rest = pattern.sub("", text)
            if rest != text:
                text = rest.strip()
        return text


@lru_cache(maxsize=256)
def patterns_of(ignore: tuple[str, ...], extract: tuple[str, ...]) -> Patterns | None:
    """Return the patterns of settings; None if there are none."""
    if not ignore and not extract:
        return None
    return Patterns(
        [IGNORE.get(each, each) for each in ignore], [EXTRACT.get(each, each) for each in extract]
    )


def check_pattern(pattern: str, ready: Mapping[str, str], groups: int) -> None:
    """Make sure that a pattern can be used.

    Args:
        pattern: a regular expression, or the name of one in ``ready``.
        ready: ready patterns.
        groups: the least number of groups.

    Raises:
        ValueError: it is not a regular expression, has too few groups, matches the empty text, or
            looks like a name that is not in ``ready``.
    """
    if pattern in ready:
        return
    if _NAME.fullmatch(pattern):
        raise ValueError(
            f"there is no predefined pattern '{pattern}': {did_you_mean(pattern, ready)}"
        )
    try:
        compiled = re.compile(pattern, re.DOTALL)
    except re.error as error:
        raise ValueError(f"'{pattern}' is not a regular expression ({error})") from None
    if compiled.groups < groups:
        raise ValueError(f"'{pattern}' has no group: put the part with the user's words in (...)")
    if compiled.fullmatch(""):
        raise ValueError(f"'{pattern}' matches empty text: add what surrounds the words")
