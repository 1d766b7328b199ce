"""An extract of a person's record of service, to read and to print.

The law reserves two words for what the organiser issues on application; this paper is neither and uses neither, not
even where the register quotes them.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from xml.etree import ElementTree as Tree

from fastapi import Depends, FastAPI, Query, Response
from fastapi.responses import JSONResponse

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import LOCAL, local_day
from chassis.db import Database
from chassis.tx import Document, Tx
from services.registry.api.people import Why
from services.registry.api.places_page import HEADERS, STYLE
from services.registry.api.service_records import person_or_self
from services.registry.commands import registration_of
from services.registry.commands.stars import entries_of
from services.registry.domain.honours import LEVELS
from services.registry.domain.people import PERSON_TYPES, masked_name, masked_phone
from services.registry.domain.people_dates import trainings_told
from services.registry.domain.service_records import KINDS
from services.registry.domain.stars import State
from services.registry.domain.trainings import each_session_once
from services.registry.keys import Keys
from services.registry.store import service_records as kept
from services.registry.store import trainings as trainings_kept

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Format = Annotated[Literal["json", "html"], Query()]
HTML = "text/html; charset=utf-8"
RESERVED = ("证明", "证书", "已认证")
UNSAID = "〔见原件〕"
RECORDED, CLAIMED = "培训登记", "本人填报"
TITLE = "志愿服务记录摘录"
NOTICE = (
    "本摘录由登记系统按组织单位的记录生成，仅供本人查阅和核对，不盖章，不具对外效力。"
    "对外使用的正式文书按民政部令第67号办理：由组织该次服务的单位依据其记录、经本人申请后出具并编号盖章。"
)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def extract(tx: Tx, ident: uuid.UUID, caller: Caller, *, plain: bool) -> Document:
        person = await person_or_self(tx, ident, caller)
        return await _groups(tx, keys, person, plain=plain)

    @app.get("/v1/people/{ident}/service-extract", response_class=Response)
    async def read(ident: uuid.UUID, caller: Reader, format: Format = "json") -> Response:
        """The five groups of a person's record, masked, as JSON or as a page to print."""
        return _answer(await database.transact(lambda tx: extract(tx, ident, caller, plain=False)), format)

    @app.post("/v1/people/{ident}/service-extract", response_class=Response)
    async def print_out(ident: uuid.UUID, body: Why, caller: Registrar, format: Format = "html") -> Response:
        """The same with the name and the number in plain, on the person's request; the reading is logged."""

        async def look(tx: Tx) -> Document:
            found = await extract(tx, ident, caller, plain=True)
            tx.record(
                actor=caller.subject,
                action="service.extracted",
                subject=str(ident),
                reason=body.reason,
                division=found["division"],
            )
            return found

        document = await database.transact(look)
        observe.PERSONAL_READS.labels("service_extract").inc()
        return _answer(document, format)


async def _groups(tx: Tx, keys: Keys, person: Document, *, plain: bool) -> Document:
    """The five groups: basics, service, training, awards, evaluation."""
    told = await registration_of(tx, keys, person)
    entries = await entries_of(tx, person)
    await keys.persons.load(tx, entries)
    service = []
    for row in await kept.counted_of(tx, entries):
        organisation = await tx.get("organisations", row["organisation_id"])
        content = (await keys.persons.open(tx, row["volunteer_id"], row["sealed"]))["content"]
        service.append(
            {
                "day": local_day(row["starts_at"]).isoformat(),
                "starts_at": row["starts_at"].astimezone(LOCAL).isoformat(timespec="minutes"),
                "ends_at": row["ends_at"].astimezone(LOCAL).isoformat(timespec="minutes"),
                "minutes": row["minutes"],
                "kind": KINDS[row["kind"]],
                "content": _said(content),
                "organised_by": _said(organisation["name"] if organisation else ""),
                "record_id": str(row["_id"]),
                "rating": row["rating"],
            }
        )
    awards = [
        {"what": f"{row['stars']} 星志愿者", "level": row["granted_by"], "day": _granted_on(row).isoformat()}
        for row in await kept.stars_of(tx, entries)
        if row["state"] == State.granted
    ]
    for row in await kept.honours_of(tx, entries):
        opened = await keys.persons.open(tx, row["volunteer_id"], row["sealed"])
        awards.append(
            {
                "what": _said(opened["title"]),
                "level": LEVELS[row["level"]],
                "day": row["awarded_on"],
                "awarded_by": _said(opened["awarded_by"]),
            }
        )
    total = await kept.totals(tx, entries)
    return {
        "title": TITLE,
        "notice": NOTICE,
        "day": local_day(tx.now).isoformat(),
        "division": person["division"],
        "basics": {
            "id": str(person["_id"]),
            "name": _said(told.name if plain else masked_name(told.name)),
            "phone": told.phone if plain else masked_phone(told.phone),
            "person_types": [PERSON_TYPES[code] for code in person["person_types"]],
        },
        "service": {"minutes": total["minutes"], "records": service},
        "training": [
            *await _attended(tx, entries),
            *(
                {"when": training.when, "content": _said(training.content), "minutes": None, "from": CLAIMED}
                for training in trainings_told(told.training)
            ),
        ],
        "awards": awards,
        "evaluation": {
            "ratings": total["ratings"],
            "mean": round(total["rating_sum"] / total["ratings"], 2) if total["ratings"] else None,
        },
    }


