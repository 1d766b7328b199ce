"""What the broker denied, and to whom: nats-server says it to the client and to its own log, and to nobody else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import nkeys

from xinqiao.secrets import Secrets

# [11381] 2026/11/22 12:00:35.201274 [ERR] 127.0.0.1:58228 - cid:57 - "v2.16.0:python3:name that the client gave itself"
# - "$G/nkey:U…" - Publish Violation - Subject "xinqiao.hotline.risk_flagged.v1.370812"
# The broker quotes what a client chooses, so that nobody can write another's key into a line: the end is what counts.
VIOLATION = re.compile(
    r'(?P<at>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)\S* \[ERR\] .* - "[^"\\]*\bnkey:(?P<key>U[A-Z2-7]{55})"'
    r' - (?P<operation>Publish|Subscription) Violation - (?P<part>Subject|Reply) (?P<subject>"(?:[^"\\]|\\.)*")'
    r'(?:, Queue: "(?:[^"\\]|\\.)*")?(?:, SID \S+)?\s*$'
)
OPERATIONS = {
    ("Publish", "Subject"): "publish",
    ("Publish", "Reply"): "publish, to be answered at",
    ("Subscription", "Subject"): "subscribe",
}


@dataclass(frozen=True)
class Denied:
    """How often one user was denied one operation on one subject. Times are the broker's clock, as it wrote them."""

    user: str
    operation: str
    subject: str
    times: int
    first: str
    last: str


def names(secrets: Secrets) -> dict[str, str]:
    """The installation's users by their public nkeys: `hotline-12356-yanzhou`, `crisis`."""
    folder = secrets.root / "nkeys"
    found = {path.read_text().strip(): path.stem for path in folder.glob("*.pub")}
    # An operator in a container holds the hotlines' seeds and not the public halves.
    for path in folder.glob("*.nk"):
        pair = nkeys.from_seed(bytearray(path.read_bytes().strip()))
        found[pair.public_key.decode()] = path.stem
    return found


def count(lines: Iterable[str], known: dict[str, str]) -> list[Denied]:
    """The permission violations in a log of nats-server, most first. A key that is not `known` stays a key."""
    found: dict[tuple[str, str, str], Denied] = {}
    for line in lines:
        said = VIOLATION.search(line)
        if said is None:
            continue
        user = known.get(said["key"], said["key"])
        operation = OPERATIONS.get((said["operation"], said["part"]), said["operation"].lower())
        subject, at = _unquoted(said["subject"]), said["at"]
        entry = found.get((user, operation, subject)) or Denied(user, operation, subject, 0, at, at)
        found[user, operation, subject] = replace(entry, times=entry.times + 1, last=at)
    return sorted(found.values(), key=lambda one: (-one.times, one.user, one.operation, one.subject))


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # Go has escapes that JSON has not
        return text[1:-1]
