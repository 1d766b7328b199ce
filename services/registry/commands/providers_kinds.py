"""Licences and services of providers, checked by the rule of their type."""

from __future__ import annotations

from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.providers import rewrite_provider
from services.registry.domain.providers import KINDS
from services.registry.domain.providers_kinds import (
    REASONS,
    ProvidersPolicy,
    flaw_in_licence,
    lawful_services,
    unfit,
)
from services.registry.domain.providers_status import State


async def check_kind(tx: Tx, policy: ProvidersPolicy, told: dict[str, Any]) -> None:
    """Raises `Refused` where what is told of a provider does not suit its type."""
    rule = policy.of(told["kind"])
    if rule is None:
        return
    host = await store.organisation(tx, told["organisation_id"]) if told["organisation_id"] else None
    if field := unfit(rule, host["kind"] if host else None, told["credit_code"]):
        begins = "、".join(rule.credit_prefixes)
        words = f"统一社会信用代码须以 {begins} 开头" if field == "credit_code" else "所属机构不是这一类机构"
        raise Refused("unfit_for_kind", f"与{KINDS[rule.kind]}不符：{words}", field)


async def check_verifiable(tx: Tx, policy: ProvidersPolicy, provider: Document) -> None:
    """Raises `NotAllowed` unless a provider has what its type is checked by, valid today."""
    rule = policy.of(provider["kind"])
    if rule is None:
        return
    await check_kind(tx, policy, {**provider, "credit_code": provider.get("credit_code")})
    if flaw := flaw_in_licence(rule, provider.get("licence"), local_day(tx.now).isoformat()):
        raise NotAllowed(REASONS[flaw], reason=flaw, field="licence")


def set_licence(tx: Tx, provider: Document, licence: Document, by: str) -> Document:
    """The licence of practice; another one has to be verified anew, the same again changes nothing."""
    _alive(provider)
    if licence["valid_until"] is not None and licence["valid_until"] < licence["valid_from"]:
        raise Refused("bad_validity", "有效期的截止日期早于起始日期", "valid_until")
    if provider.get("licence") == licence:
        return provider
    return rewrite_provider(tx, {**provider, "licence": licence}, by, anew=True)


def set_services(tx: Tx, policy: ProvidersPolicy, provider: Document, services: list[str], by: str) -> Document:
    """What a provider offers; raises `Refused` for what the law bars its type from."""
    _alive(provider)
    lawful = lawful_services(policy.of(provider["kind"]))
    for position, service in enumerate(services):
        if service not in lawful:
            raise Refused("barred_by_law", REASONS["barred_by_law"], f"services.{position}")
    if provider.get("services", []) == services:
        return provider
    return rewrite_provider(tx, {**provider, "services": services}, by)


def _alive(provider: Document) -> None:
    if provider["status"] == State.ended:
        raise NotAllowed("该服务主体已注销")
