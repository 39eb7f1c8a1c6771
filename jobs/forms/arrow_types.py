"""Arrow's types of results: the members of a row as JSON has them, predictions as the task's.

They follow from what a task's contract says of a prediction, so that a new task is typed with no
word said here. Numbers are those of the JSON: 64 bits each.
"""

import types
from typing import Annotated, Any, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

_PLAIN = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def schema_of(prediction: type[BaseModel] | None) -> pa.Schema:
    """Give the columns of results; predictions of which nothing is known stay JSON text."""
    predictions = pa.string() if prediction is None else pa.list_(_type_of(prediction))
    text, number = pa.string(), pa.int32()
    return pa.schema(
        [
            pa.field("index", pa.int64(), nullable=False),
            pa.field("custom_id", text, nullable=False),
            pa.field("status", text, nullable=False),
            pa.field("model", text, nullable=False),
            pa.field("input_sha256", text),
            pa.field("attempts", number, nullable=False),
            pa.field("predictions", predictions),
            pa.field(
                "error", pa.struct([("code", text), ("message", text), ("retryable", pa.bool_())])
            ),
            pa.field("warnings", pa.list_(pa.struct([("code", text), ("message", text)]))),
            pa.field("width", number),
            pa.field("height", number),
            pa.field("fps", pa.float64()),
            pa.field("duration_ms", pa.int64()),
            pa.field("metadata", text),
            pa.field("input_url", text),
        ]
    )


def _type_of(annotation: Any) -> pa.DataType:
    origin = get_origin(annotation)
    if origin is list:
        return pa.list_(_type_of(get_args(annotation)[0]))
    if origin is Annotated:
        return _type_of(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        (other,) = (each for each in get_args(annotation) if each is not type(None))
        return _type_of(other)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        members = annotation.model_fields.items()
        return pa.struct(
            [(field.alias or name, _type_of(field.annotation)) for name, field in members]
        )
    return _PLAIN[annotation]
