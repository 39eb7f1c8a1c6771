"""From bytes to samples: runs in threads, one chunk at a time in each; a bad item costs itself."""

import hashlib
from collections.abc import Sequence

import structlog

from jobs.archives import ArchiveError, extract
from jobs.manifests import Item
from jobs.quarantine import Suspect
from jobs.segments import ItemError
from models.errors import InputError
from workers.engine.chunk import Content, ImageChunk
from workers.engine.flight import FlightRecord

log = structlog.get_logger(__name__)


# Bytes of a picture that is decoded in less time than it takes to hand the interpreter over.
_TINY_BYTES = 2048


def are_tiny(contents: Sequence[Content]) -> bool:
    """Say whether one thread does more of these than two, which hand the interpreter to and fro."""
    held = sum(len(each) for each in contents if not isinstance(each, ItemError))
    return held <= _TINY_BYTES * len(contents)


def decode(
    chunk: ImageChunk, contents: Sequence[Content], max_bytes: int, flight: FlightRecord
) -> ImageChunk:
    """Fill a chunk's samples, hashes and errors from its items' contents; never raises for one."""
    with flight.following() as note:
        for position, (item, content) in enumerate(zip(chunk.items, contents, strict=True)):
            chunk.hashes.append(None)
            if isinstance(content, ItemError):
                chunk.errors[position] = content
                continue
            note(Suspect(chunk.shard_id, chunk.first + position, 1))
            _decode_one(chunk, position, item, content, max_bytes)
    return chunk


def _decode_one(
    chunk: ImageChunk, position: int, item: Item, content: bytes | memoryview, max_bytes: int
) -> None:
    try:
        data = _member(item, content, max_bytes)
        chunk.hashes[position] = hashlib.sha256(data).hexdigest()
        chunk.samples.append(chunk.network.prepare(data))
        chunk.positions.append(position)
        if chunk.keeps_data:
            chunk.data[position] = data
    except InputError as err:
        chunk.errors[position] = ItemError(err.code, str(err), err.retryable)
    except ArchiveError as err:
        chunk.errors[position] = ItemError(err.code, str(err))
    except MemoryError:
        message = "There was not enough memory to decode this item."
        chunk.errors[position] = ItemError("out_of_memory", message, retryable=True)
    except Exception:  # whatever a decoder does wrong costs this item, not its shard
        log.exception("item_not_decoded", shard=chunk.shard_id, index=chunk.first + position)
        message = "This item could not be decoded; the operator's logs say why."
        chunk.errors[position] = ItemError("internal_error", message)


def _member(item: Item, content: bytes | memoryview, max_bytes: int) -> bytes:
    if item.encoding == "zip":
        return extract(content, "zip", max_bytes, item.size)
    return bytes(content)
