"""A crisis office to test with: real handlers on a real database, and a clock that a test can move."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from fastapi import FastAPI
from joserfc import jwe
from joserfc.jwk import ECKey, KeySet, OKPKey

from chassis import audit_log
from chassis.auth import Caller, Tokens, issue
from chassis.clock import new_id, now
from chassis.db import Database
from chassis.envelope import from_message
from chassis.errors import NotAllowed
from chassis.http import create_app
from chassis.service import Blueprint, Service
from chassis.settings import Settings
from chassis.tx import Document, Tx
from contracts.base import Event, Tier
from contracts.crisis import CaseOutcome, ReferralState
from contracts.hotline import RiskFlagged
from contracts.registry import Division, DivisionsListed, OrganisationKind, OrganisationRegistered
from services.crisis import commands
from services.crisis.app import blueprint
from services.crisis.case import follow_up_rules
from services.crisis.commands.closing import CLOSING_DECIDES
from services.crisis.commands.follow_ups_decisions import ABOUT_THE_PERSON, propose_ending
from services.crisis.commands.referrals import Feedback
from services.crisis.domain.follow_up import Ground, next_attempt_from
from services.crisis.domain.matters import Decision, Matter
from services.crisis.domain.referral import Medication, NextStep, OutcomeCode
from services.crisis.office import Office, open_office

T = TypeVar("T")
E = TypeVar("E", bound=Event)

COUNTY = "370812"
TOWN = "370812001"
NEIGHBOUR = "370811"
PLACES = {"37": "甲省", "3708": "甲市", COUNTY: "甲区", TOWN: "甲镇", NEIGHBOUR: "乙区", "320706": "丙区"}
PLACES |= {f"{TOWN}001": "甲村", f"{TOWN}002": "乙村"}

HOSPITAL = UUID("00000000-0000-7000-8000-0000000000a1")
BACKUP = UUID("00000000-0000-7000-8000-0000000000a2")
ELSEWHERE = UUID("00000000-0000-7000-8000-0000000000b1")

NO = dict.fromkeys(("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks"), "no")
LOW = {**NO, "hotline_level": "low"}
MODERATE = {**NO, "hotline_level": "moderate"}
HIGH = {**NO, "plan_within_72_hours": "yes"}
IMMINENT = {**NO, "act_in_progress": "yes"}
BY_TIER = {Tier.low: LOW, Tier.moderate: MODERATE, Tier.high: HIGH, Tier.imminent: IMMINENT}

OFFICER = Caller("officer-a", frozenset({"duty_officer"}), COUNTY)
OTHER_OFFICER = Caller("officer-b", frozenset({"duty_officer"}), COUNTY)
SUPERVISOR = Caller("supervisor-a", frozenset({"supervisor"}), COUNTY)
OTHER_SUPERVISOR = Caller("supervisor-b", frozenset({"supervisor"}), COUNTY)
STRANGER = Caller("officer-x", frozenset({"duty_officer", "supervisor"}), NEIGHBOUR)


SETTLED_BY_END = ABOUT_THE_PERSON - CLOSING_DECIDES
FEEDBACK = Feedback(OutcomeCode.outpatient_treatment, NextStep.follow_up, Medication.unknown)


def receiver(organisation: UUID) -> Caller:
    """A named person at a receiving institution."""
    return Caller("receiver-a", frozenset({"receiver"}), COUNTY, organisation=str(organisation))


def person(number: int = 1) -> str:
    """A caller's pseudonym."""
    return f"{number:064x}"


def a_flag(county: str = COUNTY, **said: Any) -> RiskFlagged:
    """A flag with nothing asked but what is said; a contact of its own."""
    moment = said.pop("moment", None) or now()
    said = {"hotline": "line-1", "contact": uuid4().hex, "channel": "call", **said}
    said = {"contact_started_at": moment, "flagged_at": moment, "county": county, **said}
    return RiskFlagged.model_validate({"id": said.pop("id", new_id()), "occurred_at": moment, "region": county, **said})


class Standing:
    """Stands for the one of the present test: routes are made once, for making them costs more than a test."""

    def __init__(self) -> None:
        self.present: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.present, name)


