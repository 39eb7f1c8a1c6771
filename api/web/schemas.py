"""What callers may send, member by member. Anything else is refused by its name."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, field_validator

from jobs.base.states import ItemStatus, JobStatus
from jobs.tenants.signing import is_secret

_UNITS_S = {"m": 60, "h": 3600, "d": 86400}
_SHORTEST_WINDOW_S, _LONGEST_WINDOW_S = 60, 30 * 86400
_WINDOW = re.compile(r"([1-9]\d{0,5})([mhd])", re.ASCII)

# Only shown in the OpenAPI document; the bytes themselves never pass through a schema.
Binary = Annotated[str, Field(json_schema_extra={"format": "binary"})]
Lifetime = Annotated[StrictInt, Field(ge=60, le=3650 * 86400)]
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
JobId = Annotated[str, Field(pattern=r"^job_[0-9a-z]{26}$")]


Order = Annotated[
    Literal["asc", "desc"], Field(description="By time: oldest first, or newest first.")
]

# Spelled out for the type checker and the OpenAPI document; a test holds it against EVENTS.
Event = Literal["job.completed", "job.failed", "job.cancelled", "job.expired"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Webhook(_Strict):
    """Whom to call when the job is over, and of what."""

    url: str
    events: list[Event] = Field(list(get_args(Event)), min_length=1)
    secret: str | None = Field(None, description="Yours to sign with: `whsec_` and base64.")

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, secret: str | None) -> str | None:
        if secret is not None and not is_secret(secret):
            raise ValueError("must be `whsec_` and 24 to 64 bytes in base64")
        return secret


class OutputExpiry(_Strict):
    """OpenAI's form of `output_expires_after`."""

    seconds: Lifetime
    anchor: Literal["created_at"] = "created_at"


class CommonOptions(_Strict):
    """What any job may say of itself, a rerun too."""

    params: dict[str, Any] | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    webhook: Webhook | None = None
    completion_window: str | None = Field(None, description="`30m`, `24h` or `7d`; at most 30 days")
    output_expires_after: Lifetime | OutputExpiry | None = None
    overlays: StrictBool = Field(
        False,
        description="Draw each result over its image, or a video's on some of its frames, in one "
        "picture: …/results/{index}/overlay. Like the results, and with them, these pictures stay "
        "when `delete_inputs` erases the inputs.",
    )

    @field_validator("completion_window")
    @classmethod
    def _check_window(cls, window: str | None) -> str | None:
        return None if window is None else check_window(window)

    @property
    def lifetime_s(self) -> int | None:
        """How long the results are to be kept, in seconds; None if the caller does not say."""
        wanted = self.output_expires_after
        return wanted.seconds if isinstance(wanted, OutputExpiry) else wanted


class JobOptions(CommonOptions):
    """All that a job may say of itself except where its items are."""

    model: ModelName | None = None
    delete_inputs: StrictBool = False
    dry_run: StrictBool = Field(False, description="Check everything and store nothing.")
    endpoint: Literal["/v1/predictions"] = "/v1/predictions"


class RerunCreate(CommonOptions):
    """A job over the items of another: its model; `params` are the other's unless given."""

    model: ModelName


class JobCreate(JobOptions):
    """A job: its model, and its items in exactly one of three forms."""

    input_file_id: FileId | None = Field(
        None,
        description="An uploaded image, archive (zip, tar, tar.gz, .bz2, .xz, .zst, 7z) or JSONL "
        "file.",
    )
    requests: list[dict[str, Any]] | None = Field(
        None, description="Items: `{custom_id, input: {url | file_id | data}}`."
    )
    urls: list[str] | None = Field(None, description="Items that are URLs and nothing else.")


class PredictionFields(_Strict):
    """What to predict with."""

    model: ModelName
    params: dict[str, Any] | None = None


class PredictionCreate(PredictionFields):
    """One item to predict for, now."""

    input: dict[str, Any] = Field(description="`{url}`, `{file_id}` or `{data}` (base64).")


class UploadForm(BaseModel):
    """The parts of a multipart upload."""

    file: Binary
    purpose: str = "batch"
    seconds: int | None = Field(
        None,
        alias="expires_after[seconds]",
        ge=3600,
        le=30 * 86400,
        description="Erase it so many seconds from now; it stays while a job that runs needs it.",
    )
    anchor: Literal["created_at"] = Field("created_at", alias="expires_after[anchor]")


class JobForm(BaseModel):
    """The parts of a multipart submission: images, or one archive or JSONL file."""

    files: list[Binary]
    job: JobOptions


class PredictionForm(BaseModel):
    """The parts of a multipart prediction."""

    file: Binary
    model: ModelName
    params: str | None = Field(None, description="A JSON object.")


class UploadQuery(_Strict):
    """How a raw body is to be called."""

    filename: str | None = Field(None, max_length=1024)
    purpose: str = Field("batch", min_length=1, max_length=64)


class FileListQuery(_Strict):
    """Which files to list, newest first."""

    after: FileId | None = None
    limit: int = Field(20, ge=1, le=100)
    order: Order = "desc"
    purpose: str | None = None


class JobListQuery(_Strict):
    """Which jobs to list, newest first."""

    after: JobId | None = None
    limit: int = Field(20, ge=1, le=100)
    order: Order = "desc"
    status: JobStatus | None = None
    model: str | None = Field(None, description="A model's name, without a version.")
    idempotency_key: str | None = Field(
        None, max_length=255, description="Of the one job that was submitted under this key."
    )
    tenant: str | None = Field(
        None,
        description="With an operator's key: the name of another tenant, or `*` for all of them. "
        "Otherwise the list has the jobs of the key's own tenant, an operator's too.",
    )


class ShadowPut(_Strict):
    """Which version to try on how many of the shards."""

    version: StrictInt = Field(ge=1)
    percent: StrictInt = Field(10, ge=1, le=100, description="Of the shards, at random.")


class ChangesQuery(_Strict):
    """Which changes to read, in the order of their items."""

    after: int = Field(0, ge=0, description="The `last_id` of the page before.")
    limit: int = Field(100, ge=1, le=1000)


class ResultsQuery(_Strict):
    """Which results to read, and how."""

    after: str | None = Field(None, description="The `last_id` of the page before.")
    limit: int | None = Field(None, ge=1, le=1000, description="Rows a page; 100 for json.")
    status: ItemStatus | None = None
    format: str = Field("json", description="json, ndjson or csv")


def check_window(window: str) -> str:
    """Give a completion window that can be meant; raises ValueError for any other."""
    if not _SHORTEST_WINDOW_S <= seconds_of(window) <= _LONGEST_WINDOW_S:
        raise ValueError("must be between 1 minute and 30 days, such as 30m, 24h or 7d")
    return window


def seconds_of(window: str) -> int:
    """Read `30m`, `24h` or `7d`; gives 0 for anything else."""
    match = _WINDOW.fullmatch(window)
    return int(match[1]) * _UNITS_S[match[2]] if match else 0
