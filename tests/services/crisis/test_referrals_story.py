"""The story of a hospital that never replies, hour by hour."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import httpx

from contracts.crisis import ReferralMoved
from tests.services.crisis.test_referrals import Calls
from tests.services.crisis.world import BACKUP, COUNTY, HIGH, HOSPITAL, World, organisation, person

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLINIC = "00000000-0000-7000-8000-0000000000d1"
FEEDBACK = {"outcome": "outpatient_treatment", "next_step": "next_appointment", "medication": "yes"}


async def test_a_hospital_that_never_replies(world: World, client: httpx.AsyncClient) -> None:
    calls = Calls(world, client)
    key = (await world.flag(caller=person(), consent_to_follow_up="yes", **HIGH))["_id"]
    await world.acknowledge(key)

    # The office refers to the county's hospital. Nobody there receives it; it goes to the backup, which is silent too.
    sent = await calls.ok("POST", f"/cases/{key}/refer", calls.officer, {})
    assert sent["organisation_id"] == str(HOSPITAL)
    await world.pass_time(2 * HOUR + timedelta(minutes=1))
    bounced = await world.referral(key)
    assert (bounced["state"], bounced["organisation_id"]) == ("sent", BACKUP)
    assert [step["state"] for step in bounced["history"]][-3:] == ["expired", "bounced", "sent"]
    answer = f"/referrals/{sent['id']}/answer"
    await calls.no(404, "POST", answer, calls.hospital, {"state": "received"})
    assert (await calls.ok("GET", "/attention", calls.officer))["cases"] == []
    await world.pass_time(2 * HOUR)
    assert (await world.referral(key))["state"] == "expired"

    # Nobody is left: it is put before a supervisor, and shows until somebody decides.
    (waiting,) = (await calls.ok("GET", "/attention", calls.officer))["cases"]
    assert "referral_without_receiver" in waiting["decisions_needed"]
    decided = {"decision": "refer", "reason": "另找机构", "about": "referral_without_receiver"}
    await calls.no(409, "POST", f"/cases/{key}/decision", calls.supervisor, decided)

    # A psychiatric clinic joins, with an agreement on file and a green channel; the next try goes there by itself.
    clinic = world.keys.token("receiver", sub="clinic-a", organisation=CLINIC)
    await world.take(organisation(UUID(CLINIC), COUNTY, name="测试诊所"))
    await calls.ok("PUT", f"/receivers/{CLINIC}", calls.supervisor, {"psychiatric": True, "green_channel": True})
    agreement = {"from": "2026-01-01", "until": "2035-12-31"}
    await calls.ok("PUT", f"/receivers/{CLINIC}/agreements/{HOSPITAL}", calls.supervisor, agreement)
    again = await calls.ok("POST", f"/cases/{key}/refer", calls.officer, {})
    assert (again["id"], again["organisation_id"], again["green_channel"]) == (sent["id"], CLINIC, True)
    assert "referral_without_receiver" not in (await world.case(key))["decisions_needed"]

    # Received by name within the hour, accepted, scheduled; the person does not come once, and then does.
    for said in ({"state": "received"}, {"state": "accepted"}):
        await world.pass_time(timedelta(minutes=20))
        await calls.ok("POST", answer, clinic, said)
    for came in (False, True):
        at = (world.now + 2 * DAY).isoformat()
        await calls.ok("POST", answer, clinic, {"state": "scheduled", "at": at})
        await world.pass_time(DAY + HOUR)
        await calls.ok("POST", f"/referrals/{sent['id']}/reminded", calls.officer)
        await world.pass_time(DAY)
        await calls.ok("POST", answer, clinic, {"state": "attended" if came else "unattended"})
        if not came:
            assert "referral_unattended" in (await world.case(key))["decisions_needed"]
            next_at = (world.now + HOUR).isoformat()
            visit = {"decision": "visit", "next_at": next_at, "reason": "上门", "about": "referral_unattended"}
            await calls.ok("POST", f"/cases/{key}/decision", calls.supervisor, visit)

    # The clinic is slow to say what it found; it is asked for, says it, and the loop is closed.
    await world.pass_time(4 * DAY)
    assert "referral_without_outcome" in (await world.case(key))["decisions_needed"]
    done = await calls.ok("POST", answer, clinic, {"state": "completed", "feedback": FEEDBACK})
    assert (done["state"], done["no_shows"], done["receiver"]) == ("completed", 1, "clinic-a")
    assert f"referral:{sent['id']}" not in await world.timers()
    assert (await world.case(key))["owner"]["division"] == COUNTY, "a referral moves no ownership"
    moved = [event.state.value for event in world.emitted(ReferralMoved)]
    assert moved == [
        "drafted",
        "sent",
        "expired",
        "bounced",
        "sent",
        "expired",
        "sent",
        "received",
        "accepted",
        "scheduled",
        "unattended",
        "scheduled",
        "attended",
        "completed",
    ]
