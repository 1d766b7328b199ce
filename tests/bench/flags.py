"""The flags of the bench: made once for a run, so that every contestant gets the same, to the byte."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contracts.hotline import RiskFlagged
from xinqiao.simulate import HOTLINES, divisions, generate, seal_to
from xinqiao.simulate.day import SEALED, version_7

SEED = 12356
RECEIVERS = (("320706", "测试医院甲"), ("320706", "测试医院乙"), ("370812", "测试医院丙"))


@dataclass(frozen=True)
class Flag:
    """One message for the stream HOTLINE."""

    ident: str
    subject: str
    headers: dict[str, str]
    body: bytes


def make_flags(count: int, sealing_key: Path, start: int = 0) -> list[Flag]:
    """So many flags, numbered from `start`: risk mixed as in the Beijing figures (`xinqiao.simulate`), callers new
    each, a sealed contact in each.
    """
    seal = seal_to(sealing_key)
    moment = datetime.now(UTC)
    said = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    flags = []
    for number, line in enumerate(generate(count, SEED + start, mishaps=False), start):
        document = json.loads(line.body.replace(SEALED, '""'))
        body: dict[str, Any] = document["data"] if line.via == "http" else document
        noise = hashlib.sha256(f"bench {number}".encode()).digest()
        ident = str(version_7(int(moment.timestamp() * 1000), int.from_bytes(noise[:10], "big")))
        body |= {
            "caller": noise.hex(),
            "contact_started_at": said,
            "flagged_at": said,
            "sealed_contact": seal({"name": f"测试员{number}", "phone": f"000-0000-{number % 10_000:04d}"}),
        }
        headers = {
            "Nats-Msg-Id": ident,
            "ce-specversion": "1.0",
            "ce-id": ident,
            "ce-source": f"urn:xinqiao:hotline:{line.hotline}",
            "ce-type": RiskFlagged.TYPE,
            "ce-time": said,
            "content-type": "application/json",
            "traceparent": f"00-{noise[:16].hex()}-{noise[16:24].hex()}-01",
        }
        subject = RiskFlagged.subject_for(HOTLINES[line.hotline])
        flags.append(Flag(ident, subject, headers, json.dumps(body, ensure_ascii=False).encode()))
    return flags


def reference_data() -> dict[str, list[dict[str, Any]]]:
    """Divisions and receiving institutions as the crisis service keeps them, loaded before anything is measured."""
    places = divisions()
    codes = {*places, *(code for under in places.values() for code in under)}
    organisations = [
        {
            "_id": uuid.uuid5(uuid.NAMESPACE_OID, name),
            "revision": 1,
            "name": name,
            "kind": "hospital",
            "division": county,
            "county": county,
            "receives": True,
            "around_the_clock": True,
            "backup_id": None,
        }
        for county, name in RECEIVERS
    ]
    listed = [{"_id": code, "name": code, "local": False} for code in sorted(codes)]
    return {"divisions": listed, "organisations": organisations}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def wall() -> float:
    """Seconds, on the clock that all processes of this machine share."""
    return time.monotonic()
