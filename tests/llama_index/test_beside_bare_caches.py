"""LlamaIndex's ingestion caches keep apart what a bare LLM's cache keeps apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.extractors import TitleExtractor
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.schema import Document

from routellm_plugins.llama_index import RouteLLM
from tests.llama_index.routed import Routed

SETTINGS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.9},
    {"max_tokens": 5},
    {"system_prompt": "Be brief."},
    {"additional_kwargs": {"seed": 7}},
]


def _titles(make: Callable[[dict[str, Any]], Any]) -> None:
    """Run each LLM twice over one document, all with one cache."""
    cache = IngestionCache()
    for settings in [*SETTINGS, *SETTINGS]:
        extractor = TitleExtractor(llm=make(settings), nodes=1, show_progress=False)
        pipeline = IngestionPipeline(transformations=[extractor], cache=cache)
        pipeline.run(documents=[Document(text="Once upon a time.", id_="1")])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_extracted_is_cached_for_its_settings_alone(pair: Routed) -> None:
    def bare(settings: dict[str, Any]) -> Any:
        return pair.bare("weak").model_copy(update=settings)

    _titles(bare)
    expected = list(pair.weak.requests)
    assert len(expected) == 2 * len(SETTINGS)  # one for the chunk, one for all titles
    pair.forget()

    _titles(
        lambda settings: RouteLLM(
            pair.bare("strong"), bare(settings), router="recording", threshold=0.5
        )
    )
    assert pair.weak.requests == expected


def test_routers_with_other_weights_are_told_apart(pair: Routed) -> None:
    models = pair.bare("strong"), pair.bare("weak")
    dumps = [
        RouteLLM(*models, strong_share=0.3, router_options=options).to_dict()
        for options in ({}, {"strong_model": "gpt-4-1106-preview"})
    ]
    assert dumps[0] != dumps[1]


def test_a_new_key_keeps_what_is_cached(pair: Routed) -> None:
    weak = pair.bare("weak")
    dumps = []
    for key in ("sk-one", "sk-two"):
        keyed = weak.model_copy(update={"api_key": key})
        dumps.append(RouteLLM(pair.bare("strong"), keyed, threshold=0.6).to_dict())
        assert key not in str(dumps[-1])
    assert dumps[0] == dumps[1]
