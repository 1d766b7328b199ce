"""The examples in the descriptions of bodies are taken by the routes that they are examples for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from chassis.errors import Refused
from tests.services.registry.support import Registry


def bodies(app: FastAPI) -> Iterator[tuple[str, Any]]:
    """Each route that takes a JSON body, with the model of the body."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.body_field is not None:
            yield f"{sorted(route.methods or ())[0]} {route.path}", route.body_field.field_info.annotation


def flaws(route: str, model: Any) -> Iterator[str]:
    body = TypeAdapter(model)
    schema = body.json_schema()
    if schema.get("type", "object") == "object" and "properties" in schema:
        if not schema.get("examples"):
            yield f"{route}: no example"
        if schema.get("additionalProperties") is not False:
            yield f"{route}: takes fields that it does not know"
    for example in schema.get("examples", []):
        try:
            told = getattr(body.validate_python(example), "told", None)
            if told is not None:
                told()
        except (ValidationError, Refused) as error:
            yield f"{route}: {example}: {error}"


async def test_each_body_has_an_example_that_its_own_route_takes(registry: Registry) -> None:
    found = list(bodies(registry.app))
    assert len(found) > 60
    assert [flaw for route, model in found for flaw in flaws(route, model)] == []
