"""Stop a LiteLLM proxy whose routed aliases have mistakes, before any traffic."""

from __future__ import annotations

import logging
import os
import sys
from typing import NoReturn

from routellm_core import ConfigError

from .report import check_config
from .versions import version_warning

logger = logging.getLogger(__name__)

# What uvicorn and gunicorn take from a worker as "do not start another one".
_STARTUP_FAILURE = 3


def end_on_mistakes() -> None:
    """Check the config of the proxy that is starting in this process, if one is.

    LiteLLM imports callbacks after it has read its config and before it builds its Router. An
    exception raised there would hide the message in a traceback, so the process exits here, with
    a line for each mistake.
    """
    server = sys.modules.get("litellm.proxy.proxy_server")
    proxy_config = getattr(server, "proxy_config", None)
    if proxy_config is None or getattr(server, "llm_router", None) is not None:
        return
    if warning := version_warning():
        logger.warning("%s", warning)
    try:
        problems = check_config(proxy_config.get_config_state()).problems
    except ConfigError as error:
        problems = [str(error)]
    except Exception:
        logger.exception("the routed aliases could not be checked; requests to them may fail")
        return
    if problems:
        _end("\n".join(problems))


def _end(message: str) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
    os._exit(_STARTUP_FAILURE)
