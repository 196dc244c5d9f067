"""`routellm push`: put a router on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def push(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Folder of the checkpoint.", exists=True, file_okay=False
        ),
    ],
    hub_id: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Its repository.")],
    public: Annotated[
        bool,
        typer.Option(
            "--public",
            help="Everyone may read it. What `routellm adapt` wrote holds features of your "
            "prompts.",
        ),
    ] = False,
) -> None:
    """Upload a router to the Hugging Face hub, with card and digest, for `checkpoint: OWNER/NAME`.

    The token is read from HF_TOKEN, or from `hf auth login`.
    """
    from ...checkpoints.hub import push_to_hub

    pushed = push_to_hub(folder, hub_id, public=public)
    typer.echo(f"pushed: checkpoint: {pushed}")
