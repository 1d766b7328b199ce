"""The page on which a surveyor takes screenings, with and without a network: static, served by this service alone.

The page holds nothing about anyone. What is taken down stays on the tablet, encrypted, until the service has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from chassis.clock import now
from chassis.errors import NotFound
from services.crisis.office import Office

FOLDER = Path(__file__).parent.parent / "pages" / "screening"
ADDRESS = "/pages/screening"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Nothing but this page's own files runs, and nothing is sent anywhere but to this service.
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
    }
)


@dataclass(frozen=True)
class _File:
    content: bytes
    kind: str
    tag: str


def pages(app: FastAPI, office: Office) -> None:
    """The page and its files; they need no token, since there is nothing in them to protect."""
    files = {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}

    def answer(name: str, request: Request) -> Response:
        file = files.get(name)
        if file is None:
            raise NotFound("there is no such page")
        headers = {**HEADERS, "etag": file.tag}
        if name == "sw.js":
            headers["service-worker-allowed"] = ADDRESS
        if request.headers.get("if-none-match") == file.tag:
            return Response(status_code=304, headers=headers)
        return Response(file.content, media_type=file.kind, headers=headers)

    @app.get(ADDRESS, include_in_schema=False)
    async def page(request: Request) -> Response:
        return answer("index.html", request)

    @app.get(f"{ADDRESS}/settings.json", include_in_schema=False)
    async def settings() -> JSONResponse:
        """What the page has to know before anyone has a token: how it locks, and what to do in danger."""
        said = office.campaigns.at(now()).page
        content = {
            "pin_length": said.pin_length,
            "pin_rounds": said.pin_rounds,
            "lock_minutes": said.lock_minutes,
            "safety": {"title": said.safety_title, "steps": said.safety_steps, "calls": said.safety_calls},
        }
        return JSONResponse(content, headers=dict(HEADERS))

    @app.get(ADDRESS + "/{name}", include_in_schema=False)
    async def file(name: str, request: Request) -> Response:
        return answer(name, request)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
