"""How many pieces an MP4's index says that the film is in, before FFmpeg makes an entry of each.

FFmpeg keeps some 24 bytes for each sample that `stsz` claims, and for a constant size the claim
needs no bytes: 3 kB then become gigabytes. The tables are looked for by their names anywhere in the
headers, since FFmpeg finds them wherever they stand.

Source: ISO/IEC 14496-12, 8.6 to 8.8.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

# A day of film at 46 frames a second.
MAX_INDEX_ENTRIES = 4_000_000
# Headers that are looked through; four million entries need some 100 MB.
MAX_INDEX_BYTES = 256 * 2**20

# Where each table's count stands after its name: after version, flags and, in `stsz`, the size.
_COUNTS = {b"stsz": 8, b"stz2": 8, b"stts": 4, b"ctts": 4, b"trun": 4, b"sbgp": 8}

# FFmpeg puts so many samples of plain sound into one entry.
_SOUND_SAMPLES = 1024


class _Table(NamedTuple):
    kind: bytes
    start: int  # after the name
    count: int


class _Track(NamedTuple):
    """Where a track's tables stand in the headers."""

    headers: bytes
    start: int
    end: int

    def tables(self) -> Iterator[_Table]:
        for kind, offset in _COUNTS.items():
            for at in self.places(kind):
                field = self.headers[at + 4 + offset : at + 8 + offset]
                if len(field) == 4:
                    yield _Table(kind, at + 4, struct.unpack(">I", field)[0])

    def places(self, name: bytes) -> Iterator[int]:
        """Yield where boxes of a name stand: the four bytes before can be their length."""
        at = self.headers.find(name, max(self.start, 4), self.end)
        while at >= 0:
            length = int.from_bytes(self.headers[at - 4 : at], "big")
            if length <= 1 or 8 <= length <= self.end - at + 4:
                yield at
            at = self.headers.find(name, at + 4, self.end)


def claimed_entries(headers: bytes) -> int:
    """Add up what the tables in the body of `moov` or `moof` claim: the largest of each track."""
    return sum(_entries(track) for track in _tracks(headers))


def _tracks(headers: bytes) -> Iterator[_Track]:
    """Cut at every `trak` or `traf`; tables before the first count as one more."""
    whole = _Track(headers, 0, len(headers))
    starts = sorted(at for name in (b"trak", b"traf") for at in whole.places(name))
    for start, end in zip([0, *starts], [*starts, len(headers)], strict=True):
        yield _Track(headers, start, end)


def _entries(track: _Track) -> int:
    tables = list(track.tables())
    most = max((table.count for table in tables), default=0)
    return most // _SOUND_SAMPLES if _is_plain_sound(track, tables) else most


def _is_plain_sound(track: _Track, tables: list[_Table]) -> bool:
    """Tell sound of which every sample lasts one unit of time: PCM."""
    times = [table for table in tables if table.kind == b"stts"]
    handlers = [track.headers[at + 12 : at + 16] for at in track.places(b"hdlr")]
    return (
        b"soun" in handlers
        and b"vide" not in handlers
        and len(times) == 1
        and times[0].count == 1
        and track.headers[times[0].start + 12 : times[0].start + 16] == b"\0\0\0\x01"
    )
