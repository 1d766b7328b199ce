"""Credentials of an installation, and the broker's configuration that follows from them and from the topology."""

from __future__ import annotations

import base64
import json
import re
import secrets as random
from dataclasses import dataclass
from pathlib import Path

import nkeys
from joserfc.jwk import ECKey, OKPKey

from contracts.topology import SERVICES, TIMED, consumers_of, hotline_subjects, publishable_subjects

SEALING_KEY_ID = "crisis-1"


@dataclass(frozen=True)
class Hotline:
    """A hotline system that may publish the flags of one county."""

    name: str
    county: str

    def __post_init__(self) -> None:
        # They become a file's name and a pattern of subjects: `*` would open every county.
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,62}", self.name):
            raise ValueError(f"{self.name!r} is not a hotline's name: lower-case letters, digits and hyphens")
        if not re.fullmatch(r"[0-9]{6}", self.county):
            raise ValueError(f"{self.county!r} is not a county: six digits")


@dataclass(frozen=True)
class Secrets:
    """Where an installation keeps its credentials; each file holds one, readable by its owner alone."""

    root: Path

    def nkey(self, user: str) -> Path:
        return self.root / "nkeys" / f"{user}.nk"

    def public_nkey(self, user: str) -> str:
        return (self.root / "nkeys" / f"{user}.pub").read_text().strip()

    def mongo_password(self, user: str) -> Path:
        return self.root / "mongo" / f"{user}.password"

    def mongo_uri(self, user: str) -> Path:
        return self.root / "mongo" / f"{user}.uri"

    @property
    def mongo_keyfile(self) -> Path:
        return self.root / "mongo" / "keyfile"

    @property
    def token_private(self) -> Path:
        return self.root / "tokens" / "private.jwk"

    @property
    def token_public(self) -> Path:
        return self.root / "tokens" / "public.jwks"

    @property
    def sealing_private(self) -> Path:
        return self.root / "sealing" / "private.jwk"

    @property
    def sealing_public(self) -> Path:
        return self.root / "sealing" / "public.jwk"

    def master_key(self, service: str) -> Path:
        return self.root / "master" / f"{service}.key"

    @property
    def hotlines_file(self) -> Path:
        return self.root / "hotlines.json"

    def hotlines(self) -> list[Hotline]:
        if not self.hotlines_file.exists():
            return []
        return [Hotline(**entry) for entry in json.loads(self.hotlines_file.read_text())]


BUS_USERS = ("provisioner", "operator", *SERVICES)
DATABASE_USERS = ("root", "auditor", *SERVICES)


def create(secrets: Secrets, mongo_address: str) -> None:
    """Make every credential that is not there yet; those that are stay as they are."""
    for user in BUS_USERS:
        _create_nkey(secrets, user)
    for user in DATABASE_USERS:
        _write_once(secrets.mongo_password(user), lambda: random.token_urlsafe(24))
        password = secrets.mongo_password(user).read_text()
        options = "authSource=admin&replicaSet=rs0&retryWrites=true"
        _write(secrets.mongo_uri(user), f"mongodb://{user}:{password}@{mongo_address}/?{options}")
    _write_once(secrets.mongo_keyfile, lambda: base64.b64encode(random.token_bytes(192)).decode())
    for service in SERVICES:
        _write_once(secrets.master_key(service), lambda: base64.b64encode(random.token_bytes(32)).decode())
    if not secrets.token_private.exists():
        key = OKPKey.generate_key("Ed25519", {"kid": "local-1", "use": "sig"})
        _write(secrets.token_private, json.dumps(key.as_dict(private=True)))
        _write(secrets.token_public, json.dumps({"keys": [key.as_dict(private=False)]}))
    if not secrets.sealing_private.exists():
        sealing = ECKey.generate_key("P-256", {"kid": SEALING_KEY_ID, "use": "enc", "alg": "ECDH-ES"})
        _write(secrets.sealing_private, json.dumps(sealing.as_dict(private=True)))
        _write(secrets.sealing_public, json.dumps(sealing.as_dict(private=False)))


def add_hotline(secrets: Secrets, name: str, county: str) -> Hotline:
    """A credential for a hotline system; the broker has to load its configuration again."""
    hotline = Hotline(name, county)
    known = {entry.name: entry for entry in secrets.hotlines()} | {name: hotline}
    _create_nkey(secrets, f"hotline-{name}")
    _write(secrets.hotlines_file, json.dumps([vars(entry) for entry in known.values()]))
    return hotline


def nats_configuration(
    secrets: Secrets, *, host: str, port: int, monitor_port: int, store: str, cluster: str = ""
) -> str:
    """The broker's configuration: each user with the subjects that the topology gives it, every write synced."""
    users = [
        _user(secrets, "provisioner", ["$JS.API.>"]),
        _user(secrets, "operator", ["$JS.API.>", "$JS.ACK.>", "xinqiao.>"], ["$JS.ACK.>", "xinqiao.>"]),
    ]
    users += [_user(secrets, service, _service_subjects(service), [f"xinqiao.wake.{service}"]) for service in SERVICES]
    for hotline in secrets.hotlines():
        users.append(_user(secrets, f"hotline-{hotline.name}", hotline_subjects(hotline.county)))
    listed = "\n".join(users)
    return f"""# Generated from contracts/topology.py; changes here are overwritten.
server_name: xinqiao
host: "{host}"
port: {port}
http: "{host}:{monitor_port}"
max_payload: 131072
max_pending: 67108864
write_deadline: "10s"
jetstream {{
  store_dir: "{store}"
  # The streams' limits are what they may grow to; the disk under them is watched, not reserved.
  max_file_store: 64GB
  # An acknowledged message survives a power cut only if each write is synced.
  sync_interval: always
}}
{cluster}authorization {{
  users: [
{listed}
  ]
}}
"""


def _service_subjects(service: str) -> list[str]:
    subjects = [*publishable_subjects(service), f"xinqiao.dead.{service}.>", f"xinqiao.wake.{service}"]
    for consumer in consumers_of(service):
        place = f"{consumer.stream}.{consumer.name}"
        subjects += [
            f"$JS.API.CONSUMER.MSG.NEXT.{place}",
            f"$JS.API.CONSUMER.INFO.{place}",
            f"$JS.ACK.{place}.>",
            f"$JS.ACK.*.*.{place}.>",
        ]
    if service in TIMED:
        subjects.append(f"xinqiao.timers.{service}.>")
    if service == "crisis":
        subjects.append("$JS.API.STREAM.MSG.GET.HOTLINE")
        subjects.append("$JS.API.DIRECT.GET.HOTLINE.>")
    return subjects


def _user(secrets: Secrets, name: str, publish: list[str], subscribe: list[str] | None = None) -> str:
    listened = [f"_INBOX_{name}.>", *(subscribe or [])]
    return (
        f"    {{ nkey: {secrets.public_nkey(name)}, permissions: {{\n"
        f"        publish: {{ allow: {json.dumps(publish)} }}\n"
        f"        subscribe: {{ allow: {json.dumps(listened)} }} }} }}"
    )


def _create_nkey(secrets: Secrets, user: str) -> None:
    if secrets.nkey(user).exists():
        return
    seed = nkeys.encode_seed(random.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    pair = nkeys.from_seed(bytearray(seed))
    _write(secrets.nkey(user), seed.decode())
    _write(secrets.nkey(user).with_suffix(".pub"), pair.public_key.decode())


def _write_once(path: Path, content: object) -> None:
    if not path.exists():
        _write(path, content())  # type: ignore[operator]


def _write(path: Path, text: str) -> None:
    """All of it or nothing: a credential half written would be kept for ever."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)
