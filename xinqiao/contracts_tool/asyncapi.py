"""contracts/asyncapi.yaml: the contract for whoever writes a client in another language.

It is put together here and not by FastStream's generator, because what an outside client needs most is what that one
does not know: the CloudEvents headers, the examples, who may publish where, and the HTTP door.
"""

from __future__ import annotations

from typing import Any

import yaml

from contracts.base import Event
from contracts.hotline import RiskFlagged
from contracts.topology import EVENTS, HOTLINE_GATEWAY, Declared, consumers_of
from xinqiao.contracts_tool import http_door
from xinqiao.contracts_tool.event_map import meaning
from xinqiao.contracts_tool.schemas import Examples, file_name, key

Node = dict[str, Any]

ABOUT = """\
Four services and the hotline systems outside exchange events over NATS JetStream. An event is a CloudEvent 1.0, in
binary mode over NATS and in structured mode over HTTP. Every operation here is named by the party that does it: a
`send` is what that party publishes, a `receive` what it consumes. A hotline system does one thing only: it sends
`hotline.risk_flagged`, over NATS or over HTTP.

Rules for whoever publishes:

- `ce-id` is a UUID (version 7 is best) that names the event for ever. `Nats-Msg-Id` has the same value. To try again is
  to send the same bytes under the same id; the platform acts on it once.
- An event is kept when the broker has answered with a PubAck, or the HTTP door with 202, and not before. Wait for it,
  and try again until it comes.
- The last part of the subject is the county of the credential, six digits. The broker refuses any other.
- Fields that a reader does not know are ignored. Fields marked with a default may be left out.
- No field holds a name, a telephone number, an address or free text about a person. `sealed_contact` holds them,
  sealed to the crisis service's public key.
- A body has at most 65,536 bytes.
"""

_GATEWAY = "What a hotline posted over HTTP, or what the service itself took for one."


def _ref(kind: str, name: str) -> Node:
    return {"$ref": f"#/components/{kind}/{name}"}


def _ident(event: type[Event]) -> str:
    """The name of an event version as a key of this document."""
    return key(event).replace(".", "_")


def text(version: str, examples: Examples) -> str:
    """The document as it is committed."""
    body = yaml.dump(document(version, examples), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=116)
    head = (
        "# Generated from contracts/topology.py by `python -m xinqiao.contracts_tool write`; changes are overwritten.\n"
    )
    return head + body


def document(version: str, examples: Examples) -> Node:
    """AsyncAPI 3.0.0."""
    shared = SharedSchemas()
    channels: Node = {}
    operations: Node = {}
    messages: Node = {}
    for declared in EVENTS:
        event = declared.event
        channels[_ident(event)] = _channel(declared)
        messages[_ident(event)] = _message(declared, shared, examples.get((event.TYPE, event.VERSION), {}))
        operations |= _operations(declared)
    messages["publish_ack"] = _publish_ack()
    channels["publish_ack"] = {
        "address": None,
        "title": "The broker's answer",
        "description": "Arrives on the reply subject of the publish, under the credential's own inbox prefix.",
        "servers": [{"$ref": "#/servers/nats"}],
        "messages": {"publish_ack": _ref("messages", "publish_ack")},
    }
    risk_flagged = (RiskFlagged.TYPE, RiskFlagged.VERSION)
    http_door.add(channels, operations, messages, examples.get(risk_flagged, {}))
    return {
        "asyncapi": "3.0.0",
        "id": "urn:xinqiao",
        "info": {
            "title": "Xinqiao 心桥",
            "version": version,
            "description": ABOUT,
            "tags": [{"name": name} for name in ("hotline", "registry", "matching", "crisis", "reporting")],
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "messageTraits": {"cloudevent": {"headers": _headers()}},
            "parameters": {"county": _county()},
            "securitySchemes": _security(),
            "schemas": shared.schemas | http_door.SCHEMAS,
        },
    }


