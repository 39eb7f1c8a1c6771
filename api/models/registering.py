"""From a record and weights that came over HTTP to a version that a worker will try out.

    multipart: weights, record ─┐
    JSON: input_file_id, record ┴─► header and record checked ─► stored, hashed ─► validating

Nothing is unpickled, built or run here: what can be told without torch is told at once, with 422,
and the rest by a worker (jobs.versions.validation).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from api.bodies.admission import is_form
from api.bodies.kept_files import body_parts
from api.bodies.parts import Parts, StagedBlob
from api.current import actor, ground, is_admin
from api.jobs.submitting import find_file
from api.models.schemas import RecordBody, VersionCreate, plain
from api.web.parsing import parse_json, read_body, validated
from jobs.base.errors import InvalidRequest, TooLarge
from jobs.base.states import VersionState
from jobs.base.storage import check_name, weights_name
from jobs.tables import ModelVersion
from jobs.versions.names import check_new_name
from jobs.versions.registry import add_version, check_task
from models.catalog import (
    ARCHITECTURE_TASKS,
    SHIPPED,
    VIDEO_LIMITS,
    ModelRecord,
    params_schema,
)
from models.proving.check import MOST_BYTES, Check
from models.records.architectures import HERE, ONNX, Source, source_of
from models.records.bounds import check_bounds
from models.records.errors import ModelError, RecordError
from models.records.labels import check_labels
from models.records.weights_header import Read, check_header
from models.records.weights_kind import weights_kind

Checked = TypeVar("Checked")

# What a worker has still to read.
_UNREAD: Mapping[str, Any] = {"task": "", "labels": [], "preprocess": {}}
_VIDEOS = "video-classification"
# What a record may leave out where we ship a network of its architecture.
_OF_ARCHITECTURE = ("preprocess", "input_kind", "limits", "max_batch", "shard_items")


@dataclass(frozen=True, slots=True)
class _Weights:
    """Weights that came with the request, or lie in a file of the tenant's."""

    size: int
    read: Read
    # From the beginning, whatever was read before.
    chunks: Callable[[], Iterable[bytes]]
    # Where they lie already, of this version alone.
    blob: StagedBlob | None = None


def register_version(name: str, stored: str) -> tuple[ModelVersion, bool]:
    """Register what the request brings as a version of a model the caller may change.

    Gives the version, and False when it is one that is there already. Raises InvalidRequest for
    what can be told to be wrong without running it; nothing is kept then.
    """
    check_new_name(name)
    if is_form():
        parts = body_parts()
        part = parts.only("weights", "the safetensors or ONNX file")
        text = parts.only("record", "a JSON object").text(ground().settings.max_json_bytes)
        body = validated(RecordBody, parse_json(text, "The part `record`"))
        check = _check(parts)

        def read(start: int, length: int) -> bytes:
            part.stream.seek(start)
            return part.stream.read(length)

        weights = _Weights(part.length, read, part.chunks, part.blob)
        return _register(name, stored, body, weights, check)
    create, _ = read_body(VersionCreate)
    file = find_file(create.input_file_id)
    storage = ground().storage
    weights = _Weights(
        file.bytes,
        lambda start, length: bytes(storage.ranges(file.blob, [start], [length])[0]),
        lambda: storage.stream(file.blob),
    )
    # A digest is of a part that came, and not for its sender to say.
    check = create.check and create.check.model_copy(update={"digest": None})
    return _register(name, stored, create.record, weights, check)


def _register(
    name: str, stored: str, body: RecordBody, weights: _Weights, check: Check | None
) -> tuple[ModelVersion, bool]:
    source = _source(body, weights)
    record = _checked_record(name, stored, body, source)
    _check_weights(weights, source)
    blobs = []
    if check is not None:
        blobs.append(check_name())
        ground().storage.put(blobs[0], [check.model_dump_json(by_alias=True).encode()])
    is_kept = False
    try:
        blob, digest = _stored(weights)
        blobs.append(blob)
        version, is_kept = add_version(
            ground().database,
            stored,
            record,
            blob,
            f"sha256:{digest}",
            VersionState.VALIDATING,
            actor(),
            check_blob=blobs[0] if check is not None else None,
        )
    except DBAPIError as err:
        # When the connection broke during COMMIT the version may exist, and then needs its weights.
        is_kept = err.connection_invalidated
        raise
    finally:
        if not is_kept:
            ground().storage.delete(blobs)
    ground().hints.send(ground().settings.pool_for_jobs)
    return version, is_kept


