"""Where an installation is reached: the local stack's, or the one that the environment names."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.jwk import OKPKey

from chassis.auth import issue
from chassis.bus import Bus
from chassis.db import Database
from contracts.topology import SERVICES
from xinqiao.secrets import Secrets

ISSUER = "xinqiao-local"
AUDIENCE = "xinqiao"


@dataclass(frozen=True)
class Connections:
    """What the audit reads through: the operator's bus and the auditor's right to read each database."""

    bus: Bus
    databases: dict[str, Database]

    async def close(self) -> None:
        await self.bus.close()
        for database in self.databases.values():
            database.close()


def policies_of_environment() -> Path | None:
    """Where the district's own policies are, as the services are told: ``XINQIAO_POLICY_DIR``."""
    folder = os.environ.get("XINQIAO_POLICY_DIR")
    return Path(folder) if folder else None


@dataclass(frozen=True)
class Installation:
    """Credentials and addresses of one installation; `policy_dir` holds the district's own policies, if it has any."""

    secrets: Secrets
    nats_url: str
    http: dict[str, str]
    policy_dir: Path | None = field(default_factory=policies_of_environment)

    async def bus(self, user: str = "operator") -> Bus:
        """A connection under one of the installation's own users."""
        connection = Bus(self.nats_url, user, self.secrets.nkey(user))
        await connection.connect()
        return connection

    def database(self, service: str, user: str = "auditor") -> Database:
        """A service's database, by default with the right to read only."""
        return Database(self.secrets.mongo_uri(user).read_text().strip(), service)

    async def connect(self) -> Connections:
        """What the audit reads through."""
        databases = {service: self.database(service) for service in SERVICES}
        return Connections(await self.bus(), databases)

    def token(self, subject: str, roles: list[str], division: str = "", seconds: int = 3600, **claims: str) -> str:
        """A token of the local issuer."""
        key = OKPKey.import_key(json.loads(self.secrets.token_private.read_text()))
        return issue(key, ISSUER, AUDIENCE, seconds, sub=subject, roles=roles, division=division, **claims)


def from_environment() -> Installation | None:
    """The installation that ``XINQIAO_SECRETS`` and its addresses name, if they do.

    ``XINQIAO_NATS_URL`` and ``XINQIAO_HTTP_CRISIS`` (…_REGISTRY, …_MATCHING, …_REPORTING) say where it is.
    """
    folder = os.environ.get("XINQIAO_SECRETS")
    if not folder:
        return None
    http = {name: os.environ.get(f"XINQIAO_HTTP_{name.upper()}", f"http://{name}:8080") for name in SERVICES}
    return Installation(Secrets(Path(folder)), os.environ.get("XINQIAO_NATS_URL", "nats://nats:4222"), http)