@cache
def shared_keys() -> Keys:
    """One office's keys for all tests of a run."""
    folder = TemporaryDirectory()
    made = Keys(Path(folder.name))
    made.kept = folder
    return made


@dataclass
class Keys:
    """The keys that an office is given, in files."""

    folder: Path
    signing: OKPKey = field(init=False)
    sealing: ECKey = field(init=False)
    kept: Any = None

    def __post_init__(self) -> None:
        self.signing = OKPKey.generate_key("Ed25519", {"kid": "test"})
        self.sealing = ECKey.generate_key("P-256", {"kid": "crisis"})
        self.path("jwks").write_text(json.dumps(KeySet([self.signing]).as_dict(private=False)))
        self.path("sealing").write_text(json.dumps(self.sealing.as_dict(private=True)))
        self.path("master").write_text(base64.b64encode(os.urandom(32)).decode())

    def path(self, name: str) -> Path:
        return self.folder / name

    def settings(self) -> Settings:
        return Settings(
            service="crisis",
            mongo_uri_file=self.path("mongo"),
            token_keys_file=self.path("jwks"),
            master_key_file=self.path("master"),
            sealing_key_file=self.path("sealing"),
        )

    @cached_property
    def office(self) -> Office:
        return open_office(None, self.path("master"), self.path("sealing"))

    @cached_property
    def blueprint(self) -> Blueprint:
        return blueprint(self.settings())

    @cached_property
    def http(self) -> tuple[FastAPI, Standing, Standing]:
        """The HTTP side with its real routes, for a database and a bus that stand in until a test brings its own."""
        settings, database, bus = self.settings(), Standing(), Standing()
        tokens = Tokens(settings.token_keys_file, settings.token_issuer, settings.token_audience)
        app = create_app(self.blueprint.title, tokens, {})
        audit_log.routes(app, cast(Database, database))
        self.blueprint.routes(app, cast(Service, SimpleNamespace(database=database, bus=bus)))
        return app, database, bus

    def token(self, *roles: str, sub: str = "someone", division: str = COUNTY, **claims: Any) -> dict[str, str]:
        """The header of a request by such a caller."""
        word = issue(
            self.signing, "xinqiao-local", "xinqiao", 600, sub=sub, roles=list(roles), division=division, **claims
        )
        return {"authorization": f"Bearer {word}"}

    def seal(self, content: bytes | dict[str, Any]) -> str:
        """What a hotline does with the contact, by the office's public key alone."""
        public = ECKey.import_key(self.sealing.as_dict(private=False))
        plain = content if isinstance(content, bytes) else json.dumps(content).encode()
        registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"])
        return jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, plain, public, registry=registry)


class MovedClock(Database):
    """The database, whose transactions happen at `ahead` of the real time."""

    ahead = timedelta(0)

    async def transact(self, body: Callable[[Tx], Awaitable[T]]) -> T:
        async def later(tx: Tx) -> T:
            tx.now += self.ahead
            return await body(tx)

        return await super().transact(later)


