"""What the server's answers become: frozen records with typed attributes.

Each keeps the whole answer in `raw`, so that a member that this version does not know is not lost.
Times are whole Unix seconds, sizes bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pixelmill.client.inputs.skipping import Skipped
from pixelmill.client.notebook import job_html
from pixelmill.client.results.reader import Reader
from pixelmill.wire.errors import InvalidInput, JobFailed, UnexpectedAnswer

if TYPE_CHECKING:
    from pixelmill.client.events.stream import Event
    from pixelmill.client.results.results import Results

Raw = Mapping[str, Any]

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})


def _required(raw: Raw, name: str, what: str) -> Any:
    try:
        return raw[name]
    except (KeyError, TypeError) as err:
        raise UnexpectedAnswer(
            f"the server's {what} has no member {name!r}; is the URL that of a Pixelmill server?"
        ) from err


def _pick(cls: type[Any], raw: Raw) -> dict[str, Any]:
    """Take from `raw` what `cls` has a field for; members that are null take the default."""
    return {name: raw[name] for name in cls.__dataclass_fields__ if raw.get(name) is not None}


@dataclass(frozen=True, slots=True)
class Counts:
    """A job's items by what became of them; `total` is the sum of the others."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    processing: int = 0
    cancelled: int = 0
    expired: int = 0

    @property
    def finished(self) -> int:
        """How many items have ended, well or not."""
        return self.completed + self.failed + self.cancelled + self.expired


@dataclass(frozen=True, slots=True)
class Queue:
    """Where a job stands in the queue; None where the server does not say."""

    position: int | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The version that a job runs, pinned when it was submitted."""

    name: str = ""
    version: int | None = None
    digest: str | None = None

    @classmethod
    def from_raw(cls, raw: Raw | str | None) -> Self:
        """Read `{name, version, digest}`, or the bare name that OpenAI's form has."""
        if isinstance(raw, str):
            return cls(name=raw)
        return cls(**_pick(cls, raw or {}))

    def __str__(self) -> str:
        """Give the name as a caller would write it, such as `digits@3`."""
        return self.name if self.version is None else f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Job:
    """A job at the moment of the answer."""

    id: str
    status: str
    created_at: int
    model: ModelRef
    request_counts: Counts
    queue: Queue
    raw: Raw = field(repr=False, compare=False)
    kind: str = "submitted"
    parent_id: str | None = None
    outcome: str | None = None
    status_reason: str | None = None
    in_progress_at: int | None = None
    last_progress_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    cancelled_at: int | None = None
    expired_at: int | None = None
    expires_at: int | None = None
    input_file_id: str | None = None
    watch_id: str | None = None
    output: Raw | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    # The files of its archive that became no item.
    skipped: Skipped = field(default_factory=Skipped)
    # The files that `submit` left out of what it sent; the server knows nothing of them.
    left_out: Skipped = field(default_factory=Skipped)
    # Of the client that gave the job; None of a job that nobody gave.
    read_results: Reader | None = field(default=None, repr=False, compare=False)
    read_events: Reader | None = field(default=None, repr=False, compare=False)

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        for name in ("id", "status"):
            _required(raw, name, "job")
        members = {"created_at": 0} | _pick(cls, raw)
        members |= {
            **dict.fromkeys(("read_results", "read_events")),
            "skipped": Skipped.from_raw(raw.get("skipped")),
            "left_out": Skipped(),
            "model": ModelRef.from_raw(raw.get("model")),
            "request_counts": Counts(**_pick(Counts, raw.get("request_counts") or {})),
            "queue": Queue(**_pick(Queue, raw.get("queue") or {})),
            "raw": raw,
        }
        return cls(**members)

    def _repr_html_(self) -> str:
        """Show the job in a notebook."""
        return job_html(self)

    @property
    def is_terminal(self) -> bool:
        """Whether the job is over: nothing about it changes any more."""
        return self.status in TERMINAL

    @property
    def succeeded(self) -> bool:
        """Whether the job completed with every item succeeded."""
        return self.status == "completed" and self.request_counts.failed == 0

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        """What was wrong with the input: `{code, message, param, line}` of each fault found."""
        errors = self.raw.get("errors")
        # OpenAI's form wraps the list.
        found = errors.get("data") if isinstance(errors, Mapping) else errors
        return list(found or [])

    def results(self, *, follow: bool = False, status: str | None = None) -> "Results":
        """Give the job's results, as `Client.results` does: `job.results().to_pandas()`.

        Raises InvalidInput for a job that no client gave.
        """
        if self.read_results is None:
            raise InvalidInput(
                f"job {self.id} came from no client: say client.results({self.id!r})"
            )
        found: Results = self.read_results.read(self, follow=follow, status=status)
        return found

    def events(self) -> "Iterator[Event]":
        """Give what happens to the job, as `Client.events` does; raises InvalidInput likewise."""
        if self.read_events is None:
            raise InvalidInput(f"job {self.id} came from no client: say client.events({self.id!r})")
        found: Iterator[Event] = self.read_events.read(self)
        return found

    def check(self) -> Self:
        """Give the job itself; raises JobFailed if it ended with less than all items succeeded."""
        if self.is_terminal and not self.succeeded:
            raise JobFailed(self)
        return self


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a rerun's answers differ from those of the job whose items it ran."""

    job_id: str
    status: str
    raw: Raw = field(repr=False, compare=False)
    parent_id: str = ""
    # Why there is no report, if there will be none.
    failure: str | None = None
    report: Raw = field(default_factory=dict)

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        for name in ("job_id", "status"):
            _required(raw, name, "comparison")
        return cls(**_pick(cls, raw) | {"raw": raw})

    @property
    def is_ready(self) -> bool:
        """Whether there is a report."""
        return self.status == "ready"

    @property
    def agreement(self) -> float | None:
        """The share of the items that both versions answered that got the same answer."""
        return self.report.get("agreement")


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no predictions."""

    code: str = "unknown"
    message: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class ItemWarning:
    """What an item's predictions leave out, such as the damaged end of a video."""

    code: str = "unknown"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item: `predictions` if it succeeded, else `error`."""

    index: int
    status: str
    raw: Raw = field(repr=False, compare=False)
    custom_id: str | None = None
    predictions: list[dict[str, Any]] | None = None
    error: ItemError | None = None
    warnings: tuple[ItemWarning, ...] = ()
    # What came beside the item, such as the labels of a WebDataset.
    metadata: Mapping[str, Any] | None = None
    model: str | None = None
    input_sha256: str | None = None
    attempts: int | None = None
    # Of the upright original, in pixels; of films also frames a second, and how long they are.
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    duration_ms: int | None = None
    # Of an item that was named by its URL: that, without its query and user.
    input_url: str | None = None

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read one row of a job's results."""
        for name in ("index", "status"):
            _required(raw, name, "result")
        error = raw.get("error")
        members = _pick(cls, raw) | {"raw": raw}
        members["error"] = None if error is None else ItemError(**_pick(ItemError, error))
        warnings = raw.get("warnings") or ()
        members["warnings"] = tuple(ItemWarning(**_pick(ItemWarning, each)) for each in warnings)
        return cls(**members)

    @property
    def succeeded(self) -> bool:
        """Whether the item has predictions."""
        return self.status == "succeeded"


