"""Which place a room is in: 综治中心 or 城乡社区综合服务中心, of the county or the town that the room serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.registry.domain.places import Flaw
from services.registry.domain.places_labels import TIER_DIGITS, TYPES

HOUSES = frozenset({"governance_centre", "community_service_centre"})
ROOMS_IN_HOUSES = frozenset({"governance_room", "village_room", "counselling_room", "station"})
TWO_LEVELS = ("county", "town")
"""在区镇（街）两级综治中心或城乡社区综合服务中心."""

IN_HOUSE, AT_LEVEL = "in_governance_centre", "governance_level"
"""What the link itself proves of the checklist of such a room."""


def flaw_in_house(room: Mapping[str, Any], house: Mapping[str, Any]) -> Flaw | None:
    """Why a room cannot be in a house; None where it can."""
    if room["type"] not in ROOMS_IN_HOUSES:
        return Flaw("no_room", f"{TYPES[room['type']].label}不登记所在综治中心", "host_place_id")
    if house["type"] not in HOUSES:
        return Flaw("no_house", "所在场所须为综治中心或城乡社区综合服务中心", "host_place_id")
    if house["status"] == "closed":
        return Flaw("closed", "所在场所已关闭", "host_place_id")
    digits = TIER_DIGITS.get(house["tier"] or "", 6)
    if not room["division"].startswith(house["division"][:digits]):
        return Flaw("elsewhere", "所在场所须在同一区划", "host_place_id")
    if room["type"] == "governance_room" and room["tier"] not in TWO_LEVELS:
        return Flaw("bad_tier", "综治中心心理咨询室设在区、镇（街）两级，请先写明层级", "tier")
    if house["type"] == "governance_centre" and room["tier"] != house["tier"]:
        return Flaw("bad_tier", "房间与所在综治中心须为同一层级", "tier")
    return None


def proven(room: Mapping[str, Any]) -> dict[str, bool]:
    """The facts that follow from the link."""
    return {IN_HOUSE: True, AT_LEVEL: room["tier"] in TWO_LEVELS}
