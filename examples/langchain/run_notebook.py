"""Run the notebook against a stand-in model, and keep its outputs.

Usage: python run_notebook.py [OUTPUT]    (into routing.ipynb itself if no other file is named)

Needs nbclient and ipykernel.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from routellm_plugins.demo.standin import StandIn
from routellm_plugins.demo.standin.answers import Answer

NOTEBOOK = Path(__file__).with_name("routing.ipynb")


class EitherModel(StandIn):
    """Stands for the model that a request names, and says which that is."""

    def answer(self, body: dict[str, Any]) -> Answer:
        model = body["model"]
        return replace(Answer.to(body, model), text=f"This is the answer of {model}.")


def main() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    metadata = dict(notebook.metadata)
    with EitherModel("gpt-4o") as stand_in:
        os.environ.update(OPENAI_API_KEY="unused", OPENAI_BASE_URL=stand_in.url)
        NotebookClient(
            notebook,
            resources={"metadata": {"path": str(NOTEBOOK.parent)}},
            record_timing=False,
            timeout=120,
        ).execute()
    notebook.metadata = metadata  # without the version of the Python that ran it
    nbformat.write(notebook, sys.argv[1] if len(sys.argv) > 1 else NOTEBOOK)


if __name__ == "__main__":
    main()
