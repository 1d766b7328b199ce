"""Providers of services: registered with what proves who they are, verified by a person, each change with its event."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.errors import NotAllowed, Refused
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from contracts.registry import ProviderRegistered
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation
from services.registry.commands.places_people import known_person
from services.registry.commands.teams import organisation_anywhere
from services.registry.domain.providers import Type, misplaced, unproven
from services.registry.domain.providers_status import State, allows
from services.registry.keys import Keys
from services.registry.store import teams as kept

IDENTITY = "identity_number"


async def register_provider(
    tx: Tx, keys: Keys, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, by: str, inside: str
) -> Document:
    """A new provider, or the present state of one; what changes its proof takes the verification away.

    An identity number that is not told again stays; it is kept sealed under the person's own key, and by hash.
    """
    await known_division(tx, told["division"])
    kind, number = Type(told["type"]), told.pop(IDENTITY)
    if name := misplaced(kind, {**told, IDENTITY: number}):
        raise Refused("misplaced", "这一类服务主体不填此项", name)
    if before is not None and before["status"] == State.ended:
        raise NotAllowed("该服务主体已注销")
    if before is not None and before["type"] != kind:
        raise NotAllowed("类型不能改变，请另行登记", field="type")
    await _linked(tx, told, inside)
    if told["person_id"] is not None:
        told["person_id"] = await _person(tx, told["person_id"], before, inside)
    document: Document = {**(before or _new(tx, ident, by)), **told}
    if before is not None and number is None and before.get("identity_key") and _county(before) != _county(document):
        raise Refused("missing", "迁入另一区县须重新填写身份证件号码", IDENTITY)
    if number is not None:
        await _seal(tx, keys, document, number)
    document = _keyed(document)
    await _free(tx, document)
    if before is not None and _told(document) == _told(before):
        return before
    if before is not None and _proof(document) != _proof(before) and document["status"] != State.registered:
        document = _logged(tx, document, State.registered, "proof changed", by)
    return _write(tx, document)


async def _person(tx: Tx, ident: uuid.UUID, before: Document | None, inside: str) -> uuid.UUID:
    """The person that a provider is. One that was merged stays under the id whose key seals the number."""
    if before is None:
        found: uuid.UUID = (await known_person(tx, ident, inside))["_id"]
        return found
    same: uuid.UUID | None = before["person_id"]
    if same is None or same not in await store.entries_of(tx, ident):
        raise NotAllowed("人员不能改变，请另行登记", field="person_id")
    return same


def _county(document: Document) -> str:
    return str(document["division"])[:6]


def _keyed(document: Document) -> Document:
    """With what no two providers of a county share, as long as it is not ended: then another may have it.

    And with the last day of its licence, by which those that run out are found.
    """
    document = {name: value for name, value in document.items() if name not in ("credit_key", "licence_until")}
    if document["status"] == State.ended:
        document.pop("identity_key", None)
        return document
    if document.get("credit_code") is not None:
        document["credit_key"] = f"{_county(document)}:{document['credit_code']}"
    licence = document.get("licence")
    if licence is not None and licence["valid_until"] is not None:
        document["licence_until"] = licence["valid_until"]
    return document


async def _free(tx: Tx, document: Document) -> None:
    for key, field, words in (
        ("credit_key", "credit_code", "本区县已有这一统一社会信用代码的服务主体"),
        ("identity_key", IDENTITY, "本区县已有这一身份证件的服务主体"),
    ):
        if document.get(key) is not None and await kept.other_provider(tx, key, document[key], document["_id"]):
            raise NotAllowed(words, reason="registered_already", field=field)


def _new(tx: Tx, ident: uuid.UUID, by: str) -> Document:
    log = [{"status": State.registered.value, "by": by, "at": tx.now, "reason": ""}]
    return {"_id": ident, "revision": 0, "status": State.registered.value, "status_log": log}


async def _linked(tx: Tx, told: dict[str, Any], inside: str) -> None:
    if told["organisation_id"] is not None:
        await known_organisation(tx, told["organisation_id"], inside)
    if told["supervisor_id"] is not None:
        await organisation_anywhere(tx, told["supervisor_id"], "supervisor_id")
    if told["team_id"] is not None:
        team = await kept.document(tx, "teams", told["team_id"])
        if team is None or not team["division"].startswith(inside):
            raise Refused("unknown_team", "没有这支队伍", "team_id")


async def _seal(tx: Tx, keys: Keys, document: Document, number: str) -> None:
    """Sealed anew only where the number is another one, so that the same again changes nothing."""
    if document["person_id"] is None:
        raise Refused("missing", "填身份证件号码时须指明人员", "person_id")
    # With the county in it, so that it tells nobody who is a provider elsewhere.
    hashed = keyed_hash(keys.master, "identity", _county(document), number)
    if document.get("identity_key") == hashed:
        return
    document["identity_key"] = hashed
    document["sealed"] = await keys.persons.seal(tx, document["person_id"], {IDENTITY: number})


def move_provider(tx: Tx, provider: Document, to: State, reason: str, by: str) -> Document:
    """The next status; a verification is on record, and needs all that the type is verified by."""
    present = State(provider["status"])
    if to is present:
        return provider
    if not allows(present, to):
        raise NotAllowed(f"服务主体现为 {present.value}，不能变为 {to.value}")
    if to is State.verified:
        proof = {**provider, IDENTITY: provider.get("identity_key")}
        if lacking := unproven(Type(provider["type"]), proof):
            raise NotAllowed("核验材料不全", reason="unproven", field=lacking[0])
        tx.record(
            actor=by,
            action="provider.verified",
            subject=str(provider["_id"]),
            reason=reason,
            division=provider["division"],
            type=provider["type"],
        )
    return _write(tx, _logged(tx, provider, to, reason, by))


def rewrite_provider(tx: Tx, provider: Document, by: str, *, anew: bool = False) -> Document:
    """Write a provider whose fields were set; `anew` where it has to be verified again for them."""
    if anew and provider["status"] in (State.verified, State.suspended):
        provider = _logged(tx, provider, State.registered, "proof changed", by)
    return _write(tx, provider)


async def forget_identity(tx: Tx, person: uuid.UUID) -> None:
    """A person was erased: the hash of the identity number and what was sealed go too, and the provider ends."""
    for provider in await kept.providers_of(tx, person):
        gone = {name: value for name, value in provider.items() if name not in ("identity_key", "sealed")}
        if gone["status"] != State.ended:
            gone = _logged(tx, gone, State.ended, "erased", "")
        _write(tx, gone)


def _logged(tx: Tx, provider: Document, to: State, reason: str, by: str) -> Document:
    entry = {"status": to.value, "by": by, "at": tx.now, "reason": reason}
    return {**provider, "status": to.value, "status_log": [*provider["status_log"], entry]}


def _proof(document: Document) -> tuple[Any, ...]:
    names = ("kind", "credit_code", "organisation_id", "supervisor_id", "team_id", "identity_key")
    return tuple(document.get(name) for name in names)


def _told(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in ("revision", "sealed")}


def _write(tx: Tx, document: Document) -> Document:
    document = {**_keyed(document), "revision": document["revision"] + 1}
    tx.put("providers", document)
    tx.emit(
        ProviderRegistered(
            **tx.stamp(document["division"]),
            provider_id=document["_id"],
            revision=document["revision"],
            type=document["type"],
            division=document["division"],
            status=document["status"],
            kind=document["kind"],
            organisation_id=document["organisation_id"],
            team_id=document["team_id"],
            supervisor_id=document["supervisor_id"],
            services=tuple(document.get("services", ())),
        )
    )
    return document