async def _attended(tx: Tx, entries: Sequence[uuid.UUID]) -> list[Document]:
    """The trainings that the register has the person at."""
    rows = each_session_once(await trainings_kept.attended_by(tx, entries))
    await tx.load("courses", {row["course_id"] for row in rows})
    found = []
    for row in rows:
        course = await trainings_kept.course(tx, row["course_id"])
        title = _said(course["title"] if course else "")
        found.append({"when": row["on"], "content": title, "minutes": row["minutes"], "from": RECORDED})
    return found


def _granted_on(row: Document) -> date:
    return local_day(row["log"][-1]["at"])


def _said(text: str) -> str:
    """A quoted text without the words that the law reserves."""
    for word in RESERVED:
        text = text.replace(word, UNSAID)
    return text


def _answer(document: Document, format: str) -> Response:
    if format == "json":
        return JSONResponse(document, headers={"cache-control": "no-store"})
    return Response(_page(document), media_type=HTML, headers=dict(HEADERS))


def _page(document: Document) -> str:
    """One page to print; whatever a text holds is text."""
    html = Tree.Element("html", lang="zh-CN")
    head, body = Tree.SubElement(html, "head"), Tree.SubElement(html, "body")
    Tree.SubElement(head, "meta", charset="utf-8")
    Tree.SubElement(head, "title").text = TITLE
    Tree.SubElement(head, "style").text = STYLE
    Tree.SubElement(body, "h1").text = TITLE
    Tree.SubElement(body, "p", {"class": "under"}).text = f"截至 {document['day']}"
    basics, service, evaluation = document["basics"], document["service"], document["evaluation"]
    types = "、".join(basics["person_types"])
    _table(body, "一、个人基本信息", ("姓名", "联系电话", "人员类型"), [(basics["name"], basics["phone"], types)])
    hours = f"{service['minutes'] // 60} 小时 {service['minutes'] % 60} 分钟"
    rows = [
        (row["starts_at"].replace("T", " ")[:16], row["minutes"], row["kind"], row["content"], row["organised_by"])
        for row in service["records"]
    ]
    header = ("开始时间", "服务分钟（不含路途）", "类别", "内容", "组织并记录的单位")
    _table(body, f"二、志愿服务情况（合计 {hours}）", header, rows)
    _table(
        body,
        "三、培训情况",
        ("时间", "内容", "学时（分钟）", "来源"),
        [
            (row["when"] or "", row["content"], "" if row["minutes"] is None else row["minutes"], row["from"])
            for row in document["training"]
        ],
    )
    awards = [(row["day"], row["what"], row["level"], row.get("awarded_by", "")) for row in document["awards"]]
    _table(body, "四、表彰奖励情况", ("日期", "名称", "级别", "授予单位"), awards)
    mean = "" if evaluation["mean"] is None else evaluation["mean"]
    _table(body, "五、评价情况", ("评价次数", "平均（1–5）"), [(evaluation["ratings"], mean)])
    Tree.SubElement(body, "p").text = document["notice"]
    return "<!DOCTYPE html>\n" + Tree.tostring(html, encoding="unicode", method="html")


def _table(body: Tree.Element, title: str, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    section = Tree.SubElement(body, "section")
    Tree.SubElement(section, "h2").text = title
    if not rows:
        Tree.SubElement(section, "p").text = "无"
        return
    table = Tree.SubElement(section, "table")
    line = Tree.SubElement(table, "tr")
    for cell in header:
        Tree.SubElement(line, "th").text = cell
    for row in rows:
        line = Tree.SubElement(table, "tr")
        for value in row:
            Tree.SubElement(line, "td").text = str(value)
