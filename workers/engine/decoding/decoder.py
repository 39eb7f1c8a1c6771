"""From bytes to samples: runs in threads, one chunk at a time in each; a bad item costs itself.

What decodes are processes behind walls (`workers.walls`); a thread here gives them a chunk's bytes
and makes samples of the pixels that come back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import structlog

from jobs.inputs.manifests import Item
from jobs.results.segments import ItemError
from models.answers.thumbnails import thumbnail
from models.media.pictures import Picture
from models.records.errors import ExtensionFailed, InputError
from models.tasks.task import Sample
from workers.engine.figures import count_undecoded
from workers.engine.reading.chunk import Content, ImageChunk
from workers.walls.pictures import Asked, Decoded, Packed

log = structlog.get_logger(__name__)


_OUT_OF_MEMORY = ItemError(
    "out_of_memory", "There was not enough memory to decode this item.", retryable=True
)
_NOT_DECODED = ItemError(
    "internal_error", "This item could not be decoded; the operator's logs say why."
)

# A picture of so many bytes is copied in a few microseconds.
_SMALL_BYTES = 64 * 1024


class Pictures(Protocol):
    """What decodes pictures: processes behind walls (`workers.walls.pictures`)."""

    def decode(
        self, items: Sequence[Packed], asked: Asked, beat: Callable[[], None]
    ) -> Iterator[Decoded]:
        """Decode items in order; the pixels of each last until the next one is asked for."""


def packed(item: Item, content: bytes | memoryview) -> Packed:
    """Put an item's bytes as they were read beside what they are to become."""
    if item.encoding in ("raw", "url", "object"):
        return Packed(content, "raw", len(content))
    return Packed(content, item.encoding, item.size)


def decode(
    chunk: ImageChunk,
    contents: Sequence[Content],
    asked: Asked,
    pictures: Pictures,
    beat: Callable[[], None] = lambda: None,
) -> ImageChunk:
    """Fill a chunk's samples, hashes and errors from its items' contents; never raises for one."""
    chunk.hashes = [None] * len(chunk.items)
    positions, items = [], []
    for position, (item, content) in enumerate(zip(chunk.items, contents, strict=True)):
        if isinstance(content, ItemError):
            chunk.errors[position] = content
            continue
        positions.append(position)
        items.append(packed(item, content))
    for decoded in pictures.decode(items, asked, beat):
        position = positions[decoded.number]
        chunk.hashes[position] = decoded.sha256
        if decoded.picture is None:
            error = chunk.errors[position] = decoded.error or _NOT_DECODED
            sent = items[decoded.number]
            count_undecoded(sent.content, sent.encoding, error.code)
        else:
            _add_sample(chunk, position, decoded.picture)
            if chunk.keeps_thumbnails:
                _add_thumbnail(chunk, position, decoded.picture)
            if chunk.keeps_data and position not in chunk.errors:
                chunk.data[position] = items[decoded.number]
    return chunk


def _add_sample(chunk: ImageChunk, position: int, picture: Picture) -> None:
    try:
        if picture.pixels.nbytes <= _SMALL_BYTES:
            sample = chunk.network.sample(_copied(picture))
        else:
            sample = _of_its_own(chunk.network.sample(picture), picture)
    except (InputError, ExtensionFailed) as err:
        chunk.errors[position] = ItemError(err.code, str(err), err.retryable)
    except MemoryError:
        chunk.errors[position] = _OUT_OF_MEMORY
    except Exception:  # whatever is done wrong costs this item, not its shard
        log.exception("item_not_prepared", shard=chunk.shard_id, index=chunk.first + position)
        chunk.errors[position] = _NOT_DECODED
    else:
        chunk.samples.append(sample if chunk.texts is None else replace(sample, texts=chunk.texts))
        chunk.positions.append(position)
        chunk.sizes[position] = picture.width, picture.height


def _add_thumbnail(chunk: ImageChunk, position: int, picture: Picture) -> None:
    try:
        chunk.thumbnails[position] = thumbnail(picture.pixels)
    except Exception:  # whatever cannot be made small costs its picture, not its result
        index = chunk.first + position
        log.exception("thumbnail_not_made", shard=chunk.shard_id, index=index)


def _copied(picture: Picture) -> Picture:
    """Copy a picture out of shared memory without letting the interpreter lock go.

    numpy and torch let it go for a copy: threads that each hold it for microseconds would then wait
    for each other at every picture.
    """
    held = np.frombuffer(bytearray(picture.pixels.data), np.uint8)
    return Picture(held.reshape(picture.pixels.shape), picture.width, picture.height)


def _of_its_own(sample: Sample, picture: Picture) -> Sample:
    """Give a sample that keeps no pixel of shared memory, which the next picture is written to."""
    if not np.may_share_memory(sample.pixels.numpy(), picture.pixels):
        return sample
    return replace(sample, pixels=sample.pixels.clone())
