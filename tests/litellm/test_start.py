"""A proxy whose routed aliases have mistakes ends at start and says what to write."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from routellm_core import RouteLLMError
from routellm_plugins.litellm.proxy_process import ProxyProcess
from tests.fakes.openai_upstream import Upstream
from tests.litellm.configs import HANDLER, alias, group
from tests.litellm.test_mistakes import MISTAKES

STARTED = ["unknown key", "unknown router", "strong model that is no model group"]


@pytest.mark.parametrize("mistake", STARTED)
def test_the_proxy_ends_with_the_line(
    strong: Upstream, weak: Upstream, proxy_with: Callable[..., ProxyProcess], mistake: str
) -> None:
    settings, line = MISTAKES[mistake]
    config = {
        "model_list": [
            group("gpt-4o", strong),
            group("gpt-4o-mini", weak),
            alias("gpt-4o-router", **settings),
        ],
        "litellm_settings": {"callbacks": [HANDLER]},
    }
    process = proxy_with(config)
    with pytest.raises(RouteLLMError, match="the proxy ended at start"):
        process.start()
    assert process.wait() == 3
    assert process.log.splitlines()[-1] == f"model_list entry 'gpt-4o-router': {line}"
    assert "Traceback" not in process.log
