"""The work-task ledger: a row's states, what stands as evidence, and the figure that the registry itself reckons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    open = "open"
    in_progress = "in_progress"
    done = "done"
    returned = "returned"
    """Another person looked, and it is not done yet."""
    verified = "verified"


NEXT: dict[State, frozenset[State]] = {
    State.open: frozenset({State.in_progress}),
    State.in_progress: frozenset({State.done}),
    State.done: frozenset({State.verified, State.returned}),
    State.returned: frozenset({State.in_progress}),
    State.verified: frozenset(),
}
LABELS = {
    State.open: "未启动",
    State.in_progress: "进行中",
    State.done: "已完成待核实",
    State.returned: "退回整改",
    State.verified: "已核实销号",
}
BY_ANOTHER = frozenset({State.verified, State.returned})
"""Only somebody who neither wrote the row nor said that it is done may say so."""
WRITABLE = frozenset({State.open, State.in_progress, State.returned})
"""What waits to be verified, or is, stays as it was read."""


def allows(present: State, following: State) -> bool:
    """Whether a row may move so."""
    return following in NEXT[present]


class EvidenceKind(StrEnum):
    """What shows that something was done: a thing of the register by its id, or a document by its hash."""

    place = "place"
    place_check = "place_check"
    training_session = "training_session"
    incentive = "incentive"
    document = "document"


COLLECTION: dict[EvidenceKind, str] = {
    EvidenceKind.place: "places",
    EvidenceKind.place_check: "place_checks",
    EvidenceKind.training_session: "training_sessions",
    EvidenceKind.incentive: "incentives",
}
"""Where a thing of the register is found."""

COUNTS_WHERE: dict[EvidenceKind, tuple[str, object, str]] = {
    EvidenceKind.place: ("status", "open", "场所尚未开放，不能作为佐证"),
    EvidenceKind.place_check: ("overall", "pass", "检查未通过，不能作为佐证"),
    EvidenceKind.training_session: ("state", "held", "培训尚未举行，不能作为佐证"),
    EvidenceKind.incentive: ("active", True, "激励措施已停用，不能作为佐证"),
}
"""What a thing has to be before it shows anything: its field, the value, and what is said otherwise."""


def wrong_evidence(kind: EvidenceKind, *, reference: bool, sha256: bool) -> tuple[str, str] | None:
    """The field that this kind wants, or does not have, and what is wrong with it."""
    wanted = {"reference": (reference, kind in COLLECTION), "sha256": (sha256, kind is EvidenceKind.document)}
    for field, (given, needed) in wanted.items():
        if given != needed:
            return field, f"{kind.value} 类佐证{'须填' if needed else '不填'} {field}"
    return None


@dataclass(frozen=True)
class Figure:
    """So many of so many, and what else belongs to it. The percent is rounded down: 100 means every one."""

    reached: int
    of: int
    unknown: int = 0
    """Those of `of` about which nobody has told anything: they are not reached."""

    @property
    def percent(self) -> float | None:
        return None if not self.of else self.reached * 1000 // self.of / 10

    def meets(self, target: int) -> bool | None:
        """Whether `target` percent are reached; None where there is nothing to measure, which is no success."""
        return None if not self.of else self.reached * 100 >= target * self.of


def apart(claimed: Figure, reckoned: Figure) -> float | None:
    """By how many points of percent a claim lies above what is reckoned (below it, where negative)."""
    if claimed.percent is None or reckoned.percent is None:
        return None
    return round(claimed.percent - reckoned.percent, 1)


def lacks(
    following: State, *, owner: bool, evidence: Mapping[bool | None, int], meets: bool | None
) -> tuple[str, str] | None:
    """What is missing for a row to move so, as a stable word and in words; None where nothing is.

    `evidence` counts the pieces by what another person found: they hold, they do not, or nobody has looked (None).
    """
    if following is State.in_progress and not owner:
        return "no_owner", "请先指定责任单位"
    if following is State.done and not sum(evidence.values()):
        return "no_evidence", "没有佐证材料，不能报完成"
    if following is State.verified and evidence.get(None, 0):
        return "evidence_unchecked", "还有佐证材料未经他人核对"
    if following is State.verified and not evidence.get(True, 0):
        return "no_evidence", "没有一份佐证材料经核对成立"
    if following in (State.done, State.verified) and meets is not True:
        return "below_target", "登记数据计算的指标未达目标，不能只凭申报"
    return None


# What the registry knows of the three tasks.


def rooms(passing: Mapping[object, bool]) -> Figure:
    """Schools by whether one of their open rooms passes the standard; a school without a room is told as False."""
    return Figure(sum(passing.values()), len(passing))


def centres(wanted: Iterable[str], passing: Iterable[str]) -> Figure:
    """Of the prefectures and counties that shall each have a centre, those that have one which passes."""
    asked = set(wanted)
    return Figure(len(asked & set(passing)), len(asked))


def teachers(needs: Iterable[tuple[int | None, int]]) -> Figure:
    """Full-time teachers by school, as (required, there by person); no school's surplus fills another's gap.

    A school whose enrolment nobody has told needs one at least, and counts as unknown.
    """
    given = list(needs)
    return Figure(
        reached=sum(min(required, there) for required, there in given if required is not None),
        of=sum(1 if required is None else required for required, _ in given),
        unknown=sum(required is None for required, _ in given),
    )
