"""Talk with this repository's documentation; each turn is routed by its own words.

Usage: OPENAI_API_KEY=sk-... python chat_engine.py; an empty line, Ctrl-D or Ctrl-C ends it.
"""

from __future__ import annotations

from contextlib import suppress

from docs_index import PrintDecisions, docs_index
from llama_index.core import Settings
from llama_index.llms.openai import OpenAI

from routellm_core import register_plugin
from routellm_plugins.llama_index import RouteLLM


def main() -> None:
    Settings.llm = RouteLLM(strong=OpenAI("gpt-4o"), weak=OpenAI("gpt-4o-mini"), strong_share=0.3)
    register_plugin(PrintDecisions())
    chat_engine = docs_index().as_chat_engine(chat_mode="context", similarity_top_k=3)
    with suppress(EOFError, KeyboardInterrupt):
        while message := input("> "):
            for token in chat_engine.stream_chat(message).response_gen:
                print(token, end="", flush=True)
            print("\n")


if __name__ == "__main__":
    main()
