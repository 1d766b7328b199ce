"""Agencies and enterprises over HTTP: which have a team of volunteers and a room of their own."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, FastAPI

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.tx import Document
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach
from services.registry.keys import Keys
from services.registry.store import teams_units as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
UNITS = {
    "government": (("agency",), ("agency_room", "station")),
    "enterprise": (("enterprise",), ("enterprise_room", "station")),
}
"""鼓励机关、企业等…建立心理健康志愿服务队伍，设立心理辅导室: the types of team and of room by the kind of unit."""


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/unit-teams")
    async def units(
        caller: Reader,
        division: DivisionQuery = None,
        kind: Literal["government", "enterprise"] | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The agencies and enterprises of a division: their active teams, their open rooms, and what is missing."""
        kinds = [kind] if kind is not None else list(UNITS)
        rows = await kept.units_page(database, reach(caller, division), kinds, after, limit)
        idents = [row["_id"] for row in rows]
        teams = await kept.teams_of(database, idents, [one for types, _ in UNITS.values() for one in types])
        rooms = await kept.rooms_of(database, idents, [one for _, types in UNITS.values() for one in types])
        items = []
        for row in rows:
            team_types, room_types = UNITS[row["kind"]]
            own = [one for one in teams if one["organisation_id"] == row["_id"] and one["type"] in team_types]
            seats = [one for one in rooms if one["organisation_id"] == row["_id"] and one["type"] in room_types]
            missing = [word for word, there in (("team", own), ("room", seats)) if not there]
            items.append(
                {
                    "id": row["_id"],
                    "name": row["name"],
                    "kind": row["kind"],
                    "division": row["division"],
                    "teams": [{"id": one["_id"], "lead_department": one["lead_department"]} for one in own],
                    "rooms": [{"id": one["_id"], "type": one["type"]} for one in seats],
                    "missing": missing,
                }
            )
        return paged(items, limit)
