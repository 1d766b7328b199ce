"""What a school tells the class and the home about a pupil: short codes, and each is received, or it is not.

家校联动、班校联动: the two channels beside the chain. No notice names the pupil or says why; who is meant is told by
word of mouth to the one who has received.
"""

from __future__ import annotations

from enum import StrEnum

from contracts.codes import Code


class Addressee(Code):
    """To whom."""

    home = "home", "家庭"
    class_ = "class", "班级"


class Means(Code):
    """How the home was told."""

    platform = "platform", "平台"
    telephone = "telephone", "电话"
    meeting = "meeting", "到校面谈"
    visit = "visit", "家访"
    letter = "letter", "书面"


class Advice(Code):
    """What is asked of the home or the class."""

    come_to_talk = "come_to_talk", "请监护人到校面谈"
    take_home = "take_home", "请监护人接回并陪护"
    see_a_doctor = "see_a_doctor", "建议尽快就医"
    keep_means_away = "keep_means_away", "请收好危险物品"
    keep_an_eye = "keep_an_eye", "请留意该生状态"
    stay_with = "stay_with", "请安排人员陪伴"
    ease_load = "ease_load", "请适当减轻学业负担"
    welcome_back = "welcome_back", "复学接纳"
    call_the_school = "call_the_school", "如有异常请立即联系学校心理教师"


FITS: dict[Addressee, frozenset[Advice]] = {
    Addressee.home: frozenset(
        {
            Advice.come_to_talk,
            Advice.take_home,
            Advice.see_a_doctor,
            Advice.keep_means_away,
            Advice.call_the_school,
        }
    ),
    Addressee.class_: frozenset(
        {Advice.keep_an_eye, Advice.stay_with, Advice.ease_load, Advice.welcome_back, Advice.call_the_school}
    ),
}
"""What can be asked of whom."""


class NoticeState(StrEnum):
    sent = "sent"
    received = "received"
    withdrawn = "withdrawn"
    """It must not reach the class any more."""


NEXT: dict[NoticeState, frozenset[NoticeState]] = {
    NoticeState.sent: frozenset({NoticeState.received, NoticeState.withdrawn}),
    NoticeState.received: frozenset(),
    NoticeState.withdrawn: frozenset(),
}


def allows(present: NoticeState, following: NoticeState) -> bool:
    """Whether a notice may go from one state to the other."""
    return following in NEXT[present]