def _servers() -> Node:
    return {
        "nats": {
            "host": "{host}:4222",
            "protocol": "nats",
            "description": "NATS JetStream. Use the tls scheme outside of one machine.",
            "variables": {"host": {"default": "localhost", "description": "Given by the district's operator."}},
            "security": [_ref("securitySchemes", "nkey")],
        },
        "http": {
            "host": "{host}",
            "protocol": "https",
            "description": "The crisis service's HTTP door, where NATS cannot be spoken; plain http on loopback only.",
            "variables": {"host": {"default": "localhost:8103", "description": "Given by the district's operator."}},
            "security": [_ref("securitySchemes", "bearer")],
        },
    }


def _security() -> Node:
    return {
        "nkey": {
            "type": "asymmetricEncryption",
            "description": "An nkey (Ed25519): the client signs the server's nonce with the operator's seed. The "
            "credential of a hotline may publish `xinqiao.hotline.risk_flagged.*.<its county>` and subscribe to "
            "`_INBOX_hotline-<its name>.>`, nothing else: the client's inbox prefix is `_INBOX_hotline-<its name>`.",
        },
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token with the role `hotline`, the hotline's name, and its county as the division.",
        },
    }


def _county() -> Node:
    return {
        "description": "Six digits, GB/T 2260; `000000` where an event belongs to no county. A hotline's credential "
        "admits its own county only.",
        "examples": ["370812", "320706"],
    }


def _channel(declared: Declared) -> Node:
    event = declared.event
    return {
        "address": event.subject_for("{county}"),
        "title": event.TYPE,
        "description": meaning(event),
        "servers": [{"$ref": "#/servers/nats"}],
        "parameters": {"county": _ref("parameters", "county")},
        "messages": {_ident(event): _ref("messages", _ident(event))},
        "x-jetstream": {"stream": declared.stream},
    }


def _message(declared: Declared, shared: SharedSchemas, examples: dict[str, Node]) -> Node:
    event = declared.event
    return {
        "name": event.TYPE,
        "title": f"{event.TYPE}, version {event.VERSION}",
        "summary": meaning(event),
        "contentType": "application/json",
        "traits": [_ref("messageTraits", "cloudevent")],
        "payload": shared.payload(event),
        "examples": [
            {
                "name": name,
                "headers": headers_of(example),
                "payload": example["data"],
            }
            for name, example in examples.items()
        ],
        "x-schema": f"schemas/{file_name(event)}",
    }


def headers_of(example: Node) -> dict[str, str]:
    """The binary mode's headers of an event in structured mode."""
    return {
        "Nats-Msg-Id": example["id"],
        "ce-specversion": example["specversion"],
        "ce-id": example["id"],
        "ce-source": example["source"],
        "ce-type": example["type"],
        "ce-time": example["time"],
        "ce-dataschema": example["dataschema"],
        "content-type": example["datacontenttype"],
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }


def _headers() -> Node:
    def word(description: str, **more: Any) -> Node:
        return {"type": "string", "description": description, **more}

    return {
        "type": "object",
        "required": ["Nats-Msg-Id", "ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"],
        "properties": {
            "Nats-Msg-Id": word(
                "Equal to `ce-id`. The broker drops what it has seen under it within ten minutes; later repeats are "
                "dropped by the consumers.",
                format="uuid",
            ),
            "ce-specversion": word("CloudEvents 1.0.", const="1.0"),
            "ce-id": word("The event's id, unique for ever; UUIDv7 is best.", format="uuid"),
            "ce-source": word("Who says it.", examples=["urn:xinqiao:hotline:12356-yanzhou"]),
            "ce-type": word("The event's type; it has to fit the subject.", examples=["hotline.risk_flagged"]),
            "ce-time": word("When it happened: RFC 3339 with an offset, not in the future.", format="date-time"),
            "ce-dataschema": word(
                "`urn:xinqiao:schema:<type>:v<major>`.", examples=["urn:xinqiao:schema:hotline.risk_flagged:v1"]
            ),
            "content-type": word("The body's type.", const="application/json"),
            "traceparent": word("W3C trace context; a new trace starts where it is absent."),
        },
    }


