"""The work-task ledger over HTTP: rows by division and year, what is claimed, what is reckoned, and who looked."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Path, Query, Response
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.ledger_measures import Reckoner
from services.registry.api.places_forms import Day, Form, Paragraphs, Sha256, Words
from services.registry.api.requests import DIVISION, READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.api.trainings import measured_by, plan_status
from services.registry.commands import ledger as commands
from services.registry.domain.ledger import LABELS, EvidenceKind, Figure, State, apart
from services.registry.domain.ledger_policy import TaskCode
from services.registry.keys import Keys
from services.registry.store import ledger as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Keeper = Annotated[Caller, Depends(caller_with("registrar", "supervisor"))]
Year = Annotated[int, Path(ge=2000, le=2099)]
DivisionPath = Annotated[str, Path(pattern=DIVISION)]
PagePlace = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2,12}:[0-9]{4}:[a-z0-9-]{3,40}$", description="`next`."),
]
Why = Literal["document_seen", "seen_on_site", "records_agree", "not_the_task", "not_found", "records_differ"]
HOLDING = {"document_seen", "seen_on_site", "records_agree"}


class ItemIn(Form):
    """Which unit answers for a row, how, up to how many percent (the plan's where absent), and until which day."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "owner_id": "01970d3b-0000-7000-8000-00000000e001",
                    "how": "分两批改造心理辅导室，年底前逐校验收",
                    "target": 100,
                    "due_on": "2026-12-31",
                }
            ]
        },
    )

    owner_id: uuid.UUID
    how: Paragraphs | None = None
    target: Annotated[int, Field(ge=1, le=100)] | None = None
    due_on: Day


class ClaimIn(Form):
    """What the unit says: so many of so many on a day."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reached": 52, "of": 60, "as_of": "2026-10-31"}]}
    )

    reached: Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
    of: Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
    as_of: Day


class EvidenceIn(Form):
    """`reference` for what the register holds, `sha256` for a document that is kept elsewhere."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "place_check",
                    "title": "示例小学心理辅导室验收",
                    "reference": "01970d3b-0000-7000-8000-000000000c02",
                },
                {"kind": "document", "title": "年度工作总结", "sha256": "ab" * 32},
            ]
        },
    )

    kind: EvidenceKind
    title: Words
    reference: uuid.UUID | None = None
    sha256: Sha256 | None = None


