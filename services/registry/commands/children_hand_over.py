"""A child that moves within the county: its keeper hands the record over, and the keeper it goes to takes it."""

from __future__ import annotations

from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.children import COUNTY, Keeper, check_consent, note, save, without_tasks
from services.registry.commands.divisions import known_division
from services.registry.domain.children import State, key_of
from services.registry.keys import Keys

REASON = "moved_away"


async def hand_over(tx: Tx, record: Document, to: str | None, by: str) -> Document:
    """Offer a record to the keeper of a division of the county, or take the offer back; it stays until it is taken.

    Into another county nothing is handed over: there the child is listed anew, with a consent of its own.
    """
    if record["state"] != State.listed:
        raise NotAllowed("记录已结束或已删除，不能移交", reason="not_listed")
    if to is not None:
        if to[:COUNTY] != record["division"][:COUNTY]:
            raise Refused("other_county", "移交限于本区县；迁往外地的，结束记录后由当地登记", "to")
        if await store.division(tx, to) is None:
            raise Refused("unknown_division", f"there is no division {to}", "to")
    if record.get("handed_to") == to:
        return record
    rest = {name: value for name, value in record.items() if name != "handed_to"}
    note(tx, record, "child.handed_over", REASON if to else "taken_back", by)
    return save(tx, {**rest, **({"handed_to": to} if to else {})}, by)


async def take_over(tx: Tx, keys: Keys, record: Document | None, division: str, who: Keeper) -> Document:
    """Take a record that was handed over into a division of one's own; tasks that others gave are taken back.

    What was not handed over to the caller's divisions is not there.
    """
    offered = record.get("handed_to") if record is not None else None
    team = who.team_over(division)
    if record is None or offered is None or who.team_over(offered) is None:
        raise NotFound("there is no such record")
    if team is None or not division.startswith(offered):
        raise Refused("other_division", f"接收的区划须在 {offered} 之内，并由接收人管理", "division")
    await known_division(tx, division)
    personal = await keys.persons.open(tx, key_of(record["_id"]), record["sealed"])
    await check_consent(tx, keys.policies, record, personal, team)
    rest = {name: value for name, value in (await without_tasks(tx, record)).items() if name != "handed_to"}
    note(tx, record, "child.taken_over", REASON, who.subject)
    return save(tx, {**rest, "division": division, "team_id": team}, who.subject)
