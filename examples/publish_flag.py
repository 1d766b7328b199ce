"""A hotline in Python publishes a flag over NATS. Needs nats-py[nkeys] and joserfc, and nothing of the platform.

Environment: XINQIAO_NATS_URL, XINQIAO_NKEY_FILE (the seed), XINQIAO_HOTLINE, XINQIAO_COUNTY, XINQIAO_SEALING_KEY_FILE
(the crisis service's public JWK), and, if callers are to be recognised, XINQIAO_PSEUDONYM_KEY_FILE (the line's own
secret; the same for ever). Prints the broker's answer; exits 0 only when the flag is kept.
"""

import asyncio
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import nats.errors
import nats.js.errors
from joserfc import jwe
from joserfc.jwk import ECKey

TYPE = "hotline.risk_flagged"
DEADLINE_SECONDS = 60


def new_id() -> str:
    """A UUIDv7: the milliseconds of the epoch, then chance."""
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=number & ~(0b11 << 62) | 0b10 << 62))


def seal(contact: dict[str, str]) -> str:
    """What a responder needs in order to call back, for the crisis service's eyes alone."""
    key = ECKey.import_key(json.loads(Path(os.environ["XINQIAO_SEALING_KEY_FILE"]).read_text()))
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": key.kid}
    return jwe.encrypt_compact(header, json.dumps(contact, ensure_ascii=False).encode(), key)


def pseudonym(identifier: str) -> str | None:
    """The same person gives the same value; nobody else can make it or turn it back."""
    file = os.environ.get("XINQIAO_PSEUDONYM_KEY_FILE")
    return hmac.new(Path(file).read_bytes(), identifier.encode(), hashlib.sha256).hexdigest() if file else None


def a_flag() -> dict[str, object]:
    moment = datetime.now(UTC)
    body: dict[str, object] = {
        "hotline": os.environ["XINQIAO_HOTLINE"],
        "contact": f"c-{secrets.token_hex(8)}",
        "channel": "call",
        "county": os.environ["XINQIAO_COUNTY"],
        "contact_started_at": (moment - timedelta(minutes=12)).isoformat(),
        "flagged_at": moment.isoformat(),
        "age_band": "from_25_to_44",
        "hotline_level": "high",
        "act_in_progress": "no",
        "plan_within_72_hours": "yes",
        "attempt_within_2_weeks": "refused",
        "suicidal_intensity": 70,
        "hopelessness": "not_asked",
        "consent_to_follow_up": "yes",
        "sealed_contact": seal({"name": "示例来电者甲", "phone": "000-0000-0001"}),
    }
    caller = pseudonym("000-0000-0001")
    return body | ({"caller": caller} if caller else {})


async def main() -> int:
    hotline, county = os.environ["XINQIAO_HOTLINE"], os.environ["XINQIAO_COUNTY"]
    denied = asyncio.Event()

    async def on_error(error: Exception) -> None:
        print(f"broker: {error}", file=sys.stderr)
        if "permissions violation" in str(error).lower():
            denied.set()

    connection = await nats.connect(
        os.environ["XINQIAO_NATS_URL"],
        nkeys_seed=os.environ["XINQIAO_NKEY_FILE"],
        inbox_prefix=f"_INBOX_hotline-{hotline}".encode(),  # the only place where this credential may listen
        error_cb=on_error,
        max_reconnect_attempts=-1,
    )
    body = a_flag()
    ident = new_id()
    headers = {
        "Nats-Msg-Id": ident,
        "ce-specversion": "1.0",
        "ce-id": ident,
        "ce-source": f"urn:xinqiao:hotline:{hotline}",
        "ce-type": TYPE,
        "ce-time": str(body["flagged_at"]),
        "ce-dataschema": f"urn:xinqiao:schema:{TYPE}:v1",
        "content-type": "application/json",
    }
    data = json.dumps(body, ensure_ascii=False).encode()
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        while time.monotonic() < deadline and not denied.is_set():
            try:
                # Until the broker has answered, the flag is not kept: the same bytes again, under the same id.
                ack = await connection.jetstream().publish(
                    f"xinqiao.{TYPE}.v1.{county}", data, timeout=5, stream="HOTLINE", headers=headers
                )
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError) as error:
                print(f"not acknowledged yet: {type(error).__name__}", file=sys.stderr)
                await asyncio.sleep(0.5)
                continue
            answer = {"id": ident, "stream": ack.stream, "seq": ack.seq, "duplicate": bool(ack.duplicate)}
            print(json.dumps(answer))
            return 0
    finally:
        await connection.close()
    print("the flag was not acknowledged", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
