"""The code lists that the registry shares with the other services: their versions, their words, and how to read one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI

from chassis.auth import ROLES, Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document
from contracts.codes import CODE_LISTS, CodeList, ProblemCode, ServiceType
from services.registry.api.places_forms import one_of
from services.registry.keys import Keys

Anyone = Annotated[Caller, Depends(caller_with(*ROLES))]
ServiceCode = Annotated[str, *one_of(code.value for code in ServiceType)]
"""One of the 25 types of the five services."""
Problem = Annotated[str, *one_of(code.value for code in ProblemCode)]
"""A problem under 发展性, 适应性 or 障碍性."""


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/codes")
    async def list_codes(caller: Anyone) -> Document:
        """All shared code lists in their present versions, each code with its words."""
        return {"lists": [_shown(name, one) for name, one in CODE_LISTS.items()]}

    @app.get("/v1/codes/{name}")
    async def read_codes(name: str, caller: Anyone) -> Document:
        """One shared code list; one that is not known is 404."""
        if name not in CODE_LISTS:
            raise NotFound("there is no such list")
        return _shown(name, CODE_LISTS[name])


def _shown(name: str, one: CodeList) -> dict[str, Any]:
    codes = [
        {"code": code.value, "label": code.label, "group": code.group.value if code.group else None}
        for code in one.codes
    ]
    return {"name": name, "version": one.version, "source": one.source, "codes": codes}
