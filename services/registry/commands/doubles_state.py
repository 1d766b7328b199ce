"""What two entries that become one stand for together, and each alone again: consents, the pledge, duty, and whether
the person is wanted at all."""

from __future__ import annotations

from typing import Any

from chassis.tx import Document, Tx
from contracts.registry import ConsentRecorded
from services.registry.commands.availability import Told, tell_availability
from services.registry.commands.consents import told_before
from services.registry.commands.facts import unchecked_together
from services.registry.domain.availability import Window
from services.registry.domain.consents import Consent
from services.registry.domain.doubles import (
    cap_of_both,
    codes_apart,
    consent_of_both,
    pledge_of_both,
    quiet_of_both,
    windows_of_both,
)
from services.registry.keys import Keys

STATE = ("wanted", "unchecked", "consents", "pledge", "rota", "languages", "skills")
"""What a merge works out beside what is told of the person, and keeps to tell what came since."""

_ROTA = ("rota", "languages", "skills", "free_blocks")


async def state_of_both(tx: Tx, keys: Keys, stays: Document, goes: Document) -> Document:
    """The stricter of the two, field by field, for the entry that stays; consents are told and sealed as its own."""
    consents = dict(stays["consents"])
    for purpose in goes["consents"]:
        own, theirs = stays["consents"].get(purpose), goes["consents"][purpose]
        taken = consent_of_both(own, theirs)
        if taken is own or taken is None:
            continue
        sealed = theirs["sealed"]
        if sealed is not None:
            fields = await keys.persons.open(tx, goes["_id"], sealed)
            sealed = await keys.persons.seal(tx, stays["_id"], fields)
        history = sorted([*(own["history"] if own else []), *theirs["history"]], key=lambda entry: entry["at"])[-50:]
        consents[purpose] = {**taken, "sealed": sealed, "history": history}
        _tell_consent(tx, stays, purpose, consents[purpose])
    told = Told(
        (*stays["languages"], *goes["languages"]),
        (*stays["skills"], *goes["skills"]),
        cap_of_both(_rota(stays).hours_a_week, _rota(goes).hours_a_week),
        quiet_of_both(_rota(stays).quiet, _rota(goes).quiet),
        windows_of_both(list(_rota(stays).windows), list(_rota(goes).windows)),
    )
    return {
        "wanted": stays["wanted"] and goes["wanted"],
        "consents": consents,
        "pledge": pledge_of_both(stays["pledge"], goes["pledge"]),
        "unchecked": unchecked_together(stays, goes),
        **_told(tx, stays, told),
    }


def state_apart(tx: Tx, stayed: Document, merge: Document) -> Document:
    """What the entry that stayed stands for alone: its own again, but what was told since the merge."""
    was, went, made = merge["stayed"], merge["went"], merge["made"]
    consents, told_consents = dict(stayed["consents"]), dict(stayed.get("told_consents", {}))
    for purpose, consent in stayed["consents"].items():
        own = was["consents"].get(purpose)
        if _agreed(consent) != _agreed(made["consents"].get(purpose)) or _agreed(own) == _agreed(consent):
            continue
        if own is None:
            del consents[purpose]
            never = {**consent, "state": Consent.withdrawn.value}
            _tell_consent(tx, stayed, purpose, never)
            told_consents[purpose] = never["revision"]
        else:
            consents[purpose] = dict(own)
            _tell_consent(tx, stayed, purpose, consents[purpose])
    rota = stayed["rota"] if _bare(stayed["rota"]) != _bare(made["rota"]) else was["rota"]
    known = _rota({**stayed, "rota": rota})
    codes = [codes_apart(stayed[name], was[name], went[name]) for name in ("languages", "skills")]
    told = Told(tuple(codes[0]), tuple(codes[1]), known.hours_a_week, known.quiet, known.windows)
    return {
        "wanted": was["wanted"] if stayed["wanted"] == made["wanted"] else stayed["wanted"],
        "consents": consents,
        "told_consents": told_consents,
        "pledge": was["pledge"] if stayed["pledge"] == made["pledge"] else stayed["pledge"],
        "unchecked": sorted({*stayed["unchecked"], *(set(was["unchecked"]) - set(made["unchecked"]))}),
        **_told(tx, stayed, told),
    }


def _told(tx: Tx, person: Document, told: Told) -> Document:
    """The fields of availability, told where they change; who never told any is not made to."""
    if person["rota"] is None and told == Told():
        return {}
    document = tell_availability(tx, person, told)
    return {name: document[name] for name in _ROTA}


def _rota(person: Document) -> Told:
    rota = person["rota"] or {"hours_a_week": None, "quiet": None, "windows": []}
    quiet = (rota["quiet"]["start"], rota["quiet"]["end"]) if rota["quiet"] else None
    return Told((), (), rota["hours_a_week"], quiet, tuple(Window(**window) for window in rota["windows"]))


def _bare(rota: Document | None) -> Document | None:
    return {name: value for name, value in rota.items() if name != "revision"} if rota else None


def _agreed(consent: Document | None) -> tuple[Any, ...] | None:
    return tuple(consent[name] for name in ("state", "version", "on")) if consent else None


def _tell_consent(tx: Tx, person: Document, purpose: str, consent: Document) -> None:
    """Told under the entry that stays, whose own count goes on."""
    known = person["consents"].get(purpose)
    consent["revision"] = (known["revision"] if known else told_before(person, purpose)) + 1
    tx.emit(
        ConsentRecorded(
            **tx.stamp(person["division"]),
            volunteer_id=person["_id"],
            revision=consent["revision"],
            division=person["division"],
            purpose=purpose,
            version=consent["version"],
            given=consent["state"] == Consent.given,
        )
    )
