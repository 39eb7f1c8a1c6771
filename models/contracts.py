"""What a caller may send to a task, and what comes back: parameters and predictions as schemas.

Needs no torch: the API checks parameters with this before a job exists. A new task adds its
parameters, its prediction and one line in `CONTRACTS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import ParamsError, RecordError


class ClassificationParams(BaseModel):
    """How many classes to report, and from which confidence on."""

    # Strict: "5" or true are a caller's mistake, not a five or a one.
    model_config = ConfigDict(extra="forbid", strict=True)

    top_k: int = Field(
        default=1, ge=1, le=100, description="Classes to report, at most as many as there are."
    )
    min_confidence: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Leave out classes below this confidence."
    )


class ClassPrediction(BaseModel):
    """One class that an image may belong to."""

    name: str = Field(alias="class", description="The class's name.")
    class_id: int = Field(ge=0, description="Position of the class among the model's labels.")
    confidence: float = Field(ge=0.0, le=1.0, description="Softmax probability.")


@dataclass(frozen=True)
class Contract:
    """A task's two schemas."""

    params: type[BaseModel]
    prediction: type[BaseModel]


CONTRACTS: Mapping[str, Contract] = {
    "classification": Contract(ClassificationParams, ClassPrediction),
}


def check_params(task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params` with defaults filled in; raises ParamsError naming the first bad one."""
    try:
        return contract_of(task).params.model_validate(dict(params)).model_dump()
    except ValidationError as err:
        first = err.errors()[0]
        param = ".".join(str(part) for part in first["loc"]) or "params"
        known = ", ".join(contract_of(task).params.model_fields)
        raise ParamsError(
            f"Parameter {param!r} of task {task!r} is refused: {first['msg']}. "
            f"The task takes: {known}.",
            param=param,
        ) from err


def params_schema(task: str) -> dict[str, Any]:
    """Return the JSON schema of a task's parameters."""
    return contract_of(task).params.model_json_schema()


def result_schema(task: str) -> dict[str, Any]:
    """Return the JSON schema of a succeeded item's `predictions`."""
    return {"type": "array", "items": contract_of(task).prediction.model_json_schema()}


def contract_of(task: str) -> Contract:
    """Return a task's schemas; raises RecordError for a task that does not exist."""
    try:
        return CONTRACTS[task]
    except KeyError:
        raise RecordError(
            f"There is no task {task!r}; there are: {', '.join(CONTRACTS)}."
        ) from None
