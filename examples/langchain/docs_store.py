"""What the examples share: this repository's documentation as a vector store."""

from __future__ import annotations

import re
from pathlib import Path

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from routellm_core import load_encoder

DOCS = Path(__file__).parents[2] / "docs"


class StaticEmbeddings(Embeddings):
    """Embeds with the encoder that routellm-plugins brings along: no key, no network."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return load_encoder("static").encode(texts).tolist()

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


def docs_store() -> InMemoryVectorStore:
    """Return ``docs/*.md``, one document per section."""
    store = InMemoryVectorStore(StaticEmbeddings())
    for page in sorted(DOCS.glob("*.md")):
        sections = re.split(r"^(?=#+ )", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        store.add_documents(
            [Document(text, metadata={"page": page.name}) for text in sections if text.strip()]
        )
    return store
