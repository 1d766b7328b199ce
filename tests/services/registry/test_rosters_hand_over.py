"""The note from one turn to the next: sealed, read by the next, and each reading logged."""

from __future__ import annotations

from datetime import timedelta

from chassis.clock import now
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import people, rostered

WORDS = "示例来电者约定二十时回拨"
WHY = {"reason": "接班"}


def around(volunteer: str, start: int, end: int) -> dict[str, str]:
    times = [(now() + timedelta(hours=hour)).isoformat() for hour in (start, end)]
    return {"volunteer_id": volunteer, "starts_at": times[0], "ends_at": times[1]}


async def test_the_next_turn_reads_what_the_last_one_left_and_nobody_else(registry: Registry) -> None:
    one, two, three = await people(registry, 3)
    async with registry.client("320706") as client:
        made = await rostered(client, around(one, -2, 2), around(two, 2, 6), around(three, 6, 9))
        duties = [f"/v1/rosters/line-1/duties/{item['id']}/hand-over" for item in made.json()["items"]]
    async with registry.client("320706", "volunteer", subject=two) as client:
        assert (await client.put(duties[0], json={"text": WORDS})).status_code == 404
        assert (await client.put(duties[1], json={"text": WORDS})).json()["reason"] == "not_begun"
        assert (await client.post(f"{duties[0]}/read", json=WHY)).status_code == 404
    async with registry.client("320706", "volunteer", subject=one) as client:
        for _ in range(2):
            noted = await client.put(duties[0], json={"text": WORDS})
            assert (noted.status_code, noted.json()["revision"], "text" in noted.json()) == (200, 1, False)
        assert (await client.put(duties[0], json={"text": ""})).json()["field"] == "body.text"
    for subject, status in ((one, 200), (two, 200), (three, 404)):
        async with registry.client("320706", "volunteer", subject=subject) as client:
            answer = await client.post(f"{duties[0]}/read", json=WHY)
            assert answer.status_code == status
            assert (WORDS in answer.text) == (status == 200)
    async with registry.client("370812", "supervisor") as client:
        assert (await client.post(f"{duties[0]}/read", json=WHY)).status_code == 404
        assert (await client.get("/v1/rosters/line-1/hand-overs")).status_code == 404
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post(f"{duties[0]}/read", json=WHY)).status_code == 403
        start = (now() - timedelta(days=1)).isoformat()
        listed = await client.get("/v1/rosters/line-1/hand-overs", params={"from": start})
        assert len(listed.json()["items"]) == 1
        assert WORDS not in listed.text
    rows = await registry.database.find("hand_overs", {})
    assert WORDS.encode() not in rows[0]["sealed"]
    (event,) = await registry.events("hand_over_noted")
    assert event["next_duty_id"] == made.json()["items"][1]["id"]
    read = [row["actor"] for row in await registry.database.find("audit_log", {}) if row["action"] == "hand_over.read"]
    assert read == [one, two]
    async with registry.client("320706") as client:
        await client.post(f"/v1/volunteers/{one}/erase", json={"reason": "本人要求"})
        assert (await client.post(f"{duties[0]}/read", json=WHY)).status_code == 409
