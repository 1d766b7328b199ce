"""Capacity surveys: what is wrong with an answer, and where a unit stands with what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from services.registry.domain.capacity_policy import Question, SurveyForm

MOST_PEOPLE = 100_000


@dataclass(frozen=True)
class Flaw:
    """What is wrong, and in which answer."""

    reason: str
    detail: str
    field: str


def flaw_in(form: SurveyForm, answers: Mapping[str, Any]) -> Flaw | None:
    """The first thing that is wrong with a filled-in form, in the order of its questions."""
    strange = sorted(set(answers) - {one.code for one in form.questions})
    if strange:
        return Flaw("unknown_question", "表中没有这个问题", f"answers.{strange[0]}")
    for one in form.questions:
        if one.code not in answers:
            return Flaw("missing", f"“{one.label}”未填", f"answers.{one.code}")
        flaw = _flaw(one, answers[one.code], answers)
        if flaw is not None:
            return flaw
    return None


def _flaw(one: Question, value: Any, answers: Mapping[str, Any]) -> Flaw | None:
    where = f"answers.{one.code}"
    match one.kind:
        case "count":
            return None if _is_count(value) else Flaw("bad_count", f"“{one.label}”须填人数", where)
        case "yes_no":
            return None if isinstance(value, bool) else Flaw("bad_answer", f"“{one.label}”须填是或否", where)
        case "choice":
            known = isinstance(value, str) and value in one.options
            return None if known else Flaw("unknown_option", f"“{one.label}”须选一项", where)
        case "several":
            known = isinstance(value, list) and len(set(value)) == len(value) and set(value) <= set(one.options)
            return None if known else Flaw("unknown_option", f"“{one.label}”有不认识或重复的选项", where)
    return _flaw_in_split(one, value, answers[one.of or ""], where)


def _flaw_in_split(one: Question, value: Any, people: int, where: str) -> Flaw | None:
    if not isinstance(value, dict) or set(value) != set(one.options):
        return Flaw("unknown_option", f"“{one.label}”须逐项填人数，没有的填 0", where)
    for option, count in value.items():
        if not _is_count(count):
            return Flaw("bad_count", f"“{one.options[option]}”须填人数", f"{where}.{option}")
        if count > people:
            return Flaw("more_than_all", f"“{one.options[option]}”多于总人数 {people}", f"{where}.{option}")
    if one.whole and sum(value.values()) != people:
        return Flaw("bad_sum", f"“{one.label}”合计 {sum(value.values())}，应为总人数 {people}", where)
    return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_PEOPLE


@dataclass(frozen=True)
class Window:
    """The days of a survey, all included: from `opens_on` it is answered, by `due_on` in time, by `closes_on` late."""

    opens_on: date
    due_on: date
    closes_on: date

    def flaw(self) -> Flaw | None:
        if self.due_on < self.opens_on:
            return Flaw("bad_window", "截止日期不能早于开始日期", "due_on")
        if self.closes_on < self.due_on:
            return Flaw("bad_window", "关闭日期不能早于截止日期", "closes_on")
        return None

    def takes(self, day: date) -> bool:
        return self.opens_on <= day <= self.closes_on

    def closed(self, day: date) -> bool:
        return day > self.closes_on


class Standing(StrEnum):
    """Where a unit stands on a day, over all forms that it was asked for."""

    answered = "answered"
    late = "late"
    awaited = "awaited"
    missing = "missing"


STANDINGS = {
    Standing.answered: "按时填报",
    Standing.late: "逾期填报",
    Standing.awaited: "待填报",
    Standing.missing: "逾期未报",
}


def standing(forms: Sequence[str], late: Mapping[str, bool], window: Window, day: date) -> Standing:
    """`late` says of each form that was answered whether it came after the due day."""
    if all(form in late for form in forms):
        return Standing.late if any(late[form] for form in forms) else Standing.answered
    return Standing.missing if day > window.due_on else Standing.awaited
