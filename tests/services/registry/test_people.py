"""How the cells of 附件1 are read."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.people import (
    OTHER_QUALIFICATION,
    OTHER_TYPE,
    PERSON_TYPES,
    QUALIFICATIONS,
    Flawed,
    masked_name,
    masked_phone,
    plain,
    read_age,
    read_codes,
    read_name,
    read_phone,
    read_training,
    write_codes,
)
from services.registry.domain.people_dates import birth_year


def types(cell: object) -> tuple[tuple[int, ...], str]:
    return read_codes(plain(cell), PERSON_TYPES, OTHER_TYPE)


@pytest.mark.parametrize(
    "cell",
    [
        "1、3",
        "1,3",
        "１，３",
        "1 3",
        "1/3",
        "1和3",
        "3;1",
        "1.3",
        1.3,
        "1=心理咨询师\n3=医务人员",
        "心理咨询师、医务人员",
    ],
)
def test_several_person_types_are_read_however_people_separate_them(cell: object) -> None:
    assert types(cell) == ((1, 3), "")


@pytest.mark.parametrize("cell", ["8=其他：律师", "8（律师）", "８ 律师", "其他：律师", "8.律师", "8其他请说明：律师"])
def test_the_eighth_type_keeps_its_own_words(cell: str) -> None:
    assert types(cell) == ((8,), "律师")


@pytest.mark.parametrize("cell", ["0", "9", "13", "教授", "1=教师", "1、十"])
def test_what_is_no_person_type_is_refused(cell: str) -> None:
    with pytest.raises(Flawed, match=r"1 至 8|多项|心理咨询师"):
        types(cell)


@pytest.mark.parametrize("cell", ["8", "8=其他", "1、8=其他请说明"])
def test_the_eighth_type_without_words_is_refused(cell: str) -> None:
    with pytest.raises(Flawed, match="写明"):
        types(cell)


ANNEX_1 = ["心理咨询师", "心理治疗师", "医务人员", "教师", "社会工作者", "村居委会工作人员", "高校学生", "其他"]
ANNEX_4 = ["精神科执业医师", "心理治疗师", "心理咨询师", "学校专职心理教师", "学校兼职心理教师", "其他"]


@pytest.mark.parametrize(("code", "label"), list(enumerate(ANNEX_1, 1)))
def test_each_person_type_of_annex_1_is_read_by_code_and_by_label(code: int, label: str) -> None:
    words = "示例" if label == "其他" else ""
    assert types(f"{code}={label}{words}") == ((code,), words)
    assert types(f"{label}{words}") == ((code,), words)


@pytest.mark.parametrize(("code", "label"), list(enumerate(ANNEX_4, 1)))
def test_each_qualification_of_annex_4_is_read_by_code_and_by_label(code: int, label: str) -> None:
    words = "示例" if label == "其他" else ""
    for cell in (f"{code}、{label}{words}", f"{label}{words}"):
        assert read_codes(plain(cell), QUALIFICATIONS, OTHER_QUALIFICATION) == ((code,), words)


def test_the_two_code_lists_are_never_merged() -> None:
    """3 is 医务人员 among the person types of 附件1 and 心理咨询师 among the qualifications of 附件4."""
    assert (PERSON_TYPES[3], QUALIFICATIONS[3]) == ("医务人员", "心理咨询师")
    assert types("心理咨询师")[0] == (1,)
    assert read_codes("心理咨询师", QUALIFICATIONS, OTHER_QUALIFICATION)[0] == (3,)
    with pytest.raises(Flawed):
        read_codes("7", QUALIFICATIONS, OTHER_QUALIFICATION)
    assert read_codes("", QUALIFICATIONS, OTHER_QUALIFICATION) == ((), "")


@given(st.sets(st.sampled_from(sorted(PERSON_TYPES)), min_size=1), st.text("甲乙丙丁", min_size=1, max_size=9))
def test_codes_that_were_written_are_read_back(codes: set[int], words: str) -> None:
    expected = words if OTHER_TYPE in codes else ""
    assert types(write_codes(codes, OTHER_TYPE, words)) == (tuple(sorted(codes)), expected)


@given(st.text(max_size=40))
def test_any_text_in_a_code_cell_is_read_or_refused_with_words(cell: str) -> None:
    try:
        codes, _ = types(cell)
    except Flawed:
        return
    assert set(codes) <= PERSON_TYPES.keys()
    assert codes == tuple(sorted(set(codes)))


@pytest.mark.parametrize("cell", ["３５", "35岁", "35周岁", 35, 35.0])
def test_an_age_may_be_written_in_several_ways(cell: object) -> None:
    assert read_age(plain(cell)) == 35


@pytest.mark.parametrize("cell", ["0", "121", "三十五", "35.5", "-3", "²"])
def test_an_impossible_age_is_refused(cell: str) -> None:
    if cell == "²":
        assert read_age(plain(cell)) == 2  # compatibility signs are digits
        return
    with pytest.raises(Flawed, match="1 至 120"):
        read_age(plain(cell))


def test_the_year_of_birth_follows_from_the_age_and_the_day_it_was_given() -> None:
    assert birth_year("", 35, date(2024, 3, 28)) == 1989
    assert birth_year("1988-12-31", None, date(2024, 3, 28)) == 1988
    assert birth_year("", None, date(2024, 3, 28)) is None


def test_names_and_numbers_are_cleaned_and_checked() -> None:
    assert read_name(plain("张　示例")) == "张示例"
    assert read_name(plain(" Li Shili ")) == "Li Shili"
    assert read_phone(plain("０００-0000-0001")) == "000-0000-0001"
    assert read_phone(plain(10000000001.0)) == "10000000001"
    for wrong in ("", "1.38E+10", "无", "12345"):
        with pytest.raises(Flawed):
            read_phone(wrong)
    for wrong in ("", "123", "测" * 51):
        with pytest.raises(Flawed):
            read_name(wrong)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ("unknown", "")),
        ("否", ("no", "")),
        ("未参加过。", ("no", "")),
        ("是", ("yes", "")),
        ("是：2023年5月 示例培训", ("yes", "2023年5月 示例培训")),
        ("2023年5月 示例培训", ("yes", "2023年5月 示例培训")),
        ("无锡示例培训", ("yes", "无锡示例培训")),
    ],
)
def test_training_is_yes_no_or_unknown_with_its_time_and_content(cell: str, expected: tuple[str, str]) -> None:
    assert read_training(plain(cell)) == expected


def test_a_training_answer_that_says_both_is_refused() -> None:
    with pytest.raises(Flawed, match="是"):
        read_training("否，准备参加")


@given(st.text("张王李测试示例", min_size=1, max_size=6), st.integers(0, 9999))
def test_masking_shows_one_sign_of_a_name_and_four_digits_of_a_number(name: str, number: int) -> None:
    assert masked_name(name) == name[0] + "**"
    assert masked_phone(f"000-0000-{number:04d}") == f"***{number:04d}"
