"""Real LlamaIndex clients on stand-in models, with a router that records what it scores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("llama_index.core")
pytest.importorskip("llama_index.llms.openai_like")

from llama_index.core.instrumentation import get_dispatcher

from tests.llama_index.recorded import Recorder
from tests.llama_index.routed import Routed, routed


@pytest.fixture(scope="session", autouse=True)
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spare every client loading the world's certificates, which takes longer than its calls."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SSL_CERT_FILE", raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(scope="module")
def running_pair() -> Iterator[Routed]:
    with routed() as models:
        yield models


@pytest.fixture
def pair(running_pair: Routed) -> Routed:
    """The models of this module, that forgot the test before."""
    running_pair.forget()
    running_pair.reply({})
    running_pair.texts.clear()
    running_pair.decisions.clear()
    return running_pair


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Record every event and span while the test runs."""
    recorder = Recorder()
    root = get_dispatcher()
    before = root.event_handlers, root.span_handlers
    root.event_handlers = [*before[0], recorder.events_handler]
    root.span_handlers = [*before[1], recorder.spans_handler]
    yield recorder
    root.event_handlers, root.span_handlers = before
