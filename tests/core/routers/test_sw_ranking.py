"""The sw_ranking router: the formula, tiers, and battles that cannot be ranked."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from routellm_core import load_encoder, load_router
from routellm_core.errors import ConfigError, DataError
from routellm_core.routers.sw_ranking import directions
from routellm_core.routers.sw_ranking.bradley_terry import fit_strengths, tiers_of
from routellm_core.routers.sw_ranking.router import SWRankingRouter
from routellm_core.routers.sw_ranking.tally import Battles, order_of

MODELS = [f"m{number}" for number in range(12)]


def _battles(count: int = 600) -> list[dict[str, Any]]:
    """Battles in which the lower number tends to win, with ties."""
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(count):
        a, b = rng.choice(len(MODELS), 2, replace=False)
        p_a = 1 / (1 + np.exp(0.3 * (a - b)))
        winner = rng.choice(["model_a", "model_b", "tie"], p=[0.8 * p_a, 0.8 * (1 - p_a), 0.2])
        rows.append({"model_a": MODELS[a], "model_b": MODELS[b], "winner": str(winner)})
    return rows


def _vectors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def router() -> SWRankingRouter:
    return SWRankingRouter(_battles(), _vectors(600, 0), strong_model="m0", weak_model="m9")


def test_strengths_give_the_odds_of_two_players() -> None:
    strengths = fit_strengths(np.array([[0.0, 30.0], [10.0, 0.0]]))
    assert strengths[0] - strengths[1] == pytest.approx(np.log(3), abs=1e-6)


def test_strengths_are_where_the_likelihood_is_flat() -> None:
    wins = np.random.default_rng(0).uniform(0, 50, (4, 6, 6))
    strengths = fit_strengths(wins)
    expected = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))
    surplus = wins - (wins + wins.swapaxes(1, 2)) * expected
    surplus *= 1 - np.eye(6)
    assert surplus.sum(axis=2) == pytest.approx(np.zeros((4, 6)), abs=1e-4)


@pytest.mark.parametrize(
    "wins", [[[0, 5], [0, 0]], [[0, 0], [0, 0]], [[0, 1e9, 0], [1e-9, 0, 0], [0, 0, 0]]]
)
def test_strengths_stay_finite(wins: list[list[float]]) -> None:
    strengths = fit_strengths(np.array(wins, np.float64))
    assert np.isfinite(strengths).all()
    assert (np.abs(strengths) < 50).all()


def test_whole_steps_of_newton_would_run_away_and_these_do_not() -> None:
    wins = np.array(
        [
            [0.0, 0.0, 0.0, 0.003745],
            [24.64, 0.0, 5512.29, 0.0],
            [0.0, 1.246e-05, 0.0, 16.0938],
            [0.001038, 0.0122566, 0.0, 0.0],
        ]
    )
    strengths = fit_strengths(wins)
    assert (np.abs(strengths) < 30).all()
    expected = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    surplus = (wins - (wins + wins.T) * expected) * (1 - np.eye(4))
    assert surplus.sum(axis=1) == pytest.approx(np.zeros(4), abs=1e-3)


def test_tiers_have_the_least_variance_of_all_ways_to_cut() -> None:
    strengths = np.random.default_rng(1).normal(size=9)
    ordered = np.sort(strengths)[::-1]

    def cost(cuts: tuple[int, ...]) -> float:
        return sum(part.var() for part in np.split(ordered, cuts))

    best = min(itertools.combinations(range(1, 9), 3), key=cost)
    expected = np.repeat(np.arange(4), [len(part) for part in np.split(ordered, best)])
    assert tiers_of(strengths, 4)[np.argsort(-strengths)].tolist() == expected.tolist()


def test_few_models_have_a_tier_each() -> None:
    assert tiers_of(np.array([0.0, 2.0, 1.0]), 10).tolist() == [2, 0, 1]


def test_similar_prompts_decide() -> None:
    """On one kind of prompt the strong model always wins, on the other it wins half the time."""
    battles = [{"model_a": "s", "model_b": "w", "p_a": p} for p in [1.0] * 50 + [0.5] * 50]
    vectors = np.repeat(np.eye(2, dtype=np.float32), 50, axis=0)
    router = SWRankingRouter(battles, vectors, strong_model="s", weak_model="w")
    # Weights 100 and 10: (100 + 10 / 2) and (10 + 100 / 2) of 110 are won.
    assert router.score_embeddings(np.eye(2)) == pytest.approx([105 / 110, 60 / 110], abs=1e-6)


def test_gamma_sharpens() -> None:
    battles = [{"model_a": "s", "model_b": "w", "p_a": p} for p in (1.0, 0.0)]
    scores = [
        SWRankingRouter(
            battles, np.eye(2), strong_model="s", weak_model="w", gamma=gamma
        ).score_embeddings(np.array([[1, 0]]))[0]
        for gamma in (3, 99)
    ]
    assert scores == pytest.approx([0.75, 0.99], abs=1e-6)


def test_a_battle_that_weighs_twice_is_two_battles() -> None:
    rows, vectors = _battles(), _vectors(600, 0)
    columns = Battles.of(rows)
    twice = Battles(
        columns.models, columns.first, columns.second, columns.p_first, np.full(600, 1.0)
    )
    twice.weight[:100] = 2
    options = {"strong_model": "m0", "weak_model": "m9"}
    weighed = SWRankingRouter(twice, vectors, **options)
    repeated = SWRankingRouter(rows + rows[:100], np.vstack([vectors, vectors[:100]]), **options)
    queries = _vectors(5, 1)
    assert weighed.score_embeddings(queries) == pytest.approx(
        repeated.score_embeddings(queries), abs=1e-7
    )


def test_only_directions_count(router: SWRankingRouter) -> None:
    queries = _vectors(5, 1)
    longer = SWRankingRouter(
        _battles(), _vectors(600, 0) * 7, strong_model="m0", weak_model="m9"
    ).score_embeddings(queries * 0.1)
    assert router.score_embeddings(queries) == pytest.approx(longer, abs=1e-6)


def test_a_batch_gives_what_its_rows_give_alone(router: SWRankingRouter) -> None:
    queries = _vectors(150, 2)
    alone = [router.score_embeddings(query[None])[0] for query in queries]
    assert router.score_embeddings(queries) == pytest.approx(alone, abs=1e-6)
    assert router.score_embeddings(queries[:0]).shape == (0,)


def test_threads_that_share_the_work_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(directions, "_BLOCK", 3_000)
    rows = _battles(1500)
    many = SWRankingRouter(rows, _vectors(1500, 0), strong_model="m0", weak_model="m9")
    queries = _vectors(70, 1)
    alone = many.score_embeddings(queries), many.score_embeddings(queries[:1])
    monkeypatch.setattr(directions, "INSTANT_SIZE", 0)
    divided = SWRankingRouter(rows, _vectors(1500, 0), strong_model="m0", weak_model="m9")
    assert len(list(directions._blocks(divided._directions.vectors, 23))) > directions._THREADS
    shared = divided.score_embeddings(queries), divided.score_embeddings(queries[:1])
    assert all((ours == theirs).all() for ours, theirs in zip(shared, alone, strict=True))


def test_a_prompt_that_resembles_nothing_gets_the_rate_of_all_battles(
    router: SWRankingRouter,
) -> None:
    nothing = router.score_embeddings(np.zeros((1, 16)))
    flat = SWRankingRouter(
        _battles(), np.ones((600, 1)), strong_model="m0", weak_model="m9"
    ).score_embeddings(np.ones((1, 1)))
    assert nothing == pytest.approx(flat, abs=1e-6)


def test_the_order_of_battles_does_not_matter_and_the_right_one_saves_the_copy() -> None:
    columns, vectors = Battles.of(_battles()), _vectors(600, 0)
    order = order_of(columns, 10)
    ordered = Battles(
        columns.models,
        *(column[order] for column in (columns.first, columns.second)),
        columns.p_first[order],
        columns.weight[order],
    )
    options = {"strong_model": "m0", "weak_model": "m9"}
    sorted_vectors = vectors[order]
    in_place = SWRankingRouter(ordered, sorted_vectors, **options)
    assert np.shares_memory(in_place._directions.vectors, sorted_vectors)
    queries = _vectors(5, 1)
    assert in_place.score_embeddings(queries) == pytest.approx(
        SWRankingRouter(columns, vectors, **options).score_embeddings(queries), abs=1e-7
    )


def test_models_that_never_met_are_as_good() -> None:
    battles = [{"model_a": name, "model_b": name, "winner": "tie"} for name in "sw"]
    router = SWRankingRouter(battles, np.eye(2), strong_model="s", weak_model="w")
    assert router.score_embeddings(np.eye(2)).tolist() == [0.5, 0.5]


def test_a_data_frame_does_as_well(router: SWRankingRouter) -> None:
    pandas = pytest.importorskip("pandas")
    frame = SWRankingRouter(
        pandas.DataFrame(_battles()), _vectors(600, 0), strong_model="m0", weak_model="m9"
    )
    queries = _vectors(5, 1)
    assert (frame.score_embeddings(queries) == router.score_embeddings(queries)).all()


@pytest.mark.parametrize("dtype", [np.float16, np.int8])
def test_short_numbers_do(router: SWRankingRouter, dtype: type) -> None:
    vectors = _vectors(600, 0)
    short = (vectors / np.abs(vectors).max(axis=1, keepdims=True) * 127).astype(dtype)
    queries = _vectors(20, 1)
    scores = SWRankingRouter(
        _battles(), short, strong_model="m0", weak_model="m9"
    ).score_embeddings(queries)
    assert scores == pytest.approx(router.score_embeddings(queries), abs=2e-3)


def test_a_checkpoint_takes_an_encoder_and_two_models() -> None:
    given = SWRankingRouter.from_pretrained(encoder=load_encoder("static"))
    assert (given.score(["hi"]) == load_router("sw_ranking").score(["hi"])).all()
    with pytest.raises(ConfigError, match="name two models"):
        load_router("sw_ranking", strong_model="claude-1", weak_model="claude-1")


def test_without_an_encoder_prompts_cannot_be_scored(router: SWRankingRouter) -> None:
    with pytest.raises(ConfigError, match="give one as encoder="):
        router.score(["hello"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"model_a": "a", "model_b": "b", "winner": "c"}, "battle 1 is .* write model_a"),
        ({"model_a": "a", "winner": "tie"}, "battle 1"),
        ({"model_a": "a", "model_b": "b", "p_a": "much"}, "battle 1"),
        ({"model_a": "a", "model_b": "b", "p_a": 1.5}, "battle 1"),
        ({"model_a": "a", "model_b": "b", "p_a": float("nan")}, "battle 1"),
    ],
)
def test_a_wrong_battle_is_named(row: dict[str, Any], message: str) -> None:
    rows = [{"model_a": "a", "model_b": "b", "winner": "tie (bothbad)"}, row]
    with pytest.raises(DataError, match=message):
        SWRankingRouter(rows, np.eye(2), strong_model="a", weak_model="b")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weak_model": "m99"}, "weak_model 'm99' is in no battle: did you mean 'm9'"),
        ({"num_tiers": 2, "weak_model": "m1"}, "both in tier 0"),
        ({"weak_model": "m0"}, "strong_model and weak_model are both 'm0'.*name two models"),
        ({"embeddings": np.ones((5, 3))}, "600 battles and embeddings of shape"),
        ({"num_tiers": 1}, "must be 2 or more"),
        ({"gamma": 1.0}, "greater than 1"),
    ],
)
def test_what_cannot_be_ranked_is_an_error(changed: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {
        "embeddings": _vectors(600, 0),
        "strong_model": "m0",
        "weak_model": "m9",
        **changed,
    }
    with pytest.raises(ConfigError, match=message):
        SWRankingRouter(_battles(), **options)
