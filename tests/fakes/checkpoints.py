"""Small whole checkpoints of every kind, with weights drawn at random."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from routellm_core import load_encoder
from routellm_core.checkpoints.store import BUNDLED, CONFIG, WEIGHTS, Tensors, save_checkpoint
from routellm_core.encoders.static import TOKENIZER, fingerprint_of
from routellm_core.encoders.surface import SURFACE_DIM, SURFACE_VERSION
from routellm_core.routers.mf.released import RELEASED_MODELS

MODELS = ["big", "middling", "small", "tiny"]
RANK, BATTLES, TRAFFIC = 3, 40, 20
RELEASED_DIM = 1536


def mf(folder: Path) -> None:
    """Write a checkpoint of ``routellm train mf``."""
    rng = np.random.default_rng(0)
    dim = load_encoder("static").dim + SURFACE_DIM
    tensors: Tensors = {
        "P.weight": rng.normal(size=(len(MODELS), RANK)),
        "text_proj.0.weight": rng.normal(size=(RANK, dim)) / dim,
        "text_proj.0.bias": rng.normal(size=RANK),
        "classifier.0.weight": rng.normal(size=(1, RANK)),
        "features.mean": rng.normal(size=dim) / 100,
        "features.scale": rng.uniform(0.5, 1, dim),
        "traffic.features": rng.normal(size=(TRAFFIC, dim)),
    }
    save_checkpoint(folder, {k: v.astype(np.float32) for k, v in tensors.items()}, _config("mf"))


def released_mf(folder: Path, rank: int) -> None:
    """Write mf as the original release has it, for vectors of text-embedding-3-small."""
    rng = np.random.default_rng(0)
    shapes = {
        "P.weight": (len(RELEASED_MODELS), rank),
        "text_proj.0.weight": (rank, RELEASED_DIM),
        "classifier.0.weight": (1, rank),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(tensors, folder / WEIGHTS)
    sizes = {"dim": rank, "num_models": len(RELEASED_MODELS), "text_dim": RELEASED_DIM}
    config = {**sizes, "num_classes": 1, "use_proj": True}
    (folder / CONFIG).write_text(json.dumps(config))


def sw_ranking(folder: Path) -> None:
    """Write a checkpoint of ``routellm train sw_ranking``."""
    rng = np.random.default_rng(0)
    dim = load_encoder("static").dim + SURFACE_DIM
    first = np.arange(BATTLES) % len(MODELS)
    better = rng.uniform(0.4, 1, BATTLES)
    second = (first + 1 + np.arange(BATTLES) % (len(MODELS) - 1)) % len(MODELS)
    tensors: Tensors = {
        "vectors": rng.integers(-127, 128, (BATTLES, dim)).astype(np.int8),
        "first": first.astype(np.int32),
        "second": second.astype(np.int32),
        "p_first": np.where(first < second, better, 1 - better).astype(np.float32),
        "weight": np.ones(BATTLES, np.float32),
        "features.mean": np.zeros(dim, np.float32),
        "features.projection": np.eye(dim, dtype=np.float32),
        "traffic": rng.integers(-127, 128, (TRAFFIC, dim)).astype(np.int8),
    }
    save_checkpoint(folder, tensors, {**_config("sw_ranking"), "num_tiers": 4, "gamma": 10.0})


def static(folder: Path) -> None:
    """Write an encoder as ``routellm distill`` does, with the bundled one's tokenizer."""
    folder.mkdir()
    shutil.copy(BUNDLED / "static" / TOKENIZER, folder)
    rows = len(load_file(BUNDLED / "static" / WEIGHTS)["scales"])
    rng = np.random.default_rng(0)
    table = rng.integers(-127, 128, (rows, 8)).astype(np.int8)
    scales = rng.uniform(0.5, 1, rows).astype(np.float32)
    fingerprint = fingerprint_of(table, scales, (folder / TOKENIZER).read_bytes())
    save_checkpoint(folder, {"table": table, "scales": scales}, {"fingerprint": fingerprint})


def _config(router: str) -> dict[str, object]:
    return {
        "router": router,
        "strong_model": "big",
        "weak_model": "small",
        "encoder": "static",
        "encoder_fingerprint": load_encoder("static").fingerprint,
        "surface_version": SURFACE_VERSION,
        "models": MODELS,
    }
