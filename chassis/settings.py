"""What a service is told from outside: environment variables with the prefix ``XINQIAO_``, or files for secrets."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read once at start. Secrets are paths of files, so that no environment listing shows them."""

    model_config = SettingsConfigDict(env_prefix="XINQIAO_", extra="ignore")

    service: str
    instance: str = "0"
    nats_url: str = "nats://127.0.0.1:4222"
    nats_nkey_file: Path | None = None
    mongo_uri_file: Path = Field(description="Holds a MongoDB URI with the service's own user.")
    http_host: str = "127.0.0.1"
    http_port: int = 8080
    token_keys_file: Path = Field(description="JWK set of the keys that sign bearer tokens.")
    token_issuer: str = Field("xinqiao-local", description="Who signs bearer tokens.")
    token_audience: str = Field("xinqiao", description="Whom bearer tokens are for.")
    master_key_file: Path | None = Field(None, description="32 bytes, base64: wraps the keys of persons.")
    sealing_key_file: Path | None = Field(None, description="Private JWK that hotlines seal contacts to; crisis only.")
    policy_dir: Path | None = Field(
        None, description="Holds a folder for each service, with policy files that come before the ones shipped."
    )
    group_size: int = Field(256, ge=1, le=1000, description="Messages that share one transaction, at most.")
    claims_days: int = Field(1187, ge=30, description="How long a claim is kept; as long as the log by default.")
    stop_seconds: float = Field(15.0, gt=0, description="How long a stop waits for what runs.")
    log_level: str = "INFO"

    @property
    def policies(self) -> Path | None:
        """The folder of the service's own policy files, if the district has any."""
        return self.policy_dir / self.service if self.policy_dir else None

    @cached_property
    def mongo_uri(self) -> str:
        return self.mongo_uri_file.read_text().strip()
