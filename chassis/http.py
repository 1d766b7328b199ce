"""HTTP: problem+json for every error, a bound on bodies, health and metrics."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import observe
from chassis.auth import Tokens, Unauthenticated
from chassis.clock import new_id
from chassis.envelope import traceparent_of
from chassis.errors import NotAllowed, NotFound, Refused, Unavailable

log = logging.getLogger(__name__)

MAX_UPLOAD = 32 * 1024 * 1024
MAX_REQUEST = 256 * 1024
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UPLOADS = ("/import",)
"""Routes that end so take whole workbooks."""

Checks = dict[str, Callable[[], Awaitable[None]]]


def problem(status: int, title: str, detail: str, field: str | None = None, **more: Any) -> JSONResponse:
    """RFC 9457. `field` names the place in the input."""
    content = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    if field is not None:
        content["field"] = field
    return JSONResponse(content, status, media_type="application/problem+json")


def create_app(title: str, tokens: Tokens, checks: Checks) -> FastAPI:
    """The HTTP side that every service has; its own routes come on top."""
    app = FastAPI(title=title, version="1", docs_url="/docs", redoc_url=None)
    app.state.tokens = tokens
    app.add_middleware(BodyLimit)
    app.middleware("http")(_count)
    _problems(app)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        state: dict[str, str] = {}
        for name, check in checks.items():
            try:
                await check()
                state[name] = "ok"
            except Exception as error:  # readiness reports whatever is wrong, and does not fail itself
                state[name] = f"{type(error).__name__}: {error}"
        ready = all(word == "ok" for word in state.values())
        return JSONResponse({"ready": ready, "checks": state}, 200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


def _problems(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        status = 413 if error.reason == "too_large" else 422
        return problem(status, "Refused", error.detail, error.field or "", reason=error.reason)

    @app.exception_handler(NotAllowed)
    async def not_allowed(_: Request, error: NotAllowed) -> JSONResponse:
        more = {"reason": error.reason} if error.reason else {}
        return problem(error.status, HTTPStatus(error.status).phrase, error.detail, error.field, **more)

    @app.exception_handler(NotFound)
    async def not_found(_: Request, error: NotFound) -> JSONResponse:
        return problem(404, "Not Found", error.detail)

    @app.exception_handler(Unauthenticated)
    async def unauthenticated(_: Request, error: Unauthenticated) -> JSONResponse:
        answer = problem(401, "Unauthorized", f"the token does not hold: {error}")
        answer.headers["www-authenticate"] = "Bearer"
        return answer

    @app.exception_handler(Unavailable)
    async def unavailable(_: Request, error: Unavailable) -> JSONResponse:
        answer = problem(503, "Service Unavailable", str(error))
        answer.headers["retry-after"] = "5"
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {"field": ".".join(str(step) for step in item["loc"]), "detail": item["msg"]} for item in error.errors()
        ]
        return problem(422, "Invalid request", problems[0]["detail"], problems[0]["field"], errors=problems)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        # FastAPI's own words for a body that it could not read name no place.
        unread = {"field": "body", "reason": "malformed_json"} if error.status_code == 400 else {}
        answer = problem(error.status_code, HTTPStatus(error.status_code).phrase, str(error.detail), **unread)
        answer.headers.update(error.headers or {})
        return answer


async def _count(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    token = observe.trace.set(traceparent_of(request.headers.get("traceparent"), new_id()))
    try:
        response = await call_next(request)
    except Exception as error:  # counted and logged here, where the trace is known
        log.error("a request failed", exc_info=error)
        response = problem(500, "Internal Server Error", f"the error is in the log under trace {_trace_id()}")
    finally:
        observe.trace.reset(token)
    route = getattr(request.scope.get("route"), "path", "unmatched")
    method = request.method if request.method in METHODS else "other"
    observe.HTTP.labels(method, route, response.status_code).inc()
    return response


def _trace_id() -> str:
    return (observe.trace.get() or "--").split("-")[1]


class BodyLimit:
    """Refuses a body over the limit before it is held in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_UPLOAD if scope["path"].endswith(UPLOADS) else MAX_REQUEST
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                # Not `Refused`: FastAPI lets only this one through from reading a body.
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            answer = problem(413, "Refused", f"the body is larger than {limit} bytes", "body", reason="too_large")
            await answer(scope, receive, send)
            return
        await self._app(scope, counted, send)