@dataclass(frozen=True, slots=True)
class File:
    """Bytes that were uploaded."""

    id: str
    raw: Raw = field(repr=False, compare=False)
    filename: str = ""
    bytes: int = 0
    sha256: str | None = None
    created_at: int = 0

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read the server's answer."""
        _required(raw, "id", "file")
        return cls(**_pick(cls, raw) | {"raw": raw})


@dataclass(frozen=True, slots=True)
class Model:
    """A version of a model that jobs can name: `id` is such as `digits@1`."""

    id: str
    name: str
    raw: Raw = field(repr=False, compare=False)
    version: int | None = None
    digest: str | None = None
    task: str | None = None
    description: str = ""
    # "validating", "ready", or "refused" for the `reason`.
    state: str = "ready"
    reason: str | None = None
    author: str = ""
    created_at: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    aliases: Mapping[str, Any] = field(default_factory=dict)
    # How it answered its check: `{against, samples, holds, differences, apart, reason}`.
    proof: Mapping[str, Any] | None = None

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read one row of the list of models."""
        identity = _required(raw, "id", "model")
        return cls(**{"name": identity} | _pick(cls, raw) | {"raw": raw})


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that moves between a model's versions; `canary` is the running trial, if any."""

    alias: str
    version: int
    raw: Raw = field(repr=False, compare=False)
    model: str = ""
    updated_at: int = 0
    canary: Mapping[str, Any] | None = None
    last_canary: Mapping[str, Any] | None = None

    @classmethod
    def from_raw(cls, raw: Raw) -> Self:
        """Read one alias."""
        for name in ("alias", "version"):
            _required(raw, name, "alias")
        return cls(**_pick(cls, raw) | {"raw": raw})
