"""Policies in a hurry: the shipped ones with their times cut to seconds and minutes, so that a short run sees clocks
run out, referrals and offers expire.
"""

from __future__ import annotations

import re
from pathlib import Path

from services.crisis.domain.versions import SHIPPED as CRISIS
from services.matching.domain.policy import SHIPPED as MATCHING

FORCE = "in_force_from = 2026-11-02T00:00:00+08:00"


def hurried(folder: Path) -> None:
    """Write them into the folder that the services are told."""
    crisis = _shipped(CRISIS)
    # The last step of a chain repeats for ever: it keeps its length, or thousands of cases would call each minute.
    steps = re.compile(r"(?<=^minutes = )\d+(?=\nsource = .*\n\[\[acknowledgement\.)", re.MULTILINE)
    crisis = steps.sub("1", crisis)
    crisis = re.sub(r"^confirm_minutes = \d+$", "confirm_minutes = 1", crisis, flags=re.MULTILINE)
    crisis = re.sub(r"^receive_minutes = .*$", _receive, crisis, flags=re.MULTILINE)
    matching = re.sub(r"^answer_seconds = \d+$", "answer_seconds = 8", _shipped(MATCHING), flags=re.MULTILINE)
    for service, text in (("crisis", crisis), ("matching", matching)):
        place = folder / service
        place.mkdir(parents=True)
        (place / "hurried.toml").write_text(text, encoding="utf-8")


def _shipped(folder: Path) -> str:
    """The newest shipped file under another version, in force after it."""
    text = max(folder.glob("*.toml")).read_text(encoding="utf-8")
    text = re.sub(r'^version = "(.*)"$', r'version = "\1-hurried"', text, count=1, flags=re.MULTILINE)
    return re.sub(r"^in_force_from = .*$", FORCE, text, count=1, flags=re.MULTILINE)


def _receive(found: re.Match[str]) -> str:
    return re.sub(r"= \d+", "= 1", found.group())
