"""Every query of the registry's database; each module says the shape of the documents that it is about."""

from __future__ import annotations

from typing import Any

from services.registry.store import (
    core,
    coverage,
    library,
    people,
    people_search,
    places,
    qualifications,
    recruitment,
    rosters,
    service_records,
    teams,
    trainings,
)
from services.registry.store.core import (
    PORTION,
    ROSTER_LATER,
    children,
    codes_under,
    division,
    divisions,
    divisions_below,
    duties_of,
    duty,
    every,
    known_codes,
    names_in_edition,
    organisation,
    organisations_by_key,
    page,
    portions,
    roster,
    turns_on,
    within,
)
from services.registry.store.people import (
    active_volunteers,
    counts,
    groups_alike,
    import_of,
    imports_in,
    merge,
    merge_that_took,
    merged_into,
    merges_of,
    near,
    people_of,
    survivor,
    volunteer,
    volunteers_by_identity,
    volunteers_in,
    with_traits,
)

PARTS = (
    core,
    people,
    places,
    coverage,
    rosters,
    people_search,
    library,
    recruitment,
    service_records,
    qualifications,
    trainings,
    teams,
)
COLLECTIONS: dict[str, list[Any]] = {
    name: [one for part in PARTS for one in part.COLLECTIONS.get(name, ())]
    for part in PARTS
    for name in part.COLLECTIONS
}

__all__ = [
    "COLLECTIONS",
    "PORTION",
    "ROSTER_LATER",
    "active_volunteers",
    "children",
    "codes_under",
    "counts",
    "division",
    "divisions",
    "divisions_below",
    "duties_of",
    "duty",
    "every",
    "groups_alike",
    "import_of",
    "imports_in",
    "known_codes",
    "merge",
    "merge_that_took",
    "merged_into",
    "merges_of",
    "names_in_edition",
    "near",
    "organisation",
    "organisations_by_key",
    "page",
    "people_of",
    "portions",
    "roster",
    "survivor",
    "turns_on",
    "volunteer",
    "volunteers_by_identity",
    "volunteers_in",
    "with_traits",
    "within",
]
