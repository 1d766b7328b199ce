"""The forms filled in with made-up people, plainly so: 示例一号, 000-0000-0001."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date

from services.registry.domain.people import OTHER_QUALIFICATION, OTHER_TYPE, Registration
from services.registry.forms.layouts import ANNEX_1, ANNEX_4, Layout
from services.registry.forms.reading import Submission
from services.registry.forms.writing import write_form

MADE_UP_DAY = date(2024, 3, 28)


def example_workbook(
    people: int,
    seed: int,
    unit: str = "示例社区卫生服务中心",
    place: str = "示例区",
    layout: Layout = ANNEX_1,
    trained: bool = False,
) -> bytes:
    """A form of so many made-up people; the same seed gives the same ones.

    Every second one of 附件1 is a counsellor, therapist or medical worker, so that a rota can be made of them. With
    `trained` all of them were trained, so that all of them may be put on it.
    """
    dice = random.Random(seed)  # noqa: S311 - made-up data
    make = _talent if layout is ANNEX_4 else _volunteer
    made_up = [make(number, dice) for number in range(1, people + 1)]
    if trained:
        told = "2023年5月 示例心理援助培训"
        made_up = [replace(one, trained="yes", training=one.training or told) for one in made_up]
    submission = Submission(layout.form, unit, "示例填表人", "000-0000-0000", MADE_UP_DAY)
    return write_form(made_up, submission, place, layout)


def _volunteer(number: int, dice: random.Random) -> Registration:
    types = {dice.choice((1, 2, 3)) if number % 2 else dice.randint(1, OTHER_TYPE)}
    if dice.random() < 0.3:
        types.add(dice.randint(1, 7))
    trained = dice.random() < 0.7
    return Registration(
        name=f"示例{_in_words(number)}号",
        phone=f"000-{number // 10_000:04d}-{number % 10_000:04d}",
        sex=dice.choice(("male", "female")),
        age=dice.randint(19, 68),
        education=dice.choice(("大专", "本科", "硕士研究生")),
        person_types=tuple(sorted(types)),
        other_type="示例职业" if OTHER_TYPE in types else "",
        trained="yes" if trained else "no",
        training=f"{dice.choice((2022, 2023))}年{dice.randint(1, 12)}月 示例心理援助培训" if trained else "",
        employer="示例心理学专业" if 7 in types else f"示例单位{dice.randint(1, 9)}",
        post=dice.choice(("职员", "主任", "教师", "护士")),
    )


def _talent(number: int, dice: random.Random) -> Registration:
    held = {dice.randint(1, OTHER_QUALIFICATION)} if dice.random() < 0.8 else set()
    return Registration(
        name=f"示例{_in_words(number)}号",
        phone=f"000-{number // 10_000:04d}-{number % 10_000:04d}",
        sex=dice.choice(("male", "female")),
        age=dice.randint(24, 59),
        education=dice.choice(("本科", "硕士研究生")),
        major=dice.choice(("心理学", "教育学", "临床医学")),
        qualifications=tuple(sorted(held)),
        other_qualification="示例资质" if OTHER_QUALIFICATION in held else "",
        trained=dice.choice(("yes", "no")),
        employer=f"示例学校{dice.randint(1, 9)}",
        post=dice.choice(("教师", "副教授", "主治医师")),
        roles=("talent",),
    )


def _in_words(number: int) -> str:
    digits = "〇一二三四五六七八九"
    if number < 10:
        return digits[number]
    if number < 20:
        return "十" + (digits[number - 10] if number > 10 else "")
    if number < 100:
        return digits[number // 10] + _in_words(number % 10 + 10).removesuffix("〇")
    return "".join(digits[int(sign)] for sign in str(number))
