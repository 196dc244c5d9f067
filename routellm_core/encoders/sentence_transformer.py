"""Sentence embeddings from any model of the sentence-transformers library."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.store import Checkpoint, find_checkpoint
from ..contracts import Encoder
from ..errors import CheckpointError
from ..optional import require
from ..prompt.excerpt import MOST_CHARACTERS, readable

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CHARACTERS_PER_TOKEN = 3
"""So many characters are read for each token that the model accepts: fewer than a token usually
has, so that the model, which cuts off the rest, reaches the end of the excerpt."""

_BATCH = 32

_MODULES = "modules.json"
"""Lists the parts of a model. A folder without it is a plain model of transformers."""

_READ = (".safetensors", ".json", ".txt")
"""Endings of files on whose content the vectors may depend."""

_PROBE = "The quick brown fox jumps over the lazy dog."


class SentenceTransformerEncoder(Encoder):
    """Unit vectors from a neural network, in float32, on a GPU if there is one.

    Of a prompt of more than three characters for each token that the model accepts, or of more
    than 16,384, the beginning and the end are read, with "?" for lone surrogates. Thread-safe: one
    call encodes at a time, on all of torch's threads. Weights are read only from safetensors, and
    no code from a model is run.

    Args:
        model: a folder, or a Hugging Face id ``owner/name``, which is downloaded.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        CheckpointError: the model does not exist, or is damaged, incomplete or pickled.
    """

    def __init__(self, model: Checkpoint) -> None:
        folder = find_checkpoint(model)
        _refuse_pickle(folder)
        self.fingerprint = _fingerprint_of(folder)
        self._encoding = threading.Lock()
        self._model = _load(folder)
        first = self._vectors([_PROBE])
        # transformers initialises missing weights at random and only logs it.
        self._model = _load(folder)
        probed = self._vectors([_PROBE])
        if not np.isfinite(probed).all() or not np.allclose(first, probed, atol=1e-4):
            raise CheckpointError(
                f"{folder} is incomplete: some weights are missing or NaN, so that loading it "
                "twice gives different vectors: restore the folder"
            )
        self.dim = probed.shape[1]
        tokens = self._model.max_seq_length or MOST_CHARACTERS
        self._most = min(CHARACTERS_PER_TOKEN * tokens, MOST_CHARACTERS)

    def encode(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector per prompt: shape (n, dim), each of length 1 or all zero."""
        if not len(prompts):
            return np.zeros((0, self.dim), np.float32)
        return self._vectors([readable(prompt, self._most) for prompt in prompts])

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        with self._encoding:  # the tokenizer's padding is state that threads would share
            vectors = self._model.encode(
                texts, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True
            )
        return np.asarray(vectors, np.float32)


def _load(folder: Path) -> SentenceTransformer:
    library: Any = require(
        "sentence_transformers", "sentence-transformers", "the encoder 'sentence_transformer'"
    )
    logging: Any = import_module("transformers.utils.logging")
    shows_progress = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model: SentenceTransformer = library.SentenceTransformer(
            str(folder),
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # the libraries below have no error of their own
        raise CheckpointError(
            f"{folder} cannot be read as a sentence-transformers model "
            f"({type(error).__name__}: {error}): restore it, or name another model"
        ) from error
    finally:
        if shows_progress:
            logging.enable_progress_bar()
    return model.float().eval()


def _refuse_pickle(folder: Path) -> None:
    for part in _parts(folder):
        pickled = next(part.glob("*.bin"), None)
        if pickled and not any(part.glob("*.safetensors")):
            raise CheckpointError(
                f"{pickled} is pickled, and only safetensors are read: convert it with "
                "model.save_pretrained(folder, safe_serialization=True)"
            )


def _fingerprint_of(folder: Path) -> str:
    """Return the name of a model: it changes with any byte of what the vectors depend on."""
    digest = hashlib.sha256()
    files = (path for part in _parts(folder) for path in part.iterdir() if path.suffix in _READ)
    for path in sorted(files, key=lambda path: path.relative_to(folder).as_posix()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"sentence_transformer:{digest.hexdigest()[:16]}"


def _parts(folder: Path) -> Iterator[Path]:
    """Yield the folders that hold the model's modules, each once."""
    modules = folder / _MODULES
    paths = {""}
    if modules.is_file():
        try:
            paths |= {str(module["path"]) for module in json.loads(modules.read_bytes())}
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{modules} is damaged ({error!r}): restore it") from error
    return (folder / path for path in sorted(paths) if (folder / path).is_dir())