class World:
    """What happens in the office, at a time that a test sets. `events` is all that was committed to the outbox."""

    def __init__(self, database: MovedClock, keys: Keys) -> None:
        self.database = database
        self.keys = keys
        self.office = keys.office
        self.blueprint = keys.blueprint
        self.events: list[Event] = []
        database.committed = self._committed

    def _committed(self, tx: Tx) -> None:
        self.events += [from_message(row["subject"], row["headers"], row["body"]) for row in tx.outbox]

    def emitted(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    # What comes from outside

    async def take(self, *events: Event) -> None:
        """One group of one type, as the consumer hands it over: read ahead, then one by one in one transaction."""
        handles = next(one for one in self.blueprint.handles if one.event is type(events[0]))

        async def group(tx: Tx) -> None:
            if handles.load is not None:
                await handles.load(events, tx)
            for event in events:
                await handles.handler(event, tx)

        await self.database.transact(group)

    async def flag(self, county: str = COUNTY, **said: Any) -> Document:
        """A flag comes in; the case that it opened or joined."""
        flag = a_flag(county, **said)
        await self.take(flag)
        return await self.case_of(flag.id)

    async def settle_in(self) -> None:
        """The registry's list arrives: divisions, a hospital with a backup, and one next door."""
        await self.take(
            DivisionsListed(
                **stamp(),
                edition="test",
                divisions=tuple(Division(code=code, name=name) for code, name in PLACES.items()),
            )
        )
        await self.take(
            organisation(HOSPITAL, COUNTY, backup_id=BACKUP),
            organisation(BACKUP, "3708"),
            organisation(ELSEWHERE, NEIGHBOUR),
        )

    # Time

    @property
    def now(self) -> Any:
        return now() + self.database.ahead

    async def pass_time(self, span: timedelta, act: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let time pass; each timer on the way takes effect at its moment, and then `act` is called."""
        end = self.database.ahead + span
        while True:
            due = await self.database.find("timers", {}, sort=[("due_at", 1), ("_id", 1)], limit=1)
            if not due or due[0]["due_at"] - now() > end:
                break
            self.database.ahead = max(self.database.ahead, due[0]["due_at"] - now())
            await self.fire(due[0]["_id"])
            if act is not None:
                await act()
        self.database.ahead = max(self.database.ahead, end)

    async def be_away(self, span: timedelta) -> None:
        """Nothing runs for so long; then what is due takes effect, late."""
        self.database.ahead += span
        for timer in await self.database.find("timers", {"due_at": {"$lte": self.now}}, sort=[("due_at", 1)]):
            await self.fire(timer["_id"])

    async def fire(self, key: str) -> None:
        """One timer takes effect, as `chassis.timers` lets it."""

        async def body(tx: Tx) -> None:
            timer = await tx.get("timers", key)
            if timer is None:
                return
            tx.now = max(tx.now, timer["due_at"])
            tx.delete("timers", key)
            await self.blueprint.timers[timer["kind"]](timer["key"], tx)

        await self.database.transact(body)

    async def timers(self) -> set[str]:
        return {timer["_id"] for timer in await self.database.find("timers", {})}

    async def until_due(self, case_id: UUID) -> Document:
        """Let time pass until the next follow-up of a case is due, whatever the time of day is now."""
        while not (due := [item for item in await self.follow_ups(case_id) if item["state"] == "due"]):
            moment = min(item["due_at"] for item in await self.follow_ups(case_id) if item["state"] == "planned")
            await self.pass_time(max(moment - self.now, timedelta(0)) + timedelta(seconds=1))
        return due[0]

    async def try_each(self, case_id: UUID, follow_up_id: UUID, *outcomes: str) -> Document:
        """Attempts with these outcomes, each at the first time at which it counts."""
        plan: Document | None = None
        for outcome in outcomes:
            item = next(one for one in await self.follow_ups(case_id) if one["id"] == follow_up_id)
            case, plan = await self.case(case_id), await self.database.get("plans", case_id)
            assert plan is not None
            rules = follow_up_rules(plan, case, self.office.policies.of(plan["policy"]), item)
            start = max(next_attempt_from(item, rules) or self.now, self.now)
            start = rules.hours.following(start) if rules.hours else start
            await self.pass_time(start - self.now + timedelta(seconds=1))
            plan = await self.attempt(case_id, follow_up_id, outcome)
        assert plan is not None
        return plan

    # What is in the books

    async def case(self, case_id: UUID) -> Document:
        found = await self.database.get("cases", case_id)
        assert found is not None
        return found

    async def case_of(self, flag_id: UUID) -> Document:
        (found,) = await self.database.find("cases", {"flags.id": flag_id})
        return found

    async def cases(self) -> list[Document]:
        return await self.database.find("cases", {}, sort=[("_id", 1)])

    async def referral(self, case_id: UUID) -> Document:
        case = await self.case(case_id)
        found = await self.database.get("referrals", case["referral_id"])
        assert found is not None
        return found

    async def follow_ups(self, case_id: UUID) -> list[Document]:
        plan = await self.database.get("plans", case_id)
        return [] if plan is None else list(plan["follow_ups"])

    async def audit_log(self) -> list[Document]:
        return await self.database.find("audit_log", {}, sort=[("_id", 1)])

    # What people do

    async def do(self, command: Callable[[Tx], Awaitable[T]]) -> T:
        return await self.database.transact(command)

    async def acknowledge(self, case_id: UUID, caller: Caller = OFFICER) -> Document:
        return await self.do(lambda tx: commands.acknowledge(case_id, caller, tx, self.office))

    async def refer(self, case_id: UUID, organisation_id: UUID | None = None, caller: Caller = SUPERVISOR) -> Document:
        return await self.do(
            lambda tx: commands.refer(case_id, organisation_id, "没有联系上本人", caller, tx, self.office)
        )

    async def answer(self, referral: Document, state: ReferralState, **more: Any) -> Document:
        """The institution that has the referral now answers."""
        caller = receiver(referral["organisation_id"])
        return await self.do(
            lambda tx: commands.answer_referral(
                referral["_id"],
                state,
                more.get("reason", "没有床位"),
                more.get("at"),
                caller,
                tx,
                self.office,
                more.get("feedback", FEEDBACK if state is ReferralState.completed else None),
            )
        )

    async def attempt(
        self, case_id: UUID, follow_up_id: UUID, outcome: str, caller: Caller = OFFICER, **more: Any
    ) -> Document:
        return await self.do(
            lambda tx: commands.record_attempt(case_id, follow_up_id, outcome, caller, tx, self.office, **more)
        )

    async def decide(self, case_id: UUID, decision: str, **more: Any) -> Document:
        return await self.do(
            lambda tx: commands.decide(
                case_id,
                Decision(decision),
                "会商决定",
                more.get("next_at"),
                more.get("caller", SUPERVISOR),
                tx,
                self.office,
                more.get("about"),
                ground=Ground(more["ground"]) if "ground" in more else None,
                override_reason=more.get("override_reason"),
            )
        )

    async def close(self, case_id: UUID, caller: Caller = SUPERVISOR) -> Document:
        """The case is closed; what is open ends first: contacts still to come, and matters that wait for a decision."""

        async def close(tx: Tx) -> Document:
            return await commands.close(case_id, CaseOutcome.risk_reduced, "会商决定", caller, tx, self.office)

        for _ in range(3):
            try:
                return await self.do(close)
            except NotAllowed as refusal:
                if refusal.reason == "follow_up_open":
                    await self.end_follow_up(case_id)
                elif refusal.reason == "matters_open":
                    await self.settle(case_id)
                else:
                    raise
        return await self.do(close)

    async def settle(self, case_id: UUID) -> None:
        """What waits for a decision gets one; what is about the person is settled by the follow-up's end."""
        if any(Matter(about) in SETTLED_BY_END for about in (await self.case(case_id))["decisions_needed"]):
            await self.end_follow_up(case_id)
        for about in (await self.case(case_id))["decisions_needed"]:
            if Matter(about) not in CLOSING_DECIDES:
                await self.decide(case_id, "done", about=Matter(about))

    async def end_follow_up(self, case_id: UUID) -> None:
        """Two persons answer for a ground that the record does not bear out."""
        about = (await self.case(case_id))["decisions_needed"][:1]
        await self.do(lambda tx: propose_ending(case_id, Ground.risk_reduced, "会商决定", OTHER_SUPERVISOR, tx))
        more = {"about": Matter(about[0])} if about else {}
        await self.decide(case_id, "end_follow_up", ground=Ground.risk_reduced, override_reason="两人会商决定", **more)


def organisation(ident: UUID, division: str, **more: Any) -> OrganisationRegistered:
    """An institution that receives referrals."""
    kind = OrganisationKind.hospital
    said = {"revision": 1, "name": "测试医院", "receives_referrals": True, "kind": kind, **more}
    return OrganisationRegistered(**stamp(), organisation_id=ident, division=division, **said)


def stamp(division: str = COUNTY) -> dict[str, Any]:
    """The envelope of an event of now."""
    return {"id": new_id(), "occurred_at": now(), "region": division[:6] if len(division) >= 6 else "000000"}


def make_app(world: World, bus: Any = None) -> FastAPI:
    """The HTTP side with its real routes, on the world's database and a bus of the test's choice."""
    app, database, standing_bus = world.keys.http
    database.present, standing_bus.present = world.database, bus
    return app
