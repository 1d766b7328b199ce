"""Makes a hotline's day, the same for the same seed.

The risk is mixed as published for the Beijing hotline: of 21,346 callers 5,822 high, 11,791 moderate, 3,733 low (Tong
et al., J Affect Disord 2023;329:141-148). Every other share here, of hours, channels, ages, answers and mishaps, is
made up to be plausible and has no source. The items of that scale are numbered here and not named.
"""

from __future__ import annotations

import csv
import hashlib
import heapq
import hmac
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from chassis.clock import LOCAL
from contracts.hotline import RiskFlagged
from xinqiao.simulate import trouble
from xinqiao.simulate.day import BEGINNING, HOTLINES, ROOT, Line, version_7

T = TypeVar("T")

DIVISIONS_FILE = ROOT / "services" / "registry" / "data" / "pilot-yanzhou-haizhou.csv"

MIX = {"high": 5_822, "moderate": 11_791, "low": 3_733}

HOURS = dict(enumerate((7, 6, 5, 4, 3, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 6, 8, 9, 9, 8)))
"""How the flags spread over the hours of the day; nights are long."""
SHARES = {"12356-yanzhou": 50, "12356-haizhou": 35, "12355-haizhou": 15}
CHANNELS = {"call": 70, "chat": 13, "tree_hole": 9, "sms": 4, "walk_in": 2, "other": 2}
ADULTS = {"from_18_to_24": 26, "from_25_to_44": 38, "from_45_to_59": 15, "from_60_to_74": 7, "from_75": 2, "unknown": 4}
MINORS = {"under_14": 30, "from_14_to_17": 70}
SEXES = {"female": 54, "male": 40, "unknown": 6}
UNANSWERED = {"refused": 45, "unknown": 25, "not_asked": 30}
BANDS = {"high": (8, 16), "moderate": (4, 7), "low": (0, 3)}
"""The totals of the Beijing hotline scale for each level (the same source)."""
INTENSITY = {"high": (45, 100), "moderate": (15, 75), "low": (0, 15)}
HOPELESSNESS = {"high": (40, 100), "moderate": (15, 75), "low": (0, 30)}

REPEAT, ANONYMOUS, LATE, HTTP, LOCAL_OFFSET = 0.14, 0.08, 0.05, 0.12, 0.1
TROUBLE_EVERY = 10
"""After so many flags one thing goes wrong."""


@dataclass(frozen=True)
class Person:
    """Somebody who calls; made up."""

    number: int
    hotline: str
    division: str | None
    age_band: str
    sex: str

    @property
    def pseudonym(self) -> str:
        """HMAC-SHA-256 under the line's own key, hexadecimal."""
        return hmac.new(f"key of {self.hotline}".encode(), f"person {self.number}".encode(), hashlib.sha256).hexdigest()

    @property
    def contact(self) -> dict[str, str]:
        return {"name": f"示例来电者{self.number}", "phone": f"000-0000-{self.number % 10_000:04d}"}


def divisions(path: Path = DIVISIONS_FILE) -> dict[str, list[str]]:
    """The towns and villages of each hotline's county, by county."""
    counties = set(HOTLINES.values())
    found: dict[str, list[str]] = {county: [] for county in counties}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if len(row["code"]) > 6 and row["code"][:6] in counties:
                found[row["code"][:6]].append(row["code"])
    return found


def generate(
    flags: int, seed: int, *, mishaps: bool = True, places: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Line]:
    """A day of so many good flags, by time of sending; with what goes wrong in between unless told otherwise."""
    rng = random.Random(seed)  # noqa: S311 - a day that is the same again is the point
    return _Day(rng, flags, places or divisions()).lines(mishaps)


