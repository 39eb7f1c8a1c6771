"""An example for each operation: what to send, and what comes back.

Bodies that callers write stand here by hand, by the name of their schema. Those of answers follow
from their schemas: a member is what it is called, and a new schema has its example at once. A test
holds all of them against their schemas.
"""

from collections.abc import Mapping
from typing import Any

Json = Any

_ULID = "01k0s4zq8t3v5x7y9a1b2c4d6e"
_FILE = f"file_{_ULID}"
_RECORD: Json = {"task": "classification", "architecture": "resnet50", "labels": ["cat", "dog"]}

# By the name of a schema: the least that is of use.
BODIES: Mapping[str, Json] = {
    "AliasPut": {"version": 2},
    "ConnectionCreate": {
        "name": "photos",
        "kind": "s3",
        "credentials": {"access_key_id": "AKIA…", "secret_access_key": "…"},
    },
    "EvaluationCreate": {"model": "digits", "input_file_id": _FILE},
    "JobCreate": {"model": "imagenet", "urls": ["https://example.com/cat.jpg"]},
    "PredictionCreate": {"model": "imagenet", "input": {"url": "https://example.com/cat.jpg"}},
    "RerunCreate": {"model": "digits@2"},
    "SecretRotation": {"overlap_s": 86400},
    "ShadowPut": {"version": 2, "percent": 10},
    "ShareCreate": {"expires_in": 86400},
    "TrainingCreate": {"name": "my/cats", "input_file_id": _FILE},
    "VersionCreate": {"input_file_id": _FILE, "record": _RECORD},
    "WatchCreate": {"model": "imagenet", "prefix": "s3://photos/incoming/"},
    "WebhookEndpointChange": {"events": ["job.completed"]},
    "WebhookEndpointCreate": {"url": "https://example.com/hook", "events": ["job.completed"]},
}

# By the name of a member, where its schema takes a value of that type.
_VALUES: Mapping[str, Json] = {
    "id": _ULID,
    "attempts": 1,
    "cancelled": 0,
    "class": "cat",
    "confidence": 0.93,
    "created_at": 1772366400,
    "custom_id": "cat.jpg",
    "digest": f"sha256:{'ab' * 32}",
    "expired": 0,
    "failed": 0,
    "event_id": f"evt_{_ULID}",
    "file_id": _FILE,
    "filename": "cat.jpg",
    "input_file_id": _FILE,
    "input_sha256": "ab" * 32,
    "has_more": False,
    "height": 480,
    "index": 0,
    "job_id": f"job_{_ULID}",
    "last_id": "3.41",
    "model": "imagenet@1",
    "name": "imagenet",
    "outcome": "succeeded",
    "processing": 0,
    "predictions": [{"class": "cat", "class_id": 281, "confidence": 0.93}],
    "request_id": f"req_{_ULID}",
    "results_url": f"/v1/jobs/job_{_ULID}/results",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "sha256": "ab" * 32,
    "task": "classification",
    "tenant": "acme",
    "timestamp": "2026-03-01T12:00:00Z",
    "url": "https://example.com/hook",
    "version": "1",
    "warnings": [],
    "width": 640,
}
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}


def example_of(schema: Json, schemas: Mapping[str, Json], name: str = "") -> Json:
    """Give a value that a schema allows; `name` is that of the member that it stands for.

    Members that need not be there are left out, and what may be null is, unless it is known what
    it looks like.
    """
    known = _VALUES.get(name)
    kinds = [each.get("type") for each in (schema, *schema.get("anyOf", ()))]
    if known is not None and _TYPES[type(known)] in kinds:
        return known
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        is_nullable = {"type": "null"} in schema["anyOf"]
        return None if is_nullable else example_of(schema["anyOf"][0], schemas, name)
    kind = schema.get("type", "object")
    if kind == "object":
        return _object_of(schema, schemas)
    if kind == "array":
        parts = schema.get("prefixItems")
        each = parts or [schema.get("items", {})] * max(1, schema.get("minItems", 0))
        return [example_of(part, schemas, name) for part in each]
    return _plain(kind, schema, name)


def _object_of(schema: Json, schemas: Mapping[str, Json]) -> Json:
    members = schema.get("properties", {})
    wanted = [each for each in members if each in schema.get("required", ()) or each == "object"]
    return {each: example_of(members[each], schemas, each) for each in wanted}


def _plain(kind: str, schema: Json, name: str) -> Json:
    if "default" in schema:
        return schema["default"]
    if kind == "string":
        return name or "text"
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    return max(1, least) if kind == "integer" else max(0.5, float(least))


def add_examples(spec: dict[str, Any]) -> None:
    """Put an example beside every schema of a body, in place."""
    schemas = spec["components"]["schemas"]
    for operations in spec["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                _add_to(operation, schemas)


def _add_to(operation: dict[str, Any], schemas: Mapping[str, Json]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = content["schema"].get("$ref", "").rpartition("/")[2]
        if body in BODIES:
            content["example"] = BODIES[body]
    for status, answer in operation["responses"].items():
        for kind, content in answer.get("content", {}).items():
            if status.startswith("2") and kind == "application/json":
                content["example"] = example_of(content["schema"], schemas)