class LookIn(Form):
    """What another person found: it holds, or not, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"holds": True, "reason": "seen_on_site"}]}
    )

    holds: bool
    reason: Why


class MoveIn(Form):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "verified", "reason": "已现场核实"}]}
    )

    state: State
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=200)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    def reckoner() -> Reckoner:
        return Reckoner(database, keys.policies, now())

    async def item_in(tx: Tx, division: str, year: int, code: str, caller: Caller) -> Document:
        found = await kept.item(tx, seen(caller, division), year, code)
        if found is None:
            raise NotFound("there is no such row in the ledger")
        return found

    async def told(item: Document) -> Document:
        """A row with what is reckoned now beside what is claimed."""
        reckoning = reckoner()
        figure = await reckoning.figure(item["measure"], item["division"])
        reckoned = reckoning.as_told(item["measure"], figure, item["target"])
        claimed = item["claim"]
        beside = None
        if claimed is not None:
            of_owner = Figure(claimed["reached"], claimed["of"])
            beside = {**claimed, "percent": of_owner.percent, "above_reckoned": apart(of_owner, figure)}
        return {**_shown(item), "claim": beside, "reckoned": reckoned}

    @app.get("/v1/ledgers")
    async def list_rows(
        caller: Reader,
        division: DivisionQuery = None,
        year: Annotated[int | None, Query(ge=2000, le=2099)] = None,
        code: TaskCode | None = None,
        state: State | None = None,
        overdue: Annotated[bool | None, Query(description="Due before today and not verified.")] = None,
        owner_id: uuid.UUID | None = None,
        after: PagePlace = None,
        limit: Limit = 50,
    ) -> Document:
        """The rows of a division and all in it, those that are due first at the top."""
        asked = {"year": year, "code": code, "state": state.value if state else None, "owner_id": owner_id}
        clauses = [store.within(reach(caller, division)), {k: v for k, v in asked.items() if v is not None}]
        today = local_day(now()).isoformat()
        if overdue is not None:
            late: Document = {"verified": False, "due_on": {"$lt": today}}
            clauses.append(late if overdue else {"$nor": [late]})
        place = after.split(" ", 1) if after else None
        rows = await kept.rows(database, {"$and": clauses}, (place[0], place[1]) if place else None, limit)
        last = f"{rows[-1]['due_on']} {rows[-1]['_id']}" if len(rows) == limit else None
        return {"items": [_shown(row) for row in rows], "next": last}

    @app.post("/v1/ledgers/{division}/{year}")
    async def begin(division: DivisionPath, year: Year, caller: Keeper) -> Document:
        """Begin a ledger: a row for each task that the policy keeps; again it adds only what lacks."""
        seen(caller, division)

        async def write(tx: Tx) -> Document:
            policy = keys.policies.ledger.at(tx.now)
            added = await commands.begin_ledger(tx, division, year, policy, caller.subject)
            return {"division": division, "year": year, "policy": policy.version, "added": added}

        return await database.transact(write)

    @app.get("/v1/ledgers/{division}/{year}")
    async def read_ledger(division: DivisionPath, year: Year, caller: Reader) -> Document:
        """The rows of a ledger with what is reckoned now; `linked` are the tasks that the training plans hold."""
        seen(caller, division)
        today = local_day(now()).isoformat()
        coverage = {one.code: one for one in keys.policies.trainings.at(now()).coverage}
        linked = []
        for task in keys.policies.ledger.at(now()).linked():
            rule = coverage.get(task.training_coverage or "")
            reached = await measured_by(database, rule, division) if rule else None
            plans = [
                {
                    "plan_id": row["_id"],
                    "owner_id": row["owner_id"],
                    "due_on": row["due_on"],
                    "status": plan_status(row, reached, today),
                }
                for row in await kept.plans_of(database, division, task.training_coverage or "")
            ]
            linked.append(
                {"code": task.code, "number": task.number, "title": task.title, "reckoned": reached, "plans": plans}
            )
        items = [await told(row) for row in await kept.ledger(database, division, year)]
        return {"division": division, "year": year, "items": items, "linked": linked}

    @app.get("/v1/ledgers/{division}/{year}/{code}")
    async def read_item(division: DivisionPath, year: Year, code: TaskCode, caller: Reader) -> Document:
        """One row with its history and what is reckoned now."""
        found = await database.look(lambda tx: item_in(tx, division, year, code, caller))
        return {**await told(found), "history": found["history"]}

    @app.put("/v1/ledgers/{division}/{year}/{code}")
    async def plan(division: DivisionPath, year: Year, code: TaskCode, body: ItemIn, caller: Keeper) -> Document:
        """Owner, target and due day of a row; the same again changes nothing, 409 while it waits or is verified."""

        async def write(tx: Tx) -> Document:
            found = await item_in(tx, division, year, code, caller)
            return await commands.plan_item(tx, found, caller, body.model_dump(), keys.policies.ledger.at(tx.now))

        return await told(await database.transact(write))

    @app.put("/v1/ledgers/{division}/{year}/{code}/claim")
    async def claim(division: DivisionPath, year: Year, code: TaskCode, body: ClaimIn, caller: Keeper) -> Document:
        """What the unit says that it has reached: shown beside what is reckoned, and decides nothing."""

        async def write(tx: Tx) -> Document:
            found = await item_in(tx, division, year, code, caller)
            return commands.claim(tx, found, caller, body.reached, body.of, body.as_of)

        return await told(await database.transact(write))

    @app.put("/v1/ledgers/{division}/{year}/{code}/evidence/{ident}")
    async def add_evidence(
        division: DivisionPath,
        year: Year,
        code: TaskCode,
        ident: uuid.UUID,
        body: EvidenceIn,
        caller: Keeper,
        response: Response,
    ) -> Document:
        """Enter evidence for a row; 422 for what is not there or shows nothing, 409 once the row waits."""

        async def write(tx: Tx) -> tuple[Document, bool]:
            found = await item_in(tx, division, year, code, caller)
            return await commands.add_evidence(tx, found, ident, caller, body.model_dump())

        piece, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _piece(piece)

    @app.post("/v1/ledgers/{division}/{year}/{code}/evidence/{ident}/check")
    async def check(
        division: DivisionPath, year: Year, code: TaskCode, ident: uuid.UUID, body: LookIn, caller: Keeper
    ) -> Document:
        """Another person has looked at a piece of evidence; 403 for who entered it."""
        if body.holds is not (body.reason in HOLDING):
            raise Refused("bad_reason", "核对结论与理由不符", "reason")

        async def write(tx: Tx) -> Document:
            found = await item_in(tx, division, year, code, caller)
            return await commands.check_evidence(tx, found, ident, caller, body.holds, body.reason)

        return _piece(await database.transact(write))

    @app.get("/v1/ledgers/{division}/{year}/{code}/evidence")
    async def list_evidence(
        division: DivisionPath, year: Year, code: TaskCode, caller: Reader, after: After = None, limit: Limit = 50
    ) -> Document:
        """A row's evidence with what another person found."""
        item = await database.look(lambda tx: item_in(tx, division, year, code, caller))
        return paged([_piece(row) for row in await kept.evidence_of(database, item["_id"], after, limit)], limit)

    @app.post("/v1/ledgers/{division}/{year}/{code}/move")
    async def move(division: DivisionPath, year: Year, code: TaskCode, body: MoveIn, caller: Keeper) -> Document:
        """Begin a row, say it is done, verify it or give it back; the last two take another person (403).

        409 `below_target` where what the registry reckons does not reach the target, whatever is claimed.
        """
        before = await database.look(lambda tx: item_in(tx, division, year, code, caller))
        figure = await reckoner().figure(before["measure"], division)

        async def write(tx: Tx) -> Document:
            found = await item_in(tx, division, year, code, caller)
            return commands.move_item(tx, found, body.state, body.reason, caller, figure)

        return await told(await database.transact(write))


def _shown(item: Document) -> Document:
    hidden = ("_id", "history", "writers")
    late = not item["verified"] and item["due_on"] < local_day(now()).isoformat()
    return {
        **{name: value for name, value in item.items() if name not in hidden},
        "state_label": LABELS[State(item["state"])],
        "overdue": late,
    }


def _piece(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in ("_id", "item_id")}}