def _check(parts: Parts) -> Check | None:
    """Read what the version is to be held against, if that came with it."""
    if not parts.named("check"):
        return None
    text = parts.only("check", "a JSON object").text(MOST_BYTES)
    check = validated(Check, parse_json(text, "The part `check`"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return check.model_copy(update={"digest": f"sha256:{digest}"})


def _checked_record(name: str, stored: str, body: RecordBody, source: Source) -> dict[str, Any]:
    """Give the record's plain form; of what a worker has still to describe only what was said."""
    task = _checked_task(stored, body, source)
    _refusing(lambda: check_labels(body.labels or (), plain(body).get("options", {})))
    given = {**plain(body), "architecture": body.architecture, "name": name, "task": task}
    if source.describes or _may_be_operators(body, source):
        said = {**_UNREAD, **given}
        # Where no batch is said, a worker takes one that fits.
        asked = {**said, "max_batch": body.max_batch or 1}
        if task == _VIDEOS:
            asked["input_kind"] = "video"
        _refusing(lambda: check_bounds(ModelRecord.from_json(asked)))
        return said
    shipped = SHIPPED.get(body.architecture or "")
    ours: dict[str, Any] = shipped.to_json() if shipped else {}
    defaults = {part: ours[part] for part in _OF_ARCHITECTURE if part in ours}
    if task == _VIDEOS:
        defaults |= {"input_kind": "video", "limits": asdict(VIDEO_LIMITS)}
    if body.labels is None:
        raise InvalidRequest(
            "`record.labels` is missing: give one name a class, in the network's order.",
            param="record.labels",
        )
    if body.preprocess is None and shipped is None:
        raise InvalidRequest(
            "`record.preprocess` is missing: say how images become the network's input. GET "
            "/v1/models/{name} shows that of a model with the same architecture.",
            param="record.preprocess",
        )

    def checked() -> ModelRecord:
        params_schema(task)
        record = ModelRecord.from_json({**defaults, **given})
        check_bounds(record)
        return record

    return _refusing(checked).to_json()


def _refusing(check: Callable[[], Checked]) -> Checked:
    try:
        return check()
    except ModelError as err:
        of = f".{err.param}" if isinstance(err, RecordError) and err.param else ""
        raise InvalidRequest(f"`record` is refused: {err}", param=f"record{of}") from err


def _checked_task(stored: str, body: RecordBody, source: Source) -> str:
    """Give the task, which all versions of a name share; empty until a worker has read it."""
    known = ARCHITECTURE_TASKS.get(body.architecture or "")
    if known is None and source.is_listed and not _may_be_operators(body, source):
        raise InvalidRequest(
            f"`record.architecture`: {body.architecture!r} is not one that can be run here. There "
            f"are {', '.join(map(repr, SHIPPED))}, torchvision's, such as 'torchvision/resnet18', "
            "timm's ('timm/convnext_tiny'), Hugging Face's ('huggingface/vit') and 'onnx'.",
            param="record.architecture",
        )
    task = body.task or known or ""
    if known is not None and task != known:
        raise InvalidRequest(
            f"`record.task` is {task!r}, and {body.architecture!r} does {known}.",
            param="record.task",
        )
    if task:
        _refusing(lambda: params_schema(task))
        with ground().database.read() as session:
            check_task(session, stored, task, param="record.task")
    return task


def _may_be_operators(body: RecordBody, source: Source) -> bool:
    """Say whether an operator may have added the architecture, which only the workers know then."""
    is_unknown = source == HERE and body.architecture not in ARCHITECTURE_TASKS
    return is_unknown and is_admin()


def _source(body: RecordBody, weights: _Weights) -> Source:
    """Say where the network comes from; raises InvalidRequest when the file is of another kind."""
    try:
        kind = weights_kind(weights.size, weights.read)
    except ModelError as err:
        raise InvalidRequest(str(err), param="weights") from err
    if body.architecture is None:
        if kind != ONNX:
            raise InvalidRequest(
                "`record.architecture` is missing: safetensors are numbers alone; say whose they "
                "are, such as 'timm/convnext_tiny'.",
                param="record.architecture",
            )
        body.architecture = ONNX
    source = source_of(body.architecture)
    if source.weights != kind:
        raise InvalidRequest(
            f"The weights are a file of {kind}, and {body.architecture!r} takes {source.weights}.",
            param="weights",
        )
    return source


def _check_weights(weights: _Weights, source: Source) -> None:
    most = ground().settings.model_memory
    if weights.size > most:
        raise TooLarge(
            f"The weights have {weights.size:,} bytes; the workers here hold at most {most:,}."
        )
    if source.weights == ONNX:  # which a worker looks through, behind walls
        return
    try:
        check_header(weights.size, weights.read)
    except ModelError as err:
        raise InvalidRequest(str(err), param="weights") from err


def _stored(weights: _Weights) -> tuple[str, str]:
    """Give the blob that is the version's own, and its SHA-256."""
    if weights.blob is not None:
        return weights.blob.take(), weights.blob.sha256
    blob, digest = weights_name(), hashlib.sha256()
    ground().storage.put(blob, _hashed(weights.chunks(), digest))
    return blob, digest.hexdigest()


def _hashed(chunks: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