class _Day:
    def __init__(self, rng: random.Random, flags: int, places: Mapping[str, Sequence[str]]) -> None:
        self.rng = rng
        self.places = places
        self.people: dict[str, list[Person]] = {hotline: [] for hotline in HOTLINES}
        self.count = 0
        self.times = sorted(self._moment() for _ in range(flags))
        self.levels = _mixed(flags)
        rng.shuffle(self.levels)

    def lines(self, mishaps: bool) -> Iterator[Line]:
        waiting: list[tuple[float, int, Line]] = []
        order = 0
        for number, (at, level) in enumerate(zip(self.times, self.levels, strict=True), 1):
            while waiting and waiting[0][0] <= at:
                yield heapq.heappop(waiting)[2]
            good = self.flag(at, level)
            yield good
            if mishaps and number % TROUBLE_EVERY == 0:
                kind = trouble.KINDS[(number // TROUBLE_EVERY - 1) % len(trouble.KINDS)]
                order += 1
                wrong = kind(self, good)
                heapq.heappush(waiting, (wrong.at, order, wrong))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def pick(self, weighted: Mapping[T, int]) -> T:
        """One of the keys, by its weight."""
        left = self.rng.random() * sum(weighted.values())
        for choice, weight in weighted.items():
            left -= weight
            if left < 0:
                return choice
        return choice

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.rng.random() * (high - low + 1))

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.rng.random() * len(choices))]

    def new_id(self, at: float) -> str:
        """A UUIDv7 of a moment of the day."""
        moment = BEGINNING + timedelta(seconds=at)
        return str(version_7(int(moment.timestamp() * 1000), self.rng.getrandbits(74)))

    def flag(self, at: float, level: str) -> Line:
        """One good flag: of somebody new, of somebody known, or of somebody who stays unknown."""
        hotline = self.pick(SHARES)
        known = self.people[hotline]
        if self.chance(ANONYMOUS):
            person, caller, expect = self._person(hotline), None, "case"
        elif known and self.chance(REPEAT):
            person = self.one_of(known)
            caller, expect = person.pseudonym, "joins"
        else:
            person = self._person(hotline)
            known.append(person)
            caller, expect = person.pseudonym, "case"
        late = self.between(3_600, 9 * 3_600) if self.chance(LATE) else 0
        body = self._body(person, caller, level, at - late)
        contact = None
        if caller and (body["consent_to_follow_up"] == "yes" or body["act_in_progress"] == "yes"):
            contact = person.contact
            body["sealed_contact"] = "@sealed@"
        return self.line(at, hotline, body, expect, contact=contact, via="http" if self.chance(HTTP) else "nats")

    def line(
        self,
        at: float,
        hotline: str,
        body: dict[str, Any],
        expect: str,
        *,
        contact: dict[str, str] | None = None,
        via: str = "nats",
        ident: str | None = None,
    ) -> Line:
        """A body as a hotline sends it: binary mode over NATS, structured mode over HTTP."""
        ident = ident or self.new_id(at)
        attributes = {
            "specversion": "1.0",
            "id": ident,
            "source": f"urn:xinqiao:hotline:{hotline}",
            "type": RiskFlagged.TYPE,
            "time": body["flagged_at"],
            "dataschema": f"urn:xinqiao:schema:{RiskFlagged.TYPE}:v{RiskFlagged.VERSION}",
        }
        at = round(at, 3)
        if via == "http":
            document = {**attributes, "datacontenttype": "application/json", "data": body}
            headers = {"content-type": "application/cloudevents+json"}
            return Line(at, via, hotline, "", headers, _json(document), expect, contact)
        headers = {"Nats-Msg-Id": ident, **{f"ce-{name}": value for name, value in attributes.items()}}
        headers["content-type"] = "application/json"
        subject = RiskFlagged.subject_for(HOTLINES[hotline])
        return Line(at, via, hotline, subject, headers, _json(body), expect, contact)

    def time(self, at: float) -> str:
        """A moment of the day in RFC 3339, some with the local offset, as hotlines write it."""
        moment = BEGINNING + timedelta(seconds=round(at, 3))
        if self.chance(LOCAL_OFFSET):
            return moment.astimezone(LOCAL).isoformat(timespec="milliseconds")
        return _utc(moment)

    def _moment(self) -> float:
        hour = self.pick(HOURS)
        return round(hour * 3_600 + self.rng.random() * 3_600, 3)

    def _person(self, hotline: str) -> Person:
        self.count += 1
        young = self.chance(0.6 if hotline.startswith("12355") else 0.1)
        division = self.one_of(self.places[HOTLINES[hotline]]) if self.chance(0.85) else None
        ages = MINORS if young else ADULTS
        return Person(self.count, hotline, division, self.pick(ages), self.pick(SEXES))

    def _body(self, person: Person, caller: str | None, level: str, at: float) -> dict[str, Any]:
        channel = self.pick(CHANNELS) if caller else self.pick({"tree_hole": 5, "call": 4, "chat": 1})
        body: dict[str, Any] = {
            "hotline": person.hotline,
            "contact": f"c-{self.count:05d}-{self.between(100, 999)}",
            "channel": channel,
            "county": HOTLINES[person.hotline],
            "contact_started_at": self.time(at - self.between(240, 5_400)),
            "flagged_at": self.time(at),
        }
        if person.division and caller:
            body["division"] = person.division
        if caller:
            body |= {"caller": caller, "age_band": person.age_band, "sex": person.sex}
        assessment, has_total = self._assessment(level)
        if assessment:
            body["assessment"] = assessment
        body["hotline_level"] = "unknown" if has_total and self.chance(0.08) else level
        return body | self._answers(level)

    def _answers(self, level: str) -> dict[str, Any]:
        yes = {"act_in_progress": 0.07, "plan_within_72_hours": 0.35, "attempt_within_2_weeks": 0.25}
        answers: dict[str, Any] = {}
        for question, share in yes.items():
            if level == "high" and self.chance(share):
                answers[question] = "yes"
            else:
                answers[question] = self._no_or_unanswered(0.0 if level == "low" else 0.2)
        for rating, ranges in (("suicidal_intensity", INTENSITY), ("hopelessness", HOPELESSNESS)):
            answers[rating] = self.pick(UNANSWERED) if self.chance(0.2) else self.between(*ranges[level])
        for question, share in (("danger_to_others", 0.05), ("suspected_harm_to_minor", 0.08)):
            said = level == "high" and self.chance(share)
            answers[question] = "yes" if said else self._no_or_unanswered(0.3)
        answers["consent_to_follow_up"] = self.pick({"yes": 66, "no": 14, "refused": 8, "unknown": 4, "not_asked": 8})
        return answers

    def _no_or_unanswered(self, share: float) -> str:
        return self.pick(UNANSWERED) if self.chance(share) else "no"

    def _assessment(self, level: str) -> tuple[dict[str, Any] | None, bool]:
        """What was asked, by one of two instruments or by none; and whether it has a total."""
        instrument = self.pick({"beijing-hotline-scale": 65, "c-ssrs-screener": 20, "": 15})
        if instrument == "beijing-hotline-scale":
            return self._beijing(level)
        if instrument == "c-ssrs-screener":
            return self._screener(level), False
        return None, False

    def _beijing(self, level: str) -> tuple[dict[str, Any], bool]:
        total = self.between(*BANDS[level])
        places = list(range(12))
        self.rng.shuffle(places)
        said_yes = set(places[: min(total, 12)])
        answers = [{"item": f"element-{n + 1:02d}", "answer": "yes" if n in said_yes else "no"} for n in range(12)]
        taken: dict[str, Any] = {"instrument": "beijing-hotline-scale", "version": "12-element", "answers": answers}
        if self.chance(0.15):
            self.one_of([answer for answer in answers if answer["answer"] == "no"] or answers)["answer"] = "refused"
            return taken, False
        taken["total"] = total
        return taken, True

    def _screener(self, level: str) -> dict[str, Any]:
        said_yes = {"high": ["q1", "q2", "q3", "q4"], "moderate": ["q1", "q2", "q3"], "low": ["q1"]}[level]
        asked = ["q1", "q2", *(["q3", "q4", "q5"] if level != "low" else []), "q6"]
        answers = [
            {"item": item, "answer": "yes" if item in said_yes else "no", "window": "P3M" if item == "q6" else "P1M"}
            for item in asked
        ]
        return {"instrument": "c-ssrs-screener", "version": "screener-recent", "answers": answers}


def _mixed(flags: int) -> list[str]:
    """So many levels in the published shares; what rounding leaves goes to the largest remainders."""
    whole = sum(MIX.values())
    counts = {level: flags * share // whole for level, share in MIX.items()}
    by_remainder = sorted(MIX, key=lambda level: -(flags * MIX[level] % whole))
    for level in by_remainder[: flags - sum(counts.values())]:
        counts[level] += 1
    return [level for level, count in counts.items() for _ in range(count)]


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
