"""Which qualification each kind of service and each post asks for, under which law, and when a warning is given.

The law is the floor: a district's own file may ask for more and never for less.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from services.registry.domain.places import MEDICAL
from services.registry.domain.places_labels import OCCUPATIONS
from services.registry.domain.qualifications import KINDS
from services.registry.domain.versions import PolicyPart, Source, Versioned

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")]

FOR_EVERY_VOLUNTEER = frozenset({"publicity", "support", "guidance"})
"""科普宣传、心理支持、心理疏导: what a volunteer does without a qualification, and nothing else."""

FLOOR: dict[str, frozenset[str]] = {
    "diagnosis": frozenset({"psychiatrist"}),
    "therapy": frozenset({"psychiatrist", "therapist"}),
}
"""精神卫生法第二十三、五十一条: counsellors neither diagnose nor treat, and treat inside medical institutions only."""


class Service(PolicyPart):
    """A kind of service: one of `any_of` is needed (none where it is empty), inside one of these organisations."""

    code: Code
    label: Annotated[str, Field(min_length=2, max_length=64)]
    any_of: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    adult: bool = False
    source: Source

    @model_validator(mode="after")
    def lawful(self) -> Service:
        if strange := set(self.any_of) - KINDS.keys():
            raise ValueError(f"{self.code}: there is no qualification {', '.join(sorted(strange))}")
        if not self.any_of and self.code not in FOR_EVERY_VOLUNTEER:
            raise ValueError(f"{self.code}: only 科普宣传、心理支持、心理疏导 need no qualification")
        if self.code in FLOOR and not set(self.any_of) <= FLOOR[self.code]:
            raise ValueError(f"{self.code}: 精神卫生法第二十三条: 心理咨询人员不得从事心理治疗或者精神障碍的诊断、治疗")
        if self.code in FLOOR and not (self.inside and set(self.inside) <= MEDICAL):
            raise ValueError(f"{self.code}: 精神卫生法第五十一条: 心理治疗活动应当在医疗机构内开展")
        return self


class Post(PolicyPart):
    """What a post at a place asks for: one of `any_of`, verified and valid."""

    occupation: str
    any_of: Annotated[tuple[str, ...], Field(min_length=1)]
    source: Source

    @model_validator(mode="after")
    def known(self) -> Post:
        if self.occupation not in OCCUPATIONS or set(self.any_of) - KINDS.keys():
            raise ValueError(f"{self.occupation}: not an occupation, or not a qualification")
        return self


class Warning(PolicyPart):
    days: Annotated[int, Field(ge=1, le=366)]
    source: Source


class Proof(PolicyPart):
    """How large a scan may be; a document of the database holds 16 MiB, and what is sealed is a third larger."""

    max_bytes: Annotated[int, Field(ge=1024, le=8 * 1024 * 1024)]
    source: Source


class QualificationsPolicy(Versioned):
    warning: Warning
    proof: Proof
    services: tuple[Service, ...]
    posts: tuple[Post, ...]

    @model_validator(mode="after")
    def whole(self) -> QualificationsPolicy:
        codes = [one.code for one in self.services]
        if len(set(codes)) != len(codes) or not {*FOR_EVERY_VOLUNTEER, *FLOOR} <= set(codes):
            raise ValueError(f"each service once, and among them {', '.join(sorted({*FOR_EVERY_VOLUNTEER, *FLOOR}))}")
        return self

    def service(self, code: str) -> Service | None:
        return next((one for one in self.services if one.code == code), None)

    def post(self, occupation: str) -> Post | None:
        return next((one for one in self.posts if one.occupation == occupation), None)
