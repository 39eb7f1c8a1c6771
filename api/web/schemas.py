"""Members that callers send in many places, each with its bounds."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from jobs.buckets.locations import LONGEST_ADDRESS

_UNITS_S = {"m": 60, "h": 3600, "d": 86400}
_SHORTEST_WINDOW_S, _LONGEST_WINDOW_S = 60, 30 * 86400
_WINDOW_FORM = "^[1-9][0-9]{0,5}[mhd]$"
_WINDOW = re.compile(r"([1-9]\d{0,5})([mhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds, as JSON's schemas have it: 60.0 is one, "60" and true are not.

    pydantic's StrictInt takes no 60.0, and a validator before it would hide its bounds.
    """

    ge: int
    le: int | None = None

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have it checked."""
        bounded = core_schema.int_schema(strict=True, ge=self.ge, le=self.le)
        return core_schema.no_info_before_validator_function(_whole, bounded)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Only shown in the OpenAPI document; the bytes themselves never pass through a schema.
Binary = Annotated[str, Field(json_schema_extra={"format": "binary", "minLength": 1})]
Lifetime = Annotated[int, Whole(60, 3650 * 86400)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=512)]
ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=320,
        description="A registered model, such as `digits`, `digits@3` or `digits@production`.",
    ),
]
FileId = Annotated[str, Field(pattern=r"^file_[0-9a-z]{26}$")]
# Also those that a finished job has (jobs.aftercare.output_files).
AnyFileId = Annotated[str, Field(pattern=r"^file_[0-9a-z]{26}(_output|_error)?$")]
# A folder of a bucket; whether it may be opened shows when it is read.
BucketAddress = Annotated[
    str,
    Field(
        max_length=LONGEST_ADDRESS,
        json_schema_extra={"pattern": "^(s3|gs|az|file)://.+$"},
    ),
]
JobId = Annotated[str, Field(pattern=r"^job_[0-9a-z]{26}$")]
# What an address of the internet looks like; whether it may be called shows when it is read.
WebAddress = Annotated[
    str, Field(json_schema_extra={"pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9_\[][^\s\\]*$"})
]
# In the document of secrets that callers choose: 24 to 64 bytes in base64.
Secret = Annotated[str, Field(json_schema_extra={"pattern": "^whsec_[A-Za-z0-9+/]{32,87}={0,2}$"})]
Window = Annotated[str, Field(json_schema_extra={"pattern": _WINDOW_FORM})]
Order = Annotated[
    Literal["asc", "desc"], Field(description="By time: oldest first, or newest first.")
]


class LeftOut:
    """Of a member that is None when it was left out: the document does not offer null for it.

    pydantic's SkipJsonSchema does so by a union, whose branches then stand in errors' paths.
    """

    @staticmethod
    def __get_pydantic_json_schema__(
        core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = handler(core_schema)
        (given,) = [each for each in shown.pop("anyOf") if each != {"type": "null"}]
        return {**given, **shown}


class Strict(BaseModel):
    """What has these members and no others: anything else is refused by its name."""

    model_config = ConfigDict(extra="forbid")


def check_window(window: str) -> str:
    """Give a completion window that can be meant; raises ValueError for any other."""
    if not _SHORTEST_WINDOW_S <= seconds_of(window) <= _LONGEST_WINDOW_S:
        raise ValueError("must be between 1 minute and 30 days, such as 30m, 24h or 7d")
    return window


def seconds_of(window: str) -> int:
    """Read `30m`, `24h` or `7d`; gives 0 for anything else."""
    match = _WINDOW.fullmatch(window)
    return int(match[1]) * _UNITS_S[match[2]] if match else 0