def _operations(declared: Declared) -> Node:
    event = declared.event
    ident = _ident(event)
    channel = {"$ref": f"#/channels/{ident}"}
    message = [{"$ref": f"#/channels/{ident}/messages/{ident}"}]
    operations: Node = {}
    for producer in declared.producers:
        gateway = producer == HOTLINE_GATEWAY and "hotline" in declared.producers
        operations[f"{producer}_sends_{ident}"] = {
            "action": "send",
            "channel": channel,
            "title": f"{producer} publishes {event.TYPE}",
            "summary": _GATEWAY if gateway else meaning(event),
            "tags": [{"name": producer}],
            "messages": message,
            "bindings": {"nats": {"bindingVersion": "0.1.0"}},
            "reply": {
                "channel": {"$ref": "#/channels/publish_ack"},
                "messages": [{"$ref": "#/channels/publish_ack/messages/publish_ack"}],
            },
        }
    for service in declared.consumers:
        (durable,) = [c.name for c in consumers_of(service) if c.stream == declared.stream]
        operations[f"{service}_receives_{ident}"] = {
            "action": "receive",
            "channel": channel,
            "title": f"{service} consumes {event.TYPE}",
            "tags": [{"name": service}],
            "messages": message,
            "bindings": {"nats": {"queue": durable, "bindingVersion": "0.1.0"}},
            "x-jetstream": {"stream": declared.stream, "durable": durable, "ack": "explicit"},
        }
    return operations


def _publish_ack() -> Node:
    return {
        "name": "publish_ack",
        "title": "PubAck",
        "summary": "The event is durable when this has arrived without `error`.",
        "contentType": "application/json",
        "payload": {
            "type": "object",
            "properties": {
                "stream": {"type": "string"},
                "seq": {"type": "integer", "description": "Its place in the stream; of the first one for a duplicate."},
                "duplicate": {"type": "boolean", "description": "True when this id was kept before."},
                "error": {
                    "type": "object",
                    "description": "The broker refused; the event is not kept.",
                    "properties": {
                        "code": {"type": "integer"},
                        "err_code": {"type": "integer"},
                        "description": {"type": "string"},
                    },
                },
            },
        },
        "examples": [
            {"name": "kept", "payload": {"stream": "HOTLINE", "seq": 41}},
            {"name": "kept_before", "payload": {"stream": "HOTLINE", "seq": 41, "duplicate": True}},
        ],
    }


class SharedSchemas:
    """The definitions of all payloads in one place, as AsyncAPI refers to them from the document's root."""

    def __init__(self) -> None:
        self.schemas: Node = {}

    def payload(self, event: type[Event]) -> Node:
        """The body's schema, its definitions moved to the document's components."""
        whole = event.body_schema()
        names = {name: self._place(key(event), name, whole) for name in whole.get("$defs", {})}
        body = {word: value for word, value in whole.items() if word != "$defs"}
        moved: Node = _moved(body, names)
        return moved

    def _place(self, event: str, name: str, whole: Node) -> str:
        """Where a definition goes: its own name, or the event's name before it where two of one name differ."""
        alone = _moved(whole["$defs"][name], {other: other for other in whole["$defs"]})
        for place in (name, f"{event}.{name}"):
            if self.schemas.setdefault(place, alone) == alone:
                return place
        raise ValueError(f"{event} has two definitions of {name}")


def _moved(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_moved(entry, names) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        ref = {"$ref": f"#/components/schemas/{names[node['$ref'].removeprefix('#/$defs/')]}"}
        rest = {word: _moved(value, names) for word, value in node.items() if word != "$ref"}
        # What stands beside a reference is ignored by readers of older dialects, which AsyncAPI's are.
        return {"allOf": [ref], **rest} if rest else ref
    return {word: _moved(value, names) for word, value in node.items()}


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
