"""Cosines with many vectors: of every kind of number, one prompt or many, threads and forks."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from routellm_core.routers.sw_ranking import directions
from routellm_core.routers.sw_ranking.directions import Directions, shortened

COUNT, DIM = 1_000, 37
FORK = """
import os
import numpy as np
from routellm_core.routers.sw_ranking import directions
directions.INSTANT_SIZE = 0
rng = np.random.default_rng(0)
stored = directions.Directions(rng.normal(size=(5000, 64)).astype(np.float32))
query = rng.normal(size=(1, 64))
before = stored.cosines(query)
child = os.fork()
if not child:
    os._exit(0 if (stored.cosines(query) == before).all() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def _vectors(count: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(count, DIM))


def _cosines(vectors: NDArray[Any], others: NDArray[Any]) -> NDArray[np.float64]:
    units = [
        each.astype(np.float64) / np.linalg.norm(each.astype(np.float64), axis=1, keepdims=True)
        for each in (vectors, others)
    ]
    return np.einsum("ik,jk->ij", *units)


@pytest.mark.parametrize("others", [1, 2, 64, 300])
@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32, np.float64])
def test_cosines_are_those_of_the_formula(dtype: type, others: int) -> None:
    vectors = (20 * _vectors(COUNT)).astype(dtype)
    found = Directions(vectors).cosines(_vectors(others, 1))
    np.testing.assert_allclose(found, _cosines(vectors, _vectors(others, 1)), atol=1e-6)


def test_threads_and_small_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, query = _vectors(COUNT).astype(np.float32), _vectors(1, 1)
    whole = Directions(vectors).cosines(query)
    monkeypatch.setattr(directions, "INSTANT_SIZE", 0)
    monkeypatch.setattr(directions, "_BLOCK", 3_000)
    divided = Directions(vectors)
    assert not divided.instant
    assert (divided.cosines(query) == whole).all()


def test_what_resembles_nothing_has_cosine_0() -> None:
    vectors = _vectors(4).astype(np.float32)
    vectors[1] = 0
    assert (Directions(vectors).cosines(_vectors(3, 1))[1] == 0).all()
    assert (Directions(vectors).cosines(np.zeros((1, DIM))) == 0).all()
    assert Directions(vectors).cosines(np.zeros((0, DIM))).shape == (4, 0)
    assert Directions(vectors[:0]).cosines(_vectors(2)).shape == (0, 2)


def test_short_vectors_keep_their_direction() -> None:
    vectors = _vectors(COUNT).astype(np.float32)
    cosines = (Directions(shortened(vectors)).cosines(vectors)).diagonal()
    assert cosines.min() > 0.999


def test_numbers_stay_where_they_are_unless_they_are_long() -> None:
    for dtype in (np.int8, np.float16, np.float32):
        vectors = _vectors(COUNT).astype(dtype)
        assert Directions(vectors).vectors is vectors
    assert Directions(_vectors(COUNT)).vectors.dtype == np.float32


@pytest.mark.skipif(sys.platform == "win32", reason="has no fork")
def test_a_fork_has_threads_of_its_own() -> None:
    """A gateway's workers are forked from a process that may have scored already."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "0"
