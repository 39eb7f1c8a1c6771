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


def decode(
    chunk: ImageChunk, contents: Sequence[Content], max_bytes: int, flight: FlightRecord
) -> ImageChunk:
    """Fill a chunk's samples, hashes and errors from its items' contents; never raises for one."""
    for position, (item, content) in enumerate(zip(chunk.items, contents, strict=True)):
        chunk.hashes.append(None)
        if isinstance(content, ItemError):
            chunk.errors[position] = content
            continue
        try:
            data = _member(item, content, max_bytes)
            chunk.hashes[position] = hashlib.sha256(data).hexdigest()
            with flight.flying(Suspect(chunk.shard_id, chunk.first + position, 1)):
                chunk.samples.append(chunk.network.prepare(data))
            chunk.positions.append(position)
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
    return chunk


def _member(item: Item, content: bytes | memoryview, max_bytes: int) -> bytes:
    if item.encoding == "zip":
        return extract(content, "zip", max_bytes, item.size)
    return bytes(content)
