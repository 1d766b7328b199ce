"""Whatever a client sends to a service over HTTP, the answer is never a failure of the service.

The requests are drawn from each service's own OpenAPI description; the ids in their addresses are now and then those of
things that are there, so that more than "not found" is tried.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Err

from chassis.auth import ROLES
from chassis.clock import new_id, now
from contracts.topology import SERVICES
from tests.flows.test_hotlines_day import bearer
from xinqiao.local import Stack

COUNTY = "370812"
EXAMPLES = 12
"""Requests for each operation: enough to meet each field once with the wrong kind of value."""


def a_flag_over_http(stack: Stack) -> None:
    """A case is there, so that its routes are met."""
    moment = now().isoformat()
    flag = {
        "specversion": "1.0",
        "id": str(new_id()),
        "source": "urn:xinqiao:hotline:12356-yanzhou",
        "type": "hotline.risk_flagged",
        "dataschema": "urn:xinqiao:schema:hotline.risk_flagged:v1",
        "time": moment,
        "datacontenttype": "application/json",
        "data": {
            "hotline": "12356-yanzhou",
            "contact": new_id().hex,
            "channel": "call",
            "county": COUNTY,
            "contact_started_at": moment,
            "flagged_at": moment,
            "plan_within_72_hours": "yes",
        },
    }
    token = bearer(stack, "line", "hotline", division=COUNTY, hotline="12356-yanzhou")
    answer = httpx.post(f"{stack.http_url('crisis')}/v1/flags", json=flag, headers=token)
    assert answer.status_code == 202, answer.text


def ids_of(value: Any, found: dict[str, set[str]], name: str = "") -> None:
    """Every id that an answer holds, by the name that an address would have for it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            ids_of(inner, found, name if key == "id" else key)
    elif isinstance(value, list):
        for inner in value:
            ids_of(inner, found, name.removesuffix("s") + "_id" if not name.endswith("_id") else name)
    elif isinstance(value, str):
        try:
            found[name].add(str(UUID(value)))
        except ValueError:
            return


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_makes_a_service_fail(stack: Stack, service: str) -> None:
    a_flag_over_http(stack)
    url = stack.http_url(service)
    organisation = "00000000-0000-7000-8000-000000000001"
    headers = bearer(stack, "anyone", *ROLES, division="", organisation=organisation, hotline="12356-yanzhou")
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    known: dict[str, set[str]] = defaultdict(set)
    choose = random.Random(7)
    failed: list[str] = []
    tried = 0
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        every = [result.ok() for result in schema.get_all_operations() if not isinstance(result, Err)]
        operations = [one for one in every if not one.path.endswith("/import")]  # whole files have tests of their own
        assert operations
        for operation in operations:
            if operation.method == "get" and "{" not in operation.path:
                answer = client.get(operation.path)
                if answer.headers.get("content-type", "").startswith("application/json"):
                    ids_of(answer.json(), known, operation.path.rsplit("/", 1)[-1])
        for operation in operations:

            @given(case=operation.as_strategy())
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                phases=[Phase.generate],
                database=None,
                suppress_health_check=list(HealthCheck),
                derandomize=True,
            )
            def send(case: schemathesis.Case[Any]) -> None:
                nonlocal tried
                for name in case.path_parameters or {}:
                    if known[name] and choose.random() < 0.8:
                        case.path_parameters[name] = choose.choice(sorted(known[name]))
                answer = case.call(base_url=url, headers=headers)
                tried += 1
                kind = answer.headers.get("content-type", [""])[0]
                if answer.status_code >= 500:
                    body = json.dumps(case.body, default=str)
                    failed.append(f"{case.method} {case.formatted_path} {body}: {answer.text}")
                elif answer.status_code >= 400:
                    assert kind == "application/problem+json", answer.text
                elif kind.startswith("application/json"):
                    ids_of(answer.json(), known, case.path.rsplit("/", 1)[-1])

            send()
    assert failed == []
    assert tried >= len(operations), "each operation was tried"
