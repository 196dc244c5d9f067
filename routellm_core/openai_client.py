"""Clients of servers that speak OpenAI's API, with a key only where one is meant to go."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ConfigError
from .optional import require

if TYPE_CHECKING:
    from openai import OpenAI

OPENAI = "https://api.openai.com/v1"
"""Address of OpenAI's own server."""

API_KEY, BASE_URL = "OPENAI_API_KEY", "OPENAI_BASE_URL"
"""The environment variables that OpenAI's client reads."""


@dataclass(frozen=True)
class Server:
    """Address of a server, and which environment variable holds the key that it is sent."""

    base_url: str
    api_key_env: str | None
    """None: the server is sent no key."""

    @classmethod
    def of(cls, base_url: str | None = None, api_key_env: str | None = None) -> Server:
        """Return the server that the arguments or the environment name.

        Args:
            base_url: its address. None: ``OPENAI_BASE_URL``, or else OpenAI's own.
            api_key_env: the variable that holds its key. None: ``OPENAI_API_KEY`` for OpenAI's own
                server and that of ``OPENAI_BASE_URL``, where it may be missing; no key for a server
                that ``base_url`` names, since a key for OpenAI is not meant for it.
        """
        elsewhere = os.environ.get(BASE_URL)
        address = (base_url or elsewhere or OPENAI).rstrip("/")
        if api_key_env is None:
            named_by_environment = base_url is None and bool(os.environ.get(API_KEY))
            api_key_env = API_KEY if address == OPENAI or named_by_environment else None
        return cls(address, api_key_env)

    def client(self, why: str, *, timeout_s: float, max_retries: int) -> OpenAI:
        """Return a client of the server. Nothing is sent yet.

        Args:
            why: what needs it, which begins an error message: ``the encoder 'openai'``.
            timeout_s: time limit of one attempt of a request, in seconds.
            max_retries: how often a failed request is repeated.

        Raises:
            ConfigError: the variable that should hold the key is not set.
            MissingExtraError: the package ``openai`` is not installed.
        """
        openai = require("openai", "openai", why)
        key = os.environ.get(self.api_key_env) if self.api_key_env else "unused"
        if not key:
            raise ConfigError(
                f"{why} has no key for {self.base_url}: set {self.api_key_env}"
                + (f", or {BASE_URL} to a server that needs none" if self._is_default else "")
            )
        client: OpenAI = openai.OpenAI(
            base_url=self.base_url, api_key=key, timeout=timeout_s, max_retries=max_retries
        )
        return client

    @property
    def _is_default(self) -> bool:
        return (self.base_url, self.api_key_env) == (OPENAI, API_KEY)
