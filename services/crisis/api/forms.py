"""The forms by which a risk is taken down by hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from chassis.auth import ROLES, Caller, caller_with
from chassis.errors import NotFound
from contracts.hotline import Way
from services.crisis.api.desk import Desk
from services.crisis.domain.forms import MAY_RAISE

Anyone = Annotated[Caller, Depends(caller_with(*ROLES))]
Version = Annotated[str, Query(pattern="^[a-z0-9][a-z0-9.-]{0,31}$")]


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/forms", tags=["intake"])
    async def list_forms(caller: Anyone) -> dict[str, Any]:
        """The newest form of each way, and whether the caller's roles fill it in."""
        return {
            "forms": [
                {
                    "way": form.way,
                    "version": form.version,
                    "title": form.title,
                    "may_fill_in": bool(caller.roles & MAY_RAISE[form.way]),
                }
                for form in desk.office.forms.newest()
            ]
        }

    @router.get("/forms/{way}", tags=["intake"])
    async def get_form(way: Way, caller: Anyone, version: Version | None = None) -> dict[str, Any]:
        """One form: a JSON Schema (2020-12) whose titles and `x-labels` are what a person reads.

        404 where there is no such version.
        """
        form = desk.office.forms.of(way, version)
        if form is None:
            raise NotFound("there is no such version of this form")
        return dict(form.schema)
