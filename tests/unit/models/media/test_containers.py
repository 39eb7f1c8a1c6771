"""What video files say of themselves."""

import io
from pathlib import Path

import numpy as np
import pytest

from models.media.containers import Claims, read_claims
from tests.videos import levels, written


@pytest.mark.parametrize("checksum", [b"\0\0\0\0", b"\x33\x57\x8a\0"])
def test_no_checksum_is_taken_for_damage(checksum: bytes, tmp_path: Path) -> None:
    pictures = [np.full((48, 64, 3), level, np.uint8) for level in levels(3)]
    data = written(tmp_path / "v.mkv", "mp4v", pictures).read_bytes()
    # The tracks are named in the table of contents first; they begin with their checksum.
    tracks = data.rindex(b"\x16\x54\xae\x6b")
    at = data.index(b"\xbf\x84", tracks) + 2
    assert at < tracks + 16
    data = data[:at] + checksum + data[at + 4 :]
    assert read_claims("Matroska", io.BytesIO(data), len(data)) == Claims(64, 48)
