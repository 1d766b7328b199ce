"""The HTTP door in the AsyncAPI document: the same CloudEvent in structured mode, and what is answered."""

from __future__ import annotations

from typing import Any

from contracts.hotline import RiskFlagged

Node = dict[str, Any]

SCHEMAS: Node = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457, application/problem+json.",
        "required": ["title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {
                "type": "string",
                "description": "What is wrong, for people; never the input's own values.",
            },
            "field": {"type": "string", "description": "Where in the request, for example `data.channel`."},
            "reason": {"type": "string", "description": "A stable word, as in dead letters."},
        },
    }
}


def add(channels: Node, operations: Node, messages: Node, examples: dict[str, Node]) -> None:
    """Put the door's channel, operation and messages into the document."""
    ident = f"{RiskFlagged.TYPE}.v{RiskFlagged.VERSION}".replace(".", "_")
    door = f"{ident}_structured"
    channels["flags"] = {
        "address": "/v1/flags",
        "title": "POST /v1/flags",
        "description": "202 only when the event is durable. 4xx: it can never be taken as it is; the answer names the "
        "field. 503, or no answer: send the same bytes again.",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": {door: {"$ref": f"#/components/messages/{door}"}},
    }
    channels["flags_answer"] = {
        "address": None,
        "title": "The HTTP answer",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in ("flag_accepted", "flag_problem")},
    }
    operations["hotline_posts_hotline_risk_flagged_v1"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/flags"},
        "title": "hotline posts hotline.risk_flagged",
        "tags": [{"name": "hotline"}],
        "messages": [{"$ref": f"#/channels/flags/messages/{door}"}],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        "reply": {
            "channel": {"$ref": "#/channels/flags_answer"},
            "messages": [
                {"$ref": "#/channels/flags_answer/messages/flag_accepted"},
                {"$ref": "#/channels/flags_answer/messages/flag_problem"},
            ],
        },
    }
    messages[door] = _structured(ident, examples)
    messages["flag_accepted"] = {
        "name": "flag_accepted",
        "title": "202 Accepted",
        "contentType": "application/json",
        "bindings": {"http": {"statusCode": 202, "bindingVersion": "0.3.0"}},
        "payload": {
            "type": "object",
            "required": ["id", "status"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "status": {"type": "string", "const": "accepted"},
                "sequence": {"type": "integer", "description": "Its place in the stream HOTLINE."},
            },
        },
        "examples": [
            {
                "name": "accepted",
                "payload": {"id": "01970d3a-6b00-7000-8000-000000000001", "status": "accepted", "sequence": 41},
            }
        ],
    }
    messages["flag_problem"] = {
        "name": "flag_problem",
        "title": "A problem: 401, 403, 409, 413, 422, 503",
        "contentType": "application/problem+json",
        "payload": {"$ref": "#/components/schemas/Problem"},
        "examples": [
            {
                "name": "invalid",
                "payload": {
                    "type": "about:blank",
                    "title": "Refused",
                    "status": 422,
                    "detail": "data.channel: Input should be 'call', 'chat', 'sms', 'tree_hole', 'walk_in' or 'other'",
                    "field": "data.channel",
                    "reason": "invalid",
                },
            }
        ],
    }


def _structured(ident: str, examples: dict[str, Node]) -> Node:
    version = f"urn:xinqiao:schema:{RiskFlagged.TYPE}:v{RiskFlagged.VERSION}"
    return {
        "name": f"{RiskFlagged.TYPE} in structured mode",
        "title": f"{RiskFlagged.TYPE}, version {RiskFlagged.VERSION}, structured",
        "contentType": "application/cloudevents+json",
        "headers": {
            "type": "object",
            "required": ["authorization"],
            "properties": {
                "authorization": {"type": "string", "description": "`Bearer` and the token."},
                "content-type": {"type": "string", "const": "application/cloudevents+json"},
                "traceparent": {"type": "string", "description": "W3C trace context."},
            },
        },
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "time", "data"],
            "properties": {
                "specversion": {"type": "string", "const": "1.0"},
                "id": {"type": "string", "format": "uuid"},
                "source": {"type": "string"},
                "type": {"type": "string", "const": RiskFlagged.TYPE},
                "dataschema": {"type": "string", "description": "Version 1 where absent.", "examples": [version]},
                "time": {"type": "string", "format": "date-time"},
                "datacontenttype": {"type": "string", "const": "application/json"},
                "data": {"$ref": f"#/components/messages/{ident}/payload"},
            },
        },
        "examples": [
            {
                "name": name,
                "headers": {"authorization": "Bearer …", "content-type": "application/cloudevents+json"},
                "payload": example,
            }
            for name, example in examples.items()
        ],
    }
