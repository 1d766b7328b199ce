"""What the registry's routes share: uploads, pages, reach, and answers to a file with mistakes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile

from chassis.auth import Caller
from chassis.db import Duplicate
from chassis.errors import NotFound, Refused
from chassis.http import problem
from chassis.sealing import Unreadable
from chassis.tx import Document
from services.registry.domain.mistakes import Mistaken

READERS = ("registrar", "coordinator", "supervisor", "duty_officer", "receiver", "statistician")
"""Who may read what is no secret: divisions, organisations, rosters."""

Limit = Annotated[int, Query(ge=1, le=200)]
After = Annotated[uuid.UUID | None, Query(description="The last id of the page before.")]
DIVISION = r"^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$"
DivisionQuery = Annotated[str | None, Query(pattern=DIVISION)]

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    }
}


async def uploaded(request: Request) -> bytes:
    """The file that a request brings: its whole body, or the part `file` of a form."""
    content: bytes = b""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=1, max_fields=4) as form:
            part = form.get("file")
            if isinstance(part, UploadFile):
                content = await part.read()
    else:
        content = await request.body()
    if not content:
        raise Refused("no_file", "没有收到文件；请把文件作为请求体，或作为表单的 file 一项上传", "file")
    return content


def reach(caller: Caller, asked: str | None) -> str:
    """The division that a list is of: the asked one, or the caller's own; raises `NotFound` outside of it."""
    if asked is None:
        return caller.division
    return seen(caller, asked)


def seen(caller: Caller, division: str) -> str:
    """The division, unless it lies outside the caller's: then it does not exist for the caller."""
    if not caller.sees(division):
        raise NotFound(f"there is no division {division}")
    return division


def keeps(caller: Caller, *keepers: str) -> bool:
    """Whether the caller acts for others, having one of the roles that keep what a route is about.

    Anybody else acts as the person that the token's subject is, whatever other roles the token has.
    """
    return not caller.roles.isdisjoint(keepers)


def paged(items: Sequence[Document], limit: int) -> Document:
    """A page; `next` is what to ask for as `after`, absent on the last page."""
    return {"items": list(items), "next": items[-1]["id"] if items and len(items) == limit else None}


def answers_for_mistakes(app: FastAPI) -> None:
    @app.exception_handler(Mistaken)
    async def mistaken(_: Request, error: Mistaken) -> JSONResponse:
        first = error.mistakes[0]
        count = len(error.mistakes) + error.more
        detail = f"共 {count} 处有误，什么都没有导入。{first}"
        errors = [asdict(mistake) for mistake in error.mistakes]
        field = ".".join(filter(None, (first.sheet, str(first.row), first.column)))
        return problem(422, "Refused", detail, field, reason=first.reason, errors=errors, more=error.more)

    @app.exception_handler(Duplicate)
    async def duplicate(_: Request, error: Duplicate) -> JSONResponse:
        return problem(409, "Conflict", f"{error.collection} holds the same already")

    @app.exception_handler(Unreadable)
    async def unreadable(_: Request, error: Unreadable) -> JSONResponse:
        return problem(409, "Conflict", str(error))
