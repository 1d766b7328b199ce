"""Bearer tokens: who calls, in which roles, and for which division."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from chassis.errors import NotAllowed

ALGORITHMS = ["Ed25519", "RS256", "ES256"]

ROLES = (
    "hotline",  # a hotline system: publishes flags of its own county
    "duty_officer",  # takes cases: acknowledges, refers, records attempts
    "supervisor",  # the same, and agrees to lower a risk, decides after the last attempt, closes
    "district_centre",  # is called when a line's own people do not acknowledge; takes cases as they do
    "receiver",  # a named person at a receiving institution
    "coordinator",  # finds a responder when nobody is left
    "volunteer",  # answers offers made to this person, and raises concerns
    "community_worker",  # a community's own cadre: raises concerns, and receives those of its volunteers
    "grid_worker",  # who answers for one grid of a village: raises concerns of it, and sees the own ones alone
    "class_teacher",  # the first hop of a school's warning, in the school that the token names
    "school_counsellor",  # the school's own hop
    "department",  # the office at which a chain ends: education, health, civil affairs
    "surveyor",  # takes screenings in the field
    "privacy_officer",  # reviews readings by emergency access, holds and releases records, exports one person's
    "content_supervisor",  # agrees to form and content of activities of the units that the registry names
    "registrar",  # keeps divisions, organisations, volunteers and rosters
    "statistician",  # reads counts
    "auditor",  # reads the audit log
    "operator",  # runs the platform; no personal data
)


class Unauthenticated(Exception):
    """No token, or one that does not hold: 401."""


@dataclass(frozen=True)
class Caller:
    """Who calls. `subject` is a pseudonym that the issuer can resolve; `division` bounds what exists for the caller."""

    subject: str
    roles: frozenset[str]
    division: str
    organisation: str | None = None
    hotline: str | None = None
    grid: str | None = None

    def sees(self, division: str) -> bool:
        """Whether a division lies within the caller's; an empty division is the whole country."""
        return division.startswith(self.division)

    def needs(self, *roles: str) -> None:
        """Raises `NotAllowed` (403) unless the caller has one of the roles."""
        if not self.roles.intersection(roles):
            raise NotAllowed(f"this needs one of the roles {', '.join(roles)}", status=403)


class Tokens:
    """Verifies bearer tokens against the issuer's public keys."""

    def __init__(self, keys_file: Path, issuer: str, audience: str) -> None:
        self._keys = KeySet.import_key_set(json.loads(keys_file.read_text()))
        self._claims = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def read(self, token: str) -> Caller:
        """The caller that a token names; raises `Unauthenticated`."""
        try:
            claims = jwt.decode(token, self._keys, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
            return Caller(
                subject=str(claims["sub"]),
                roles=frozenset(claims.get("roles", ())),
                division=str(claims["division"]),
                organisation=claims.get("organisation"),
                hotline=claims.get("hotline"),
                grid=claims.get("grid"),
            )
        except (JoseError, KeyError, ValueError, TypeError) as error:
            raise Unauthenticated(type(error).__name__) from error


def issue(private_key: OKPKey, issuer: str, audience: str, seconds: int, **claims: Any) -> str:
    """A token of the local issuer, for development and the demonstration; in production an OIDC issuer gives them."""
    moment = int(time.time())
    content = {"iss": issuer, "aud": audience, "iat": moment, "exp": moment + seconds, **claims}
    return jwt.encode({"alg": "Ed25519", "kid": private_key.kid}, content, private_key, algorithms=ALGORITHMS)


def caller_with(*roles: str) -> Callable[[Request], Caller]:
    """A route's dependency: the caller, who must have one of the roles."""

    def dependency(request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("a bearer token is needed")
        tokens: Tokens = request.app.state.tokens
        caller = tokens.read(token.strip())
        caller.needs(*roles)
        return caller

    return dependency
