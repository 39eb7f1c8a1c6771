"""All that an operator can set, read once at start from `PIXELMILL_…` environment variables."""

import base64
import difflib
import json
import os
import re
import sys
from collections.abc import Iterable
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url

KIB, MIB, GIB = 1024, 1024**2, 1024**3

Network = IPv4Network | IPv6Network

# What is read from the environment beside the settings: by clients, and between processes.
OTHER_VARIABLES = frozenset(
    ("URL", "API_KEY", "DATA", "BIND", "NODE", "POOL", "CORES", "FLIGHT", "LAST")
)
_PREFIX = "PIXELMILL_"
# What no message shows.
_SECRET = frozenset(
    f"{_PREFIX}{name}" for name in ("CONNECTION_KEY", "BUCKET_CREDENTIALS", "METRICS_TOKEN")
)
_KEY_BYTES = 32  # of Fernet
_BIND = r"^((\[[0-9a-fA-F:]+\]|[^:\s]*):)?[0-9]{1,5}$|^$"
# How near a name has to be to a setting's for a slip of the pen; see difflib's ratio.
_NEAR = 0.8


class SettingsError(RuntimeError):
    """A setting is missing or makes no sense; the message names it and says what would be good."""


class Settings(BaseSettings):
    """One object with every setting; sizes in bytes and times in seconds."""

    model_config = SettingsConfigDict(env_prefix="PIXELMILL_", frozen=True, extra="ignore")

    # Where things are.
    database_url: str = Field(
        "sqlite:///.pixelmill/pixelmill.db",
        pattern=r"^(sqlite:///|postgresql(\+psycopg)?://).",
        description="the tables: `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/NAME`",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(redis|rediss|unix)://.",
        description="hints, and rate limits",
    )
    storage_url: str = Field(
        "file://.pixelmill/blobs",
        pattern="^[a-z0-9]+://.",
        description="inputs, results and weights: a folder, or S3, GCS or Azure by URL",
    )

    # Where a proxy serves the API, if not at the root of its host: `/pixelmill`.
    url_prefix: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="the path below which a proxy serves the API, such as `/pixelmill`",
    )

    # Which pool new jobs go to: that of the workers which this installation has.
    pool_for_jobs: Literal["cpu", "gpu"] = Field("cpu", description="the workers that run new jobs")

    # Python modules of the operator's own, whose ARCHITECTURES workers may build.
    extensions: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Python modules of the operator's own networks, with commas between"
    )

    # What a caller may send.
    max_body_bytes: int = Field(10 * GIB, ge=KIB, description="one request's body")
    max_json_bytes: int = Field(64 * MIB, ge=KIB, description="one JSON body")
    max_inline_items: int = Field(50_000, ge=1, description="items in one JSON or multipart body")
    max_items: int = Field(10_000_000, ge=1, description="items of one job")
    max_item_bytes: int = Field(100 * MIB, ge=KIB, description="one image, encoded")
    max_archive_bytes: int = Field(1024 * GIB, ge=KIB, description="one archive, unpacked")
    max_training_items: int = Field(
        1_000_000, ge=4, description="images of one training or evaluation"
    )
    max_line_errors: int = Field(100, ge=1, description="faults listed of one manifest")
    max_unfinished_bytes: int = Field(
        100 * GIB, ge=KIB, description="announced by one tenant's unfinished uploads, together"
    )
    rate_limit: str = Field("1200/minute", description="requests of one tenant; empty for none")
    # A page that is open asks 20 times a minute: enough for a dozen people and their downloads.
    link_rate_limit: str = Field(
        "300/minute", description="requests by one link to a job; empty for none"
    )

    # The API.
    api_processes: int = Field(2, ge=1, le=256, description="processes of the API")
    # Of each process, which has a pool of 24 database connections: more would wait for each other.
    api_threads: int = Field(24, ge=1, le=256, description="threads of each")

    # Leases: a worker's time-limited right to run a shard.
    lease_s: float = Field(30, gt=0, description="how long a worker that is silent keeps a shard")
    renew_s: float = Field(10, gt=0, description="how often it renews; at most half of a lease")
    stall_s: float = Field(120, gt=0, description="no progress for so long, and a worker gives up")
    grace_s: float = Field(20, ge=0, description="time that a stopping worker has to finish")
    poll_s: float = Field(2, gt=0, description="how often an idle worker asks the database")
    sweep_s: float = Field(5, gt=0, description="how often the sweeper looks after things")
    max_attempts: int = Field(3, ge=1, description="tries of a shard before its items are errored")
    # More than of a shard: a database that fails in the moment of the claim costs a turn too.
    max_turns: int = Field(10, ge=1, description="turns at an errand before it is given up")
    training_turn_s: float = Field(20, gt=0, le=300, description="a training gives way after this")
    training_memory: int = Field(8 * GIB, ge=MIB, description="what one training may take")
    shards_in_flight: int = Field(2, ge=1, le=64, description="per inference process")
    decode_threads: int = Field(0, ge=0, description="0: as many as the process has cores")
    decoder_memory: int = Field(2 * GIB, ge=64 * MIB, description="what decoding one item may take")
    decoder_module: str = Field(
        "workers.walls.fork_server", description="Python module that decoder processes come from"
    )
    batch_wait_ms: float = Field(
        3, ge=0, le=1000, description="milliseconds that a batch waits to be filled"
    )
    lanes: int = Field(
        0, ge=0, le=64, description="batches computed at a time; 0: one a core, two on a GPU"
    )
    checkpoint_s: float = Field(10, gt=0, description="how often a long video's place is kept")
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="of networks (torch.autocast); a lower one is slow on CPUs without it",
    )
    model_memory: int = Field(4 * GIB, ge=MIB, description="weights one process keeps loaded")

    # Outgoing requests.
    egress_allow: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="private networks that URLs of items and webhooks may lead to"
    )
    egress_timeout_s: float = Field(30, gt=0, description="to fetch one item by its URL")
    url_retry_delays_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (1, 4), description="pauses before a URL that answers 429 or 5xx is asked again"
    )
    url_requests_per_host: int = Field(
        16, ge=1, description="at once, of one inference process to one host of URLs"
    )
    url_bytes_per_host: int = Field(
        128 * MIB, ge=MIB, description="under way from one host to one inference process"
    )
    video_timeout_s: float = Field(600, gt=0, description="to fetch one video by its URL")
    webhook_timeout_s: float = Field(15, gt=0, description="that a receiver has to answer")
    webhook_delays_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400),
        description="pauses before a failed delivery is tried again",
    )

    # Buckets that jobs read from (jobs.buckets).
    connection_key: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        repr=False,
        description="Fernet keys, newest first: for credentials of tenants, sessions and links",
    )
    bucket_credentials: str = Field(
        "", repr=False, description='the server\'s own, as JSON: {"s3": {"access_key_id": …}}'
    )
    bucket_networks: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="private networks whose stores may be called, by plain HTTP too"
    )

    # Results that are written into buckets (jobs.outputs).
    output_delays_s: Annotated[tuple[float, ...], NoDecode] = Field(
        (5, 30, 120, 600, 1800, 3600, 14400, 43200),
        description="pauses before results are written into a bucket again",
    )

    watch_s: float = Field(
        30, gt=0, description="how often a watched folder is listed unless its watch says"
    )

    # Figures for Prometheus (docs/metrics.md).
    metrics_token: str = Field(
        "", repr=False, pattern=r"^([!-~]{16,})?$", description="whoever has it may read /metrics"
    )
    worker_metrics: str = Field(
        "", pattern=_BIND, description="[HOST:]PORT of a launcher's figures; empty for none"
    )
    io_metrics: str = Field(
        "", pattern=_BIND, description="[HOST:]PORT of an io process's figures; empty for none"
    )

    # How long things are kept.
    output_days: float = Field(30, gt=0, description="results, from their job's end")
    upload_s: float = Field(86400, gt=0, description="an unfinished upload to which nothing comes")
    completion_window_s: float = Field(7 * 86400, gt=0, description="a job's time unless it says")

    @field_validator("rate_limit", "link_rate_limit")
    @classmethod
    def _check_rate(cls, value: str) -> str:
        if value:
            # Here and not above: most processes have no use for it.
            import limits

            try:
                limits.parse_many(value)
            except ValueError as err:
                raise ValueError("it should be like 1200/minute, or empty for none") from err
        return value

    @field_validator(
        "egress_allow",
        "connection_key",
        "bucket_networks",
        "url_retry_delays_s",
        "webhook_delays_s",
        "output_delays_s",
        "extensions",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("connection_key")
    @classmethod
    def _check_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for key in value:
            try:
                size = len(base64.urlsafe_b64decode(key))
            except ValueError:
                size = 0
            if size != _KEY_BYTES:
                raise ValueError("each key should be 32 bytes in URL-safe base64")
        return value

    @field_validator("bucket_credentials")
    @classmethod
    def _check_json(cls, value: str) -> str:
        try:
            said = json.loads(value or "{}")
        except ValueError:
            said = None
        if not isinstance(said, dict) or not all(isinstance(each, dict) for each in said.values()):
            raise ValueError('it should be JSON such as {"s3": {"access_key_id": …}}')
        return value

    @cached_property
    def is_sqlite(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database_url.startswith("sqlite")


def load_settings(**overrides: object) -> Settings:
    """Read the settings; raises SettingsError naming the first bad variable."""
    _check_names(os.environ)
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks at run time
    except ValidationError as err:
        first = err.errors()[0]
        name = "PIXELMILL_" + "_".join(str(part) for part in first["loc"][:1]).upper()
        given = str(os.environ.get(name, first.get("input")))
        # A password in a URL is not for the logs, nor is a key.
        shown = "…" if name in _SECRET else re.sub(r"//[^@/]*@", "//…@", given)
        raise SettingsError(f"{name}={shown!r} is not usable: {first['msg']}.") from err
    if settings.renew_s * 2 > settings.lease_s:
        raise SettingsError(
            f"PIXELMILL_RENEW_S={settings.renew_s} is too long for PIXELMILL_LEASE_S="
            f"{settings.lease_s}: a lease must outlive two renewals. Set it to at most half."
        )
    return settings


def load_settings_or_exit() -> Settings:
    """Read the settings, for what starts a process: it ends with 2 and one line if one is bad."""
    try:
        return load_settings()
    except SettingsError as err:
        print(f"pixelmill: {err}", file=sys.stderr)  # noqa: T201  # a command's own output
        raise SystemExit(2) from err


def sqlite_path(database_url: str) -> Path:
    """Give the file of an SQLite database URL, in which `?` and `%` are written as %3F and %25."""
    return Path(make_url(database_url).database or "")


def _check_names(environ: Iterable[str]) -> None:
    """Raise SettingsError for a variable whose name is nearly a setting's."""
    known = OTHER_VARIABLES | {name.upper() for name in Settings.model_fields}
    for variable in sorted(environ):
        prefix, name = variable[: len(_PREFIX)], variable[len(_PREFIX) :].upper()
        if prefix != _PREFIX or name in known:
            continue
        if near := difflib.get_close_matches(name, known, n=1, cutoff=_NEAR):
            raise SettingsError(
                f"{variable} is no setting; is {_PREFIX}{near[0]} meant? Unset it if not."
            )
