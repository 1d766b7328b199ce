"""The chains of two cases that become one: what was withheld from the class stays withheld."""

from __future__ import annotations

from copy import deepcopy

from chassis.tx import Document, Tx
from services.crisis.case import note
from services.crisis.commands.chains import _arm, _call, _rules, acknowledged, line_takes
from services.crisis.domain import chains
from services.crisis.domain.chains_notices import Addressee, NoticeState
from services.crisis.office import Office
from services.crisis.store.chains_notices import unreceived_of


async def join_chains(case: Document, gone: Document, tx: Tx, office: Office) -> None:
    """The case keeps its chain, or takes over the other one; if either is withheld from the class, it is from now on.

    Where the case's own chain is not of that school, the withheld one goes on in its place, and the line is called as
    well, since whoever held the own one is no longer asked. Runs before the other case's chain is ended, when the
    notices of both cases are the case's.
    """
    own, other = case.get("chain"), gone.get("chain")
    if gone.get("past_chains"):
        case["past_chains"] = [*gone["past_chains"], *case.get("past_chains", [])][-10:]
    if other is not None and (own is None or (other["withheld"] and not _covers(case, other, office))):
        case["chain"] = deepcopy(other)
        note(case, tx, "chain_taken_over", "policy", merged_case_id=gone["_id"], withheld=other["withheld"])
        if own is not None:
            chains.end(own)
            case["past_chains"] = [*case.get("past_chains", []), own][-10:]
            line_takes(case, tx, office)
    elif own is not None and other is not None and other["withheld"] and not own["withheld"]:
        rules = _rules(case, office)
        start = rules.place(rules.withheld_start)
        assert start is not None, "a chain that covers one that is withheld has a place to begin at"
        chains.withhold(own, start)
        note(case, tx, "chain_withheld", "policy", merged_case_id=gone["_id"])
        await _call(case, chains.to_call(own), rules, tx, office)
    chain = case.get("chain")
    if chain is None:
        return
    if chain["withheld"]:
        for notice in await unreceived_of(tx, case["_id"]):
            if notice["to"] == Addressee.class_:
                tx.put("notices", {**notice, "state": NoticeState.withdrawn.value})
    _arm(case, tx)
    if case["acknowledgement"]["state"] == "acknowledged":
        acknowledged(case, tx)


def _covers(case: Document, other: Document, office: Office) -> bool:
    """Whether the case's own chain is of the same school, and knows how to leave the class out."""
    own, rules = case["chain"], _rules(case, office)
    same = (own["setting"], own["organisation_id"]) == (other["setting"], other["organisation_id"])
    return same and rules.place(rules.withheld_start) is not None
