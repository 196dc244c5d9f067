"""What the examples share: an index of this repository's documentation, and a log of decisions."""

from __future__ import annotations

from pathlib import Path

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.node_parser import MarkdownNodeParser

from routellm_core import Decision, hookimpl, load_encoder

DOCS = Path(__file__).parents[2] / "docs"


class StaticEmbedding(BaseEmbedding):
    """Embeds with the encoder bundled with routellm-plugins: no key, no network."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return load_encoder("static").encode([text])[0].tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def docs_index() -> VectorStoreIndex:
    """Return an index of ``docs/*.md``, one node per section."""
    pages = [
        Document(text=page.read_text(encoding="utf-8"), metadata={"page": page.name})
        for page in sorted(DOCS.glob("*.md"))
    ]
    return VectorStoreIndex.from_documents(
        pages, transformations=[MarkdownNodeParser()], embed_model=StaticEmbedding()
    )


class PrintDecisions:
    """A plugin that prints each decision."""

    @hookimpl
    def routellm_decided(self, decision: Decision) -> None:
        score = "nothing scored" if decision.score is None else f"score {decision.score:.3f}"
        print(f"[{decision.tier}: {score}, threshold {decision.threshold:.3f}]")
