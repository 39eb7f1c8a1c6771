"""From a record and weights that came over HTTP to a version that a worker will try out.

    multipart: weights, record ─┐
    JSON: input_file_id, record ┴─► header and record checked ─► stored, hashed ─► validating

Nothing is unpickled, built or run here: what can be told without torch is told at once, with 422,
and the rest by a worker (jobs.versions.validation).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from api.bodies.admission import is_form
from api.bodies.kept_files import body_parts
from api.bodies.parts import StagedBlob
from api.current import actor, ground, is_admin
from api.jobs.submitting import find_file
from api.models.schemas import FramesBody, PreprocessBody, RecordBody, VersionCreate, plain
from api.web.parsing import parse_json, read_body, validated
from jobs.base.errors import InvalidRequest, TooLarge
from jobs.base.states import VersionState
from jobs.base.storage import weights_name
from jobs.tables import ModelVersion
from jobs.versions.names import check_new_name
from jobs.versions.registry import add_version, check_task
from models.catalog import (
    ARCHITECTURE_TASKS,
    SHIPPED,
    VIDEO_LIMITS,
    Limits,
    ModelRecord,
    params_schema,
)
from models.records.errors import ModelError
from models.records.weights_header import Read, check_header

# A batch of larger pictures would take gigabytes of everybody's memory.
_MOST_BATCH_PIXELS = 16_000_000
# Of tasks that give a score for every class at every place.
_MOST_LABELS_OF_PLACES = 1000
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
        part = parts.only("weights", "the safetensors file")
        text = parts.only("record", "a JSON object").text(ground().settings.max_json_bytes)
        body = validated(RecordBody, parse_json(text, "The part `record`"))

        def read(start: int, length: int) -> bytes:
            part.stream.seek(start)
            return part.stream.read(length)

        return _register(name, stored, body, _Weights(part.length, read, part.chunks, part.blob))
    create, _ = read_body(VersionCreate)
    file = find_file(create.input_file_id)
    storage = ground().storage
    weights = _Weights(
        file.bytes,
        lambda start, length: bytes(storage.ranges(file.blob, [start], [length])[0]),
        lambda: storage.stream(file.blob),
    )
    return _register(name, stored, create.record, weights)


def _register(
    name: str, stored: str, body: RecordBody, weights: _Weights
) -> tuple[ModelVersion, bool]:
    record = _checked_record(name, stored, body)
    _check_weights(weights)
    blob, digest = _stored(weights)
    is_kept = False
    try:
        version, is_kept = add_version(
            ground().database,
            stored,
            record.to_json(),
            blob,
            f"sha256:{digest}",
            VersionState.VALIDATING,
            actor(),
        )
    except DBAPIError as err:
        # When the connection broke during COMMIT the version may exist, and then needs its weights.
        is_kept = err.connection_invalidated
        raise
    finally:
        if not is_kept:
            ground().storage.delete([blob])
    ground().hints.send(ground().settings.pool_for_jobs)
    return version, is_kept


def _checked_record(name: str, stored: str, body: RecordBody) -> ModelRecord:
    task = _checked_task(stored, body)
    shipped = SHIPPED.get(body.architecture)
    ours: dict[str, Any] = shipped.to_json() if shipped else {}
    defaults = {part: ours[part] for part in _OF_ARCHITECTURE if part in ours}
    if task == "video-classification":
        defaults |= {"input_kind": "video", "limits": asdict(VIDEO_LIMITS)}
    if body.preprocess is None and shipped is None:
        raise InvalidRequest(
            "`record.preprocess` is missing: say how images become the network's input. GET "
            "/v1/models/{name} shows that of a model with the same architecture.",
            param="record.preprocess",
        )
    try:
        record = ModelRecord.from_json({**defaults, **plain(body), "name": name, "task": task})
        params_schema(task)
    except ModelError as err:
        raise InvalidRequest(f"`record` is refused: {err}", param="record") from err
    _check_sizes(record, body.preprocess)
    return record


def _checked_task(stored: str, body: RecordBody) -> str:
    """Give the version's task; all versions of one name do the same."""
    known = ARCHITECTURE_TASKS.get(body.architecture)
    # An operator may have added architectures of their own, which only the workers know.
    if known is None and not (is_admin() and body.task):
        raise InvalidRequest(
            f"`record.architecture`: {body.architecture!r} is not one that can be run here. There "
            f"are {', '.join(map(repr, SHIPPED))} and torchvision's, such as "
            "'torchvision/resnet18'.",
            param="record.architecture",
        )
    task = body.task or known or ""
    if known is not None and task != known:
        raise InvalidRequest(
            f"`record.task` is {task!r}, and {body.architecture!r} does {known}.",
            param="record.task",
        )
    with ground().database.read() as session:
        check_task(session, stored, task, param="record.task")
    return task


def _check_sizes(record: ModelRecord, preprocess: PreprocessBody | FramesBody | None) -> None:
    """Refuse a record whose batches would take more memory than is fair."""
    scores_places = record.task in ("detection", "segmentation")
    if scores_places and len(record.labels) > _MOST_LABELS_OF_PLACES:
        raise InvalidRequest(
            f"`record.labels` has {len(record.labels):,} names; {record.task} takes at most "
            f"{_MOST_LABELS_OF_PLACES:,}.",
            param="record.labels",
        )
    # A picture lies in memory as a whole; only videos are read piece by piece.
    if record.input_kind == "image" and record.limits.max_bytes > Limits().max_bytes:
        raise InvalidRequest(
            f"`record.limits.max_bytes` is {record.limits.max_bytes:,}; a picture may have at most "
            f"{Limits().max_bytes:,} bytes.",
            param="record.limits.max_bytes",
        )
    if preprocess is None:
        return
    pixels = _pixels_of(preprocess)
    if record.max_batch * pixels > _MOST_BATCH_PIXELS:
        raise InvalidRequest(
            f"`record.max_batch`: {record.max_batch} samples of {pixels:,} pixels are too much for "
            f"one batch; {_MOST_BATCH_PIXELS // pixels} are not.",
            param="record.max_batch",
        )


def _pixels_of(preprocess: PreprocessBody | FramesBody) -> int:
    """Give the pixels of one sample: a picture, or the frames of a window."""
    if isinstance(preprocess, FramesBody):
        return preprocess.window * preprocess.crop[0] * preprocess.crop[1]
    height, width = preprocess.fixed or [
        preprocess.crop or preprocess.shorter or 1,
        preprocess.crop or preprocess.longer or preprocess.shorter or 1,
    ]
    return height * width


def _check_weights(weights: _Weights) -> None:
    most = ground().settings.model_memory
    if weights.size > most:
        raise TooLarge(
            f"The weights have {weights.size:,} bytes; the workers here hold at most {most:,}."
        )
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
