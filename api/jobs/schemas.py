"""What callers may send for a job or a prediction, member by member."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, StrictBool, field_validator, model_validator

from api.web.schemas import (
    Binary,
    BucketAddress,
    FileId,
    JobId,
    LeftOut,
    Lifetime,
    MetadataKey,
    MetadataValue,
    ModelName,
    Order,
    Secret,
    Strict,
    WebAddress,
    Window,
    check_window,
)
from jobs.base.states import JobStatus
from jobs.buckets.globs import LONGEST_GLOB, MOST_GLOBS
from jobs.tenants.signing import is_secret

# Spelled out for the type checker and the OpenAPI document; a test holds it against EVENTS.
Event = Literal[
    "job.completed",
    "job.failed",
    "job.cancelled",
    "job.expired",
    "job.output_written",
    "job.output_failed",
]


class Webhook(Strict):
    """Whom to call when the job is over, and of what."""

    url: WebAddress
    events: list[Event] = Field(list(get_args(Event)), min_length=1)
    secret: Secret | None = Field(None, description="Yours to sign with: `whsec_` and base64.")

    @field_validator("secret")
    @classmethod
    def _check_secret(cls, secret: str | None) -> str | None:
        if secret is not None and not is_secret(secret):
            raise ValueError("must be `whsec_` and 24 to 64 bytes in base64")
        return secret


class OutputExpiry(Strict):
    """OpenAI's form of `output_expires_after`."""

    seconds: Lifetime
    anchor: Literal["created_at"] = "created_at"


class Output(Strict):
    """Where the results are to be written when the job is over, and how."""

    url: BucketAddress = Field(
        description="A folder of a bucket, `s3://bucket/path/`, also gs://, az://account/container/"
        " and file:// of the server; in it the job makes one of its own, named by its id. An "
        "operator allows each tenant the folders that it may write to.",
    )
    format: Literal["parquet", "ndjson"] = "parquet"
    compression: Literal["gzip", "zstd"] | None = Field(
        None, description="Of `ndjson`; Parquet is compressed in itself."
    )
    connection: str | None = Field(
        None,
        max_length=64,
        description="Id or name of a connection of yours that opens the bucket; the server's own "
        "credentials without one.",
    )

    @model_validator(mode="after")
    def _check_compression(self) -> Self:
        if self.compression is not None and self.format == "parquet":
            raise ValueError("`compression` goes with ndjson: Parquet is compressed in itself")
        return self


class CommonOptions(Strict):
    """What any job may say of itself, a rerun too."""

    params: dict[str, Any] | None = None
    priority: Literal["high", "normal", "low"] = "normal"
    metadata: dict[MetadataKey, MetadataValue] | None = Field(None, max_length=16)
    webhook: Webhook | None = None
    output: BucketAddress | Output | None = Field(
        None,
        description="Where the results are to be written when the job is over: a folder's address, "
        "or an object with more to say. What was written stays when the job is deleted.",
    )
    completion_window: Window | None = Field(
        None, description="`30m`, `24h` or `7d`; at most 30 days"
    )
    output_expires_after: Lifetime | OutputExpiry | None = None
    overlays: StrictBool = Field(
        False,
        description="Draw each result over its image, or a video's on some of its frames, in one "
        "picture: …/results/{index}/overlay. Like the results, and with them, these pictures stay "
        "when `delete_inputs` erases the inputs.",
    )
    gallery: StrictBool = Field(
        False,
        description="Keep a small picture of each item, of a video a strip of its frames: "
        "…/results/{index}/thumbnail. Unlike overlays they go when the inputs are erased: by "
        "`delete_inputs`, or with the uploaded file.",
    )

    @field_validator("completion_window")
    @classmethod
    def _check_window(cls, window: str | None) -> str | None:
        return None if window is None else check_window(window)

    @property
    def wanted_output(self) -> dict[str, Any] | None:
        """Where the results go, as a job keeps it; None if the caller does not say."""
        if self.output is None:
            return None
        said = Output(url=self.output) if isinstance(self.output, str) else self.output
        return said.model_dump(exclude_none=True)

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


