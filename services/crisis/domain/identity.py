"""A person's identifiers as they are compared: the same however they are written, so that the same person is found."""

from __future__ import annotations

import re
import unicodedata

_NUMBER = re.compile(r"[+0-9()\s.-]+")
_NOT_A_DIGIT = re.compile(r"[^0-9]")


def telephone(text: str | None) -> str:
    """A telephone number: its digits, without the country's code; empty where there are none."""
    written = unicodedata.normalize("NFKC", text or "").strip()
    digits = _NOT_A_DIGIT.sub("", written)
    if digits.startswith("0086"):
        return digits[4:]
    return digits[2:] if digits.startswith("86") and (written.startswith("+") or len(digits) == 13) else digits


def identity_number(text: str | None) -> str:
    """An identity number: its letters and digits, in capitals."""
    return "".join(sign for sign in unicodedata.normalize("NFKC", text or "") if sign.isalnum()).upper()


def plain(identifier: str) -> str:
    """Any identifier: a telephone number where it looks like one, else without blanks and in capitals."""
    written = unicodedata.normalize("NFKC", identifier).strip()
    return telephone(written) if _NUMBER.fullmatch(written) else written.replace(" ", "").upper()
