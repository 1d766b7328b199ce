"""The talent base (附件4), the coded lists about people, and counts of whom a district has."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.db import Database
from chassis.tx import Document
from services.registry import store
from services.registry.api.people import ExportOrder, Role
from services.registry.api.requests import DIVISION, READERS, UPLOAD, DivisionQuery, Limit, reach, seen, uploaded
from services.registry.api.volunteers import NO_STORE, XLSX, Registrar
from services.registry.domain.consents import PURPOSES
from services.registry.domain.people import PERSON_TYPES, QUALIFICATIONS, ROLES
from services.registry.domain.talent import labels_of_all
from services.registry.forms import ANNEX_4
from services.registry.imports import export_volunteers, import_volunteers
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Counter = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "statistician"))]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.post("/v1/talent/import", openapi_extra=UPLOAD)
    async def take_talent(
        request: Request,
        caller: Registrar,
        division: Annotated[str, Query(pattern=DIVISION)],
        dry_run: bool = False,
    ) -> Document:
        """附件4 as .xlsx, .xls or .csv, from a unit in the division; all of its people or none."""
        seen(caller, division)
        content = await uploaded(request)
        report = await import_volunteers(
            database,
            keys,
            content,
            division,
            dry_run,
            layout=ANNEX_4,
            inside=caller.division,
            actor=caller.subject,
        )
        return report.as_json()

    @app.post("/v1/talent/export")
    async def give_talent(body: ExportOrder, caller: Registrar) -> Response:
        """The talent base of a division as a workbook in the layout of 附件4; the reading is logged."""
        seen(caller, body.division)
        content = await export_volunteers(
            database, keys, body.division, layout=ANNEX_4, actor=caller.subject, reason=body.reason
        )
        name = f'attachment; filename="talent-{body.division}.xlsx"'
        return Response(content, media_type=XLSX, headers={**NO_STORE, "content-disposition": name})

    @app.get("/v1/people/codes")
    async def list_codes(caller: Reader) -> Document:
        """Every coded list about people with its Chinese labels; any of the registry's readers."""
        forms: dict[str, Any] = {"person_types": PERSON_TYPES, "qualifications": QUALIFICATIONS}
        numbered = {name: {str(code): label for code, label in labels.items()} for name, labels in forms.items()}
        return {**numbered, "roles": ROLES, **labels_of_all(), "purposes": dict(PURPOSES)}

    @app.get("/v1/people/counts")
    async def count_people(caller: Counter, division: DivisionQuery = None, role: Role | None = None) -> Document:
        """How many active people a division has by each code, the preferred groups and pools with their targets."""
        found = await store.counts(database, reach(caller, division), role)
        return counted(found, keys.policies.people.at(now()).targets.outstanding_parent)

    @app.get("/v1/people/imports")
    async def list_imports(
        caller: Registrar, division: DivisionQuery = None, state: str | None = None, after: str = "", limit: Limit = 50
    ) -> Document:
        """Files of more people than one transaction takes; one that is still `writing` is sent again to finish it."""
        query = store.within(reach(caller, division)) | ({"state": state} if state else {})
        rows = await store.imports_in(database, query, after, limit)
        items = [{"id": row["_id"], **{name: row[name] for name in row if name != "_id"}} for row in rows]
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


def counted(found: dict[str, dict[Any, int]], outstanding_parents: int) -> Document:
    """The counts by code with their labels; `preferred` are the groups that recruitment prefers."""
    counts: Document = {"people": found["people"].get("people", 0)}
    for name, labels in (("person_types", PERSON_TYPES), ("qualifications", QUALIFICATIONS), ("roles", ROLES)):
        counts[name] = _by_code(labels, found[name])
    for name, labels in labels_of_all().items():
        field = "source" if name == "sources" else name
        counts[name] = _by_code(labels, found[field])
    counts["qualifications_none"] = found["without_qualification"].get("people", 0)
    counts["trained"] = {answer: found["trained"].get(answer, 0) for answer in ("yes", "no", "unknown")}
    counts["school_teachers"] = {
        "full_time": found["qualifications"].get(4, 0),
        "part_time": found["qualifications"].get(5, 0),
    }
    for row in counts["tags"]:
        if row["code"] == "outstanding-parent":
            row |= {"target": outstanding_parents, "reached": row["people"] >= outstanding_parents}
    return counts


def _by_code(labels: Any, found: dict[Any, int]) -> list[Document]:
    return [{"code": code, "label": label, "people": found.get(code, 0)} for code, label in labels.items()]
