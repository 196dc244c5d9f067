"""The endpoints of a scoring server."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..decision import Asked
from ..policy.conversations import session_of
from ..prompt.reading import asked_in
from ..prompt.side_calls import side_call
from ..routers.remote.wire import BUSY, DECIDE, ROUTER, SCORE
from ..settings import HOW_MUCH
from .batcher import BusyError
from .scorer import Limits, Scorer

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from ..settings import PolicySettings

_QUICK = 65_536
"""Bytes: a larger body is read as JSON on a thread."""


class Refused(Exception):  # noqa: N818  # an answer, and no failure
    """A request that is answered by a status and one line.

    Args:
        status: of HTTP.
        message: the line, which says what to send instead.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ScoringApp:
    """The application that a server runs: ``asgi``.

    Args:
        settings: of the policy. If they do not say how much goes to the strong model, there are
            scores only.
        limits: what a request may ask.
        token: that requests must bear; None: none. ``/healthz`` and ``/readyz`` need none.

    Attributes:
        settings: of the policy, with a threshold if they say none.
        draining: whether the server is about to end: it is not ready, and closes connections.
    """

    def __init__(self, settings: PolicySettings, limits: Limits, token: str | None = None) -> None:
        self._decides = any(getattr(settings, key) is not None for key in HOW_MUCH)
        if not self._decides:
            settings = settings.model_copy(update={"threshold": 1.0})
        self.settings = settings
        self._limits = limits
        self._token = None if token is None else token.encode()
        self.scorer = Scorer(settings, limits)
        self.draining = False

    def asgi(self) -> Starlette:
        """Return the ASGI application."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route(SCORE, self._endpoint(self._score), methods=["POST"]),
                Route(DECIDE, self._endpoint(self._decide), methods=["POST"]),
                Route(ROUTER, self._endpoint(self._describe), methods=["GET"]),
                Route("/metrics", self._endpoint(self._metrics), methods=["GET"]),
                Route("/healthz", self._healthy, methods=["GET"]),
                Route("/readyz", self._ready, methods=["GET"]),
            ],
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self.scorer.close()

    def _endpoint(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that asks for the token, counts, and turns errors into answers."""

        async def endpoint(request: Request) -> Response:
            began = time.perf_counter()
            try:
                self._check_token(request)
                response = await answer(request)
            except Refused as refused:
                response = _json(refused.status, {"error": str(refused)})
            except BusyError as error:
                response = _json(BUSY, {"error": str(error)})
                response.headers["retry-after"] = "1"
            except Exception as error:
                # Not its message, which may hold a prompt.
                response = _json(500, {"error": f"scoring failed: {type(error).__name__}"})
            if self.draining:
                response.headers["connection"] = "close"
            seconds = time.perf_counter() - began
            self.scorer.metrics.request(request.url.path, response.status_code, seconds)
            return response

        return endpoint

    def _check_token(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            given.strip().encode(), self._token
        ):
            raise Refused(401, "send the server's token: Authorization: Bearer TOKEN")

    async def _score(self, request: Request) -> Response:
        body = await self._body(request)
        prompts = body.get("prompts")
        if not isinstance(prompts, list) or not all(isinstance(each, str) for each in prompts):
            raise Refused(400, 'send the prompts to score: {"prompts": ["Why is the sky blue?"]}')
        if len(prompts) > self._limits.max_prompts:
            raise Refused(
                413, f"{len(prompts)} prompts: send at most {self._limits.max_prompts} at once"
            )
        scores, fingerprint = await self.scorer.scores(prompts)
        return _json(200, {"scores": scores, "fingerprint": fingerprint})

    async def _decide(self, request: Request) -> Response:
        if not self._decides:
            raise Refused(
                400, "this server only scores: start it with --strong-share 0.3 or --threshold"
            )
        # On a thread, since a conversation may be long.
        asked = await asyncio.to_thread(self._asked, await self._body(request))
        decision = await self.scorer.decision(asked)
        return _json(200, decision.as_metadata())

    def _asked(self, body: Mapping[str, Any]) -> Asked:
        messages, session = body.get("messages"), body.get("session")
        if (
            not isinstance(messages, list)
            or not all(isinstance(each, dict) for each in messages)
            or not isinstance(session, (str, type(None)))
        ):
            raise Refused(
                400,
                "send a conversation, and a name for it or none: "
                '{"messages": [{"role": "user", "content": "Hello"}], "session": "42"}',
            )
        side = side_call(messages, self.settings)
        if side is not None:
            return side
        asked = asked_in(messages, self.settings)
        return replace(asked, session=session_of("", session)) if session else asked

    async def _describe(self, request: Request) -> Response:
        router = (await self.scorer.policy()).router
        quantiles = router.score_quantiles
        return _json(
            200,
            {
                "router": self.settings.router,
                "fingerprint": router.fingerprint,
                "score_quantiles": None if quantiles is None else quantiles.tolist(),
                "max_prompts": self._limits.max_prompts,
                "max_bytes": self._limits.max_bytes,
            },
        )

    async def _metrics(self, request: Request) -> Response:
        from starlette.responses import Response

        page, kind = self.scorer.metrics.page()
        return Response(page, headers={"content-type": kind})

    async def _healthy(self, request: Request) -> Response:
        return _json(200, {"status": "alive"})

    async def _ready(self, request: Request) -> Response:
        if self.draining:
            return _json(503, {"status": "draining"})
        return _json(200, {"status": "ready"})

    async def _body(self, request: Request) -> Mapping[str, Any]:
        """Return the JSON object of a request.

        Raises:
            Refused: it is too large, or something else.
        """
        most = self._limits.max_bytes
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                raise Refused(413, f"the body is larger than {most} bytes: send less at once")
        try:
            if len(content) <= _QUICK:
                body = json.loads(content)
            else:
                body = await asyncio.to_thread(json.loads, content)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise Refused(400, "send a JSON object")
        return body


def _json(status: int, value: Mapping[str, Any]) -> Response:
    from starlette.responses import Response

    # Not JSONResponse, which cannot write what a client may have sent, such as lone surrogates.
    return Response(json.dumps(value), status, media_type="application/json")
