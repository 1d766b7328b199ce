"""The forms by which a risk is taken down by hand: one for each way, with its minimum of questions, each version kept.

A form is a JSON Schema (2020-12) with Chinese titles, and labels beside each choice. Every form asks whether an act is
in progress, whether there is a plan, and whether there was an attempt; that nobody asked is an answer, and shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from contracts.hotline import Way

if TYPE_CHECKING:  # 12 MB that only who takes something down needs: brought when the first answers are read
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError

SHIPPED = Path(__file__).parent.parent / "forms"

SUICIDE = ("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks")
"""What every form asks."""

OFFICERS = frozenset({"duty_officer", "supervisor", "district_centre"})

MAY_RAISE: dict[Way, frozenset[str]] = {
    Way.hotline_contact: OFFICERS,
    Way.silent_contact: OFFICERS,
    Way.repeated_contact: OFFICERS,
    Way.tree_hole_post: OFFICERS,
    Way.outreach: OFFICERS,
    Way.third_party: OFFICERS | {"community_worker", "grid_worker", "school_counsellor"},
    Way.screening_result: OFFICERS | {"surveyor", "community_worker", "school_counsellor"},
    Way.self_test: OFFICERS | {"community_worker", "school_counsellor"},
    Way.school_warning: OFFICERS | {"class_teacher", "school_counsellor"},
    Way.concern: OFFICERS
    | {"volunteer", "community_worker", "grid_worker", "class_teacher", "school_counsellor", "surveyor"},
    Way.walk_in: OFFICERS | {"community_worker", "school_counsellor"},
    Way.missed_check_in: OFFICERS | {"volunteer", "community_worker", "grid_worker"},
}
"""Who fills in which form."""

RAISERS = tuple(sorted(frozenset().union(*MAY_RAISE.values())))


@dataclass(frozen=True)
class Form:
    """One version of one way's form. `schema` is what is served."""

    way: Way
    version: str
    title: str
    schema: Mapping[str, Any]

    @cached_property
    def validator(self) -> Draft202012Validator:
        """Raises `SchemaError` for a form that is no JSON Schema."""
        from jsonschema import Draft202012Validator

        Draft202012Validator.check_schema(self.schema)
        return Draft202012Validator(self.schema)


class Wrong(ValueError):
    """An answer that the form does not take: where, and what it takes instead, never what was said."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place


class Forms:
    """All forms, the newest version of each way first in line."""

    def __init__(self, forms: list[Form]) -> None:
        self._forms = {(form.way, form.version): form for form in forms}
        self._newest = {form.way: form for form in sorted(forms, key=lambda form: form.version)}
        if missing := [way.value for way in Way if way not in self._newest]:
            raise ValueError(f"there is no form for {', '.join(missing)}")

    def newest(self) -> list[Form]:
        return [self._newest[way] for way in Way]

    def of(self, way: Way, version: str | None = None) -> Form | None:
        """The form of a way; None where there is no such version."""
        return self._newest[way] if version is None else self._forms.get((way, version))


def load_forms(folder: Path = SHIPPED) -> Forms:
    """Read `<way>.<version>.json`. Raises `ValueError` that names the file."""
    found = []
    for path in sorted(folder.glob("*.json")):
        way, _, version = path.name.removesuffix(".json").partition(".")
        try:
            schema = json.loads(path.read_text(encoding="utf-8"))
            if missing := [question for question in SUICIDE if question not in schema["properties"]]:
                raise ValueError(f"it does not ask {', '.join(missing)}")
            found.append(Form(Way(way), version, schema["title"], schema))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error
    return Forms(found)


def read_answers(form: Form, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers as they are kept: checked, with the form's own defaults. Raises `Wrong` for the first that is not."""
    filled = {
        name: question["default"] for name, question in form.schema["properties"].items() if "default" in question
    } | dict(answers)
    try:
        first = next(iter(form.validator.iter_errors(filled)), None)
    except RecursionError:
        raise Wrong("", "the answers are nested too deep") from None
    if first is not None:
        raise Wrong(*_told(first))
    return {name: int(said) if isinstance(said, float) else said for name, said in filled.items()}


def _told(error: ValidationError) -> tuple[str, str]:
    place = [str(step) for step in error.absolute_path]
    rule: Any = error.validator_value
    match error.validator:
        case "required":
            said: Any = error.instance
            asked = next(name for name in rule if name not in said)
            return ".".join([*place, asked]), "the form needs an answer here; that it was not asked is one"
        case "additionalProperties":
            schema: Any = error.schema
            unknown = next(name for name in cast(Any, error.instance) if name not in schema["properties"])
            return ".".join([*place, str(unknown)[:64]]), "the form has no such question"
        case "enum":
            return ".".join(place), f"must be one of {', '.join(map(str, rule))}"
        case "type":
            return ".".join(place), f"must be of type {rule}"
        case "minimum" | "maximum" | "minItems" | "maxItems":
            return ".".join(place), f"{error.validator} is {rule}"
    return ".".join(place), "is not what the form takes here"


# What of a form is said in the flag, under which name; the rest stays with the concern.

_SAME = (
    *SUICIDE,
    "danger_to_others",
    "suspected_harm_to_minor",
    "consent_to_follow_up",
    "suicidal_intensity",
    "hopelessness",
    "hotline_level",
    "age_band",
    "sex",
    "care_group",
    "stress_reaction",
)


def as_flag(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the flag that these answers give."""
    said = {name: answers[name] for name in _SAME if name in answers}
    # Whom somebody takes for severely disturbed is to be seen in a hospital, whether or not the box was ticked.
    if answers.get("refer") or answers.get("severe") == "yes":
        said["referral_wanted"] = True
    return said