class EvaluationCreate(CommonOptions):
    """A job over labelled items: a version is held against what is true of them."""

    model: ModelName
    input_file_id: FileId = Field(
        description="An uploaded archive. Of a classifier: with a folder for each class, named "
        "like one of the model's `labels`; or a WebDataset with `.cls` files."
    )
    truth_file_id: FileId | None = Field(
        None,
        description="An uploaded JSONL file with a line for each item: its `custom_id`, which in "
        "an archive is its path, and `class`, or `boxes`, or `masks` (see ClassTruth, BoxesTruth, "
        "MasksTruth). May be left out of a classifier's alone.",
    )


Glob = Annotated[str, Field(min_length=1, max_length=LONGEST_GLOB)]


class JobCreate(JobOptions):
    """A job: its model, and its items in exactly one of five forms."""

    input_file_id: FileId | None = Field(
        None,
        description="An uploaded image, archive (zip, tar, tar.gz, .bz2, .xz, .zst, .lz4, 7z) or "
        "JSONL file.",
    )
    requests: list[dict[str, Any]] | None = Field(
        None, description="Items: `{custom_id, input: {url | file_id | data}}`."
    )
    urls: list[str] | None = Field(None, description="Items that are URLs and nothing else.")
    prefix: BucketAddress | None = Field(
        None,
        description="A folder of a bucket, `s3://bucket/path/`, also gs://, az://account/container/"
        " and file:// of the server: every object below it that may be media. An operator allows "
        "each tenant the folders that it may name.",
    )
    manifest: BucketAddress | None = Field(
        None,
        description="A .jsonl, .csv or .parquet file in a bucket, with a column `path`: keys of "
        "its bucket, or addresses in full; and `custom_id`, if you like.",
    )
    include: list[Glob] | None = Field(
        None,
        max_length=MOST_GLOBS,
        description="With `prefix`: globs, one of which a key has to match, such as `*.jpg` or "
        "`2026/**/*.png`; relative to the prefix.",
    )
    exclude: list[Glob] | None = Field(
        None, max_length=MOST_GLOBS, description="With `prefix`: globs that no key may match."
    )
    connection: str | None = Field(
        None,
        max_length=64,
        description="Id or name of a connection of yours that opens the bucket; the server's own "
        "credentials without one.",
    )


class JobForm(Strict):
    """The parts of a multipart submission: images, or one archive or JSONL file."""

    files: list[Binary] = Field(min_length=1)
    job: JobOptions


class JobListQuery(Strict):
    """Which jobs to list, newest first."""

    after: JobId | None = None
    limit: int = Field(20, ge=1, le=100)
    order: Order = "desc"
    status: JobStatus | None = None
    model: str | None = Field(None, description="A model's name, without a version.")
    idempotency_key: str | None = Field(
        None, max_length=255, description="Of the one job that was submitted under this key."
    )
    watch: str | None = Field(
        None, max_length=64, description="The id of a watch: the jobs that came of it."
    )
    text: str | None = Field(
        None,
        min_length=1,
        max_length=512,
        description="Words that stand in a job's metadata, such as its `name`, in whatever case.",
    )
    tenant: str | None = Field(
        None,
        description="With an operator's key: the name of another tenant, or `*` for all of them. "
        "Otherwise the list has the jobs of the key's own tenant, an operator's too.",
    )


class PredictionFields(Strict):
    """What to predict with."""

    model: ModelName
    params: dict[str, Any] | None = None


class PredictionCreate(PredictionFields):
    """One item to predict for, now."""

    input: dict[str, Any] = Field(description="`{url}`, `{file_id}` or `{data}` (base64).")


class PredictionForm(Strict):
    """The parts of a multipart prediction."""

    file: Binary
    model: ModelName
    params: Annotated[dict[str, Any] | None, LeftOut] = Field(None, description="As JSON.")
