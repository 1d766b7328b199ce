"""A place's way up the levels: the village proposes, the street, the district and the city pass it on, one names it.

The level that is aimed at names; the levels below it only pass on: the district for itself, the city for its own care
points, and the nation for what the city has passed on.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    proposed = "proposed"
    street_endorsed = "street_endorsed"
    district_endorsed = "district_endorsed"
    city_endorsed = "city_endorsed"
    named = "named"
    returned = "returned"
    refused = "refused"
    withdrawn = "withdrawn"
    ended = "ended"


NEXT: dict[State, frozenset[State]] = {
    State.proposed: frozenset({State.street_endorsed, State.returned, State.refused, State.withdrawn}),
    State.street_endorsed: frozenset(
        {State.district_endorsed, State.named, State.returned, State.refused, State.withdrawn}
    ),
    State.district_endorsed: frozenset(
        {State.city_endorsed, State.named, State.returned, State.refused, State.withdrawn}
    ),
    State.city_endorsed: frozenset({State.named, State.returned, State.refused, State.withdrawn}),
    # What was sent back is mended and proposed again, from the bottom.
    State.returned: frozenset({State.proposed, State.withdrawn}),
    State.named: frozenset({State.ended}),
    State.refused: frozenset(),
    State.withdrawn: frozenset(),
    State.ended: frozenset(),
}
CLOSED = frozenset({State.refused, State.withdrawn, State.ended})
AIMS = ("district", "city", "nation")
_NAMED_FROM = {
    "district": State.street_endorsed,
    "city": State.district_endorsed,
    "nation": State.city_endorsed,
}
# How many digits the division of the one who decides may have, at most: a street has 9, a district 6, a city 4.
_STREET, _DISTRICT, _CITY, _NATION = 9, 6, 4, 2
_DECIDES_AT = {
    State.proposed: _STREET,
    State.street_endorsed: _DISTRICT,
    State.district_endorsed: _CITY,
    State.city_endorsed: _NATION,
}
_STEP_OF = {State.street_endorsed: _STREET, State.district_endorsed: _DISTRICT, State.city_endorsed: _CITY}
_NAMES = {"district": _DISTRICT, "city": _CITY, "nation": _NATION}


def allows(present: State, following: State) -> bool:
    """Whether the table has the step; `fits` says whether it suits the level aimed at."""
    return following in NEXT[present]


def fits(present: State, following: State, aim: str) -> bool:
    """Whether the step suits the aim: named by the level aimed at and no other, passed on no further than to it."""
    if not allows(present, following):
        return False
    if following is State.named:
        return present is _NAMED_FROM[aim]
    if following in _STEP_OF:
        return present is not _NAMED_FROM[aim]
    return True


def digits_needed(present: State, following: State, aim: str) -> int:
    """How long the division code of the caller may be, at most; 12 where the village may do it itself."""
    if following is State.named or following is State.ended:
        # The nation's decision is entered by the city that passed it on.
        return max(_NAMES[aim], _CITY)
    if following in _STEP_OF:
        return _STEP_OF[following]
    if following in (State.returned, State.refused):
        return max(_DECIDES_AT[present], _CITY)
    return 12
