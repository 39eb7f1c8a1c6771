"""The document's `webhooks`: what Pixelmill calls, where a job or an endpoint names an address."""

from collections.abc import Mapping, Sequence
from typing import Any

_SIGNED = (
    ("webhook-id", "One for each event; the same when it is sent again."),
    ("webhook-timestamp", "When it was sent, in Unix seconds."),
    ("webhook-signature", "`v1,` and the HMAC-SHA256 of id, time and body; several, with blanks."),
)


def webhooks_of(events: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the call for each event; `schema` is that of its body."""
    return {event: {"post": _call(event, schema)} for event in events}


def _call(event: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "operationId": f"on_{event.replace('.', '_')}",
        "summary": f"A job is over: {event}" if "." in event else "A test of an endpoint",
        "description": "Signed as Standard Webhooks 1.0 says. Answer 2xx within 15 seconds; "
        "anything else, redirects too, is tried again for three days, and 410 ends it.",
        # No key of ours goes there: the signature says who calls.
        "security": [],
        "parameters": [
            {
                "in": "header",
                "name": name,
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _SIGNED
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"2XX": {"description": "It was taken."}},
    }
