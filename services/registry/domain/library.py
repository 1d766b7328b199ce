"""The library: what is told of a resource, and what is wrong with it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from services.registry.domain.library_labels import LICENCES

LINK_LIMIT = 1000
PRIVATE_ENDINGS = (".local", ".localhost", ".internal", ".intranet", ".lan", ".home", ".corp", ".private", ".home.arpa")
_LAST_LABEL = re.compile(r"(xn--[a-z0-9-]+|[a-z]{2,63})")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PSEUDONYM = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,31}")
_IDENTITY = re.compile(r"\d{6,}")


@dataclass(frozen=True)
class Flaw:
    """What is wrong, and in which field."""

    reason: str
    detail: str
    field: str


def read_link(text: str) -> str:
    """An address that anybody's browser may open: https, a public host, no user and password. Raises `ValueError`.

    Nothing is fetched here; the check keeps links into offices' own networks, and tricks with numbers, out of a
    public list.
    """
    if len(text) > LINK_LIMIT or not text.isprintable() or any(sign.isspace() or sign in '\\<>"' for sign in text):
        raise ValueError("not an address")
    parts = urlsplit(text)
    if parts.scheme != "https":
        raise ValueError("only https:// is taken")
    if "@" in parts.netloc:
        raise ValueError("an address holds no user and no password")
    if parts.port == 0 or not parts.hostname:
        raise ValueError("there is no host")
    _public_host(parts.hostname)
    return text


def _public_host(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            name = host.encode("idna").decode().lower()
        except UnicodeError as error:
            raise ValueError("the host is no name") from error
        labels = name.split(".")
        if len(labels) < 2 or not all(_LABEL.fullmatch(one) for one in labels) or name.endswith(PRIVATE_ENDINGS):
            raise ValueError("the host is not public") from None
        if not _LAST_LABEL.fullmatch(labels[-1]):  # 0x7f.1 and 127.1 are numbers to a browser
            raise ValueError("the host is not public") from None
        return
    embedded = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
    if not address.is_global or address.is_multicast or (embedded is not None and not embedded.is_global):
        raise ValueError("the host is not public")


def read_pseudonym(text: str) -> str:
    """A reader's number as the shelf's keeper gives it, such as `R-0012`; no telephone, no identity number."""
    if not _PSEUDONYM.fullmatch(text) or _IDENTITY.search(text):
        raise ValueError("a letter, then letters, digits and dashes, fewer than six digits in a row")
    return text


def flaw_in_item(told: dict[str, Any]) -> Flaw | None:
    """What is wrong with a resource as told, each kind by what it must have."""
    kind = told["kind"]
    if told["provider_id"] is None and told["provider"] is None:
        return Flaw("missing", "请填写提供单位", "provider_id")
    if kind == "training_base":
        if told["place_id"] is None:
            return Flaw("missing", "培训基地须关联已登记的场所", "place_id")
        if not told["training"]:
            return Flaw("missing", "请填写培训基地提供的服务（团体、个体）", "training")
    else:
        if told["training"]:
            return Flaw("not_for_this_kind", "只有培训基地填写此项", "training")
        if told["link"] is None and told["shelf"] is None:
            return Flaw("missing", "请填写链接或存放位置", "link")
    if kind == "audio" and not told["purposes"]:
        return Flaw("missing", "音频须注明功用", "purposes")
    if kind != "audio" and told["settings"]:
        return Flaw("not_for_this_kind", "只有音频填写播放场合", "settings")
    if kind == "video" and not told["tags"]:
        return Flaw("missing", "视频须注明主题", "tags")
    if LICENCES[told["licence"]].hand_on == "note" and told["licence_note"] is None:
        return Flaw("missing", "请写明提供单位的许可", "licence_note")
    return None


def may_be_handed_on(licence: str) -> bool:
    """Whether the rights allow that the material is given on; a permission is told in the terms."""
    return LICENCES[licence].hand_on != "no"


def month_of(day: date) -> str:
    """`2026-11`."""
    return f"{day.year:04d}-{day.month:02d}"


def above(division: str) -> list[str]:
    """The codes of the divisions that hold this one, and its own; what they share is shared with it."""
    return [division[:digits] for digits in (2, 4, 6, 9, 12) if digits <= len(division)]
