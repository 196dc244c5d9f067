"""Run a notebook against a stand-in model, and keep its outputs.

Usage: python run_notebook.py NOTEBOOK [OUTPUT]    (into the notebook itself if no OUTPUT is named)

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


class EitherModel(StandIn):
    """Stands for the model that a request names, and says which that is."""

    def answer(self, body: dict[str, Any]) -> Answer:
        model = body["model"]
        return replace(Answer.to(body, model), text=f"This is the answer of {model}.")


def main(path: Path, output: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)
    with EitherModel("gpt-4o") as stand_in:
        os.environ.update(OPENAI_API_KEY="unused", OPENAI_BASE_URL=stand_in.url)
        os.environ["OPENAI_API_BASE"] = stand_in.url  # LlamaIndex reads this one
        NotebookClient(
            notebook,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            timeout=120,
        ).execute()
    notebook.metadata = metadata  # without the version of the Python that ran it
    nbformat.write(notebook, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[-1]))
