"""The lines of a hotline's day: the file they are kept in, and how they become a day that ends now."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from joserfc import jwe
from joserfc.jwk import ECKey

ROOT = Path(__file__).resolve().parents[2]
DAY_FILE = ROOT / "examples" / "hotline-day.jsonl"
KEPT_FLAGS = 240
KEPT_SEED = 12356

HOTLINES = {"12356-yanzhou": "370812", "12356-haizhou": "320706", "12355-haizhou": "320706"}
"""The hotlines of the day and the county of each one's credential."""

BEGINNING = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)
"""When the day in the file begins: 2 March 2026, midnight in Asia/Shanghai."""

SEALED = '"@sealed@"'
"""Stands in a body where the contact goes, sealed, when the day is replayed."""
PAD = "@pad@"
"""Stands in a body where a line's `pad` letters go."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
PSEUDONYM = re.compile(r"\b[0-9a-f]{64}\b")

Seal = Callable[[dict[str, str]], str]


@dataclass(frozen=True)
class Line:
    """One thing that a hotline sends.

    `at` is in seconds from the beginning of the day, and `body` what is sent, to the letter, but for its placeholders.
    `expect` is the end that it has to come to: `case`, `joins`, `duplicate`, `dead:<reason>`, `refused:<reason>` (an
    HTTP answer) or `denied` (by the broker). `contact` is what is sealed into the body, made up throughout.
    """

    at: float
    via: str
    hotline: str
    subject: str
    headers: dict[str, str]
    body: str
    expect: str
    contact: dict[str, str] | None = None
    pad: int = field(default=0)

    @property
    def ident(self) -> str | None:
        """The event's id, where the line has one."""
        if self.via == "nats":
            return self.headers.get("ce-id")
        found = re.search(r'"id": ?"([^"]*)"', self.body)
        return found.group(1) if found else None


def read_day(path: Path = DAY_FILE) -> list[Line]:
    """The lines of a file, in its order."""
    with path.open(encoding="utf-8") as lines:
        return [Line(**json.loads(line)) for line in lines if line.strip()]


def write_lines(path: Path, lines: Iterable[Line]) -> int:
    """Write a file; how many lines it has."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            kept = {name: value for name, value in asdict(line).items() if value or name not in ("contact", "pad")}
            file.write(json.dumps(kept, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_day(path: Path = DAY_FILE) -> int:
    """Write the kept day anew; how many lines it has."""
    from xinqiao.simulate.make import generate

    return write_lines(path, generate(KEPT_FLAGS, KEPT_SEED))


def expected(lines: Iterable[Line]) -> Counter[str]:
    """How many lines have to come to which end."""
    return Counter(line.expect for line in lines)


def seal_to(public_jwk: Path) -> Seal:
    """Seals a contact to the crisis service's public key: JWE, compact, ECDH-ES with A256GCM."""
    key = ECKey.import_key(json.loads(public_jwk.read_text()))
    header = {"alg": "ECDH-ES", "enc": "A256GCM", **({"kid": key.kid} if key.kid else {})}

    def seal(contact: dict[str, str]) -> str:
        return jwe.encrypt_compact(header, json.dumps(contact, ensure_ascii=False).encode(), key)

    return seal


def replay(day: Sequence[Line], now: datetime, run: str, seal: Seal | None = None) -> Iterator[Line]:
    """The day as it would be if its last line were sent now.

    Every time is shifted alike, wherever it stands. Ids and pseudonyms are made anew from `run`, so that a second run
    is a second day with other people, while what belongs together in the file stays together. Without `seal` the
    contacts are left out.
    """
    if not day:
        return
    shift = now.astimezone(UTC) - (BEGINNING + timedelta(seconds=max(line.at for line in day)))
    sealed: dict[str, str] = {}

    def anew(text: str) -> str:
        text = TIME.sub(lambda found: _shifted(found.group(), shift), text)
        text = UUID.sub(lambda found: _fresh_id(found.group(), run, shift), text)
        return PSEUDONYM.sub(lambda found: _fresh_pseudonym(found.group(), run), text)

    for line in day:
        body = anew(line.body)
        if SEALED in body:
            # What is sent twice is sent to the letter, and sealing is different each time: seal once for each contact.
            whose = f"{line.ident}:{json.dumps(line.contact)}"
            if whose not in sealed:
                sealed[whose] = json.dumps(seal(line.contact)) if seal and line.contact else "null"
            body = body.replace(SEALED, sealed[whose])
        body = body.replace(PAD, "x" * line.pad)
        yield replace(line, headers={name: anew(value) for name, value in line.headers.items()}, body=body)


def _shifted(text: str, shift: timedelta) -> str:
    moment = datetime.fromisoformat(text) + shift
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fresh_id(text: str, run: str, shift: timedelta) -> str:
    old = uuid.UUID(text)
    milliseconds = (old.int >> 80) + int(shift.total_seconds() * 1000)
    noise = hashlib.sha256(f"{run}:{text}".encode()).digest()
    return str(version_7(milliseconds, int.from_bytes(noise[:10], "big")))


def version_7(milliseconds: int, noise: int) -> uuid.UUID:
    """A UUIDv7 (RFC 9562) of a moment, in milliseconds of the epoch, and 74 bits of `noise`."""
    high, low = (noise >> 62) & 0xFFF, noise & ((1 << 62) - 1)
    return uuid.UUID(int=(milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def _fresh_pseudonym(text: str, run: str) -> str:
    return hmac.new(run.encode(), text.encode(), hashlib.sha256).hexdigest()
