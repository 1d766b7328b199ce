"""Consents and the pledge of confidentiality: what was agreed to, in which version, and what follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import ConsentRecorded
from services.registry.commands.standing import look_again
from services.registry.commands.volunteers import put_volunteer
from services.registry.domain.consents import Consent, Purpose, allows
from services.registry.domain.people_policy import pledges_to_sign
from services.registry.keys import Keys
from services.registry.policy import Policies


@dataclass(frozen=True)
class Guardian:
    """Who answers for a minor; kept under the minor's own key."""

    name: str
    phone: str
    relation: str


async def record_consent(
    tx: Tx,
    keys: Keys,
    person: Document,
    purpose: Purpose,
    state: Consent,
    version: str,
    on: date,
    guardian: Guardian | None,
) -> Document:
    """Write and tell a consent or its withdrawal; told again, nothing more happens.

    A guardian's consent names the guardian. Raises `Refused` and `NotAllowed`.
    """
    if on > local_day(tx.now):
        raise Refused("bad_date", "a consent is not of a day to come", "on")
    if purpose is Purpose.guardian and state is Consent.given and guardian is None:
        raise Refused("missing", "a guardian's consent names the guardian", "guardian")
    if purpose is not Purpose.guardian and guardian is not None:
        raise Refused("not_asked", "a guardian is named with the guardian's own consent only", "guardian")
    before = person["consents"].get(purpose)
    present = Consent(before["state"]) if before else None
    told = {"state": state.value, "version": version, "on": on.isoformat()}
    fields = asdict(guardian) if guardian else {}
    if before is not None and told["on"] < before["on"]:
        raise Refused("bad_date", f"the consent on file is of {before['on']}: what lies before it undoes nothing", "on")
    if before is not None and all(before[name] == value for name, value in told.items()):
        known = await keys.persons.open(tx, person["_id"], before["sealed"]) if before["sealed"] else {}
        if not fields or known == fields:
            return person
    if not allows(present, state):
        raise NotAllowed("what was never given cannot be withdrawn", reason="not_given")
    sealed: bytes | None = before["sealed"] if before else None
    if fields:
        sealed = await keys.persons.seal(tx, person["_id"], fields)
    history = [*(before["history"] if before else []), {**told, "at": tx.now}][-50:]
    revision = (before["revision"] if before else told_before(person, purpose)) + 1
    consent = {**told, "revision": revision, "sealed": sealed, "history": history}
    document = {
        **person,
        "consents": {**person["consents"], purpose.value: consent},
        "revision": person["revision"] + 1,
        "changed_at": tx.now,
    }
    tx.emit(
        ConsentRecorded(
            **tx.stamp(person["division"]),
            volunteer_id=person["_id"],
            revision=revision,
            division=person["division"],
            purpose=purpose.value,
            version=version,
            given=state is Consent.given,
        )
    )
    await put_volunteer(tx, document, person)
    return await look_again(tx, person["_id"], keys.policies, papers=False) or document


def told_before(person: Document, purpose: str) -> int:
    """The last revision told of a consent that came with an entry and went with it again; 0 where there was none."""
    told: int = person.get("told_consents", {}).get(purpose, 0)
    return told


async def sign_pledge(tx: Tx, person: Document, version: str, on: date, policies: Policies) -> Document:
    """Keep which pledge of confidentiality was signed and when; told again, nothing more happens.

    One that is to come may be signed ahead. Raises `Refused` for a version that is not known or is older than the one
    in force, or a day to come.
    """
    known = pledges_to_sign(policies.people, tx.now)
    if version not in known:
        detail = f"the pledge in force is {known[0]}; may be signed: {', '.join(known)}"
        raise Refused("other_version", detail, "version")
    if on > local_day(tx.now):
        raise Refused("bad_date", "a pledge is not signed on a day to come", "signed_on")
    pledge = {"version": version, "signed_on": on.isoformat()}
    if person["pledge"] == pledge:
        return person
    document = {**person, "pledge": pledge, "revision": person["revision"] + 1, "changed_at": tx.now}
    return await put_volunteer(tx, document, person)


async def guardian_of(tx: Tx, keys: Keys, person: Document) -> dict[str, str]:
    """The guardian's fields in plain; empty where none was named."""
    sealed = person["consents"].get(Purpose.guardian, {}).get("sealed")
    return await keys.persons.open(tx, person["_id"], sealed) if sealed else {}
