"""Archives that are compressed as a whole, 7z, and files that are no archive that is read."""

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator

import imagecodecs
import py7zr
from backports import zstd

from tests.odd.packed.archives import THREE, OddArchive, files
from tests.odd.packed.tars import tarred

CORRUPT, REFUSED = "corrupt_archive", "unsupported_archive"


def seven_zipped(held: dict[str, bytes], **options: object) -> bytes:
    """Pack files with py7zr."""
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", **options) as archive:
        for name, data in held.items():
            archive.writestr(data, name)
    return buffer.getvalue()


def other_archives() -> Iterator[OddArchive]:
    """Give every archive that is neither a plain tar nor a zip."""
    three = tuple(THREE.items())
    tar, more = tarred(THREE), files("four.png", "five.png")
    packers = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd.compress}
    for suffix, pack in packers.items():
        packed = pack(tar)
        yield OddArchive(f"three.tar.{suffix}", packed, three)
        middle = len(tar) // 2
        yield OddArchive(f"members.tar.{suffix}", pack(tar[:middle]) + pack(tar[middle:]), three)
        yield OddArchive(f"cut.tar.{suffix}", packed[: len(packed) // 2], error=CORRUPT)
        both = three + tuple(more.items())
        joined = packed + pack(tarred(more))
        yield OddArchive(f"joined.tar.{suffix}", joined, both, may_refuse=True)
        yield OddArchive(f"no-tar.{suffix}", pack(b"no tar at all" * 100), error=REFUSED)
        noisy = packed[:200] + b"\xff" * 60 + packed[260:]
        if suffix != "zst":  # whose frames carry no checksum unless they are asked to
            yield OddArchive(f"noise.tar.{suffix}", noisy, error="")
    yield OddArchive("padded.tar.gz", gzip.compress(tar) + bytes(512), three)
    lz4 = imagecodecs.lz4f_encode(tar)
    yield OddArchive("three.tar.lz4", lz4, three, may_refuse=True)
    whole = seven_zipped(THREE)
    yield OddArchive("three.7z", whole, three)
    both = whole + seven_zipped(more)
    yield OddArchive("joined.7z", both, error=REFUSED)
    yield OddArchive("padded.7z", whole + bytes(512), three)
    yield OddArchive("cut.7z", whole[: len(whole) // 2], error=CORRUPT)
    for name, kind in (("bzip2", py7zr.FILTER_BZIP2), ("deflate", py7zr.FILTER_DEFLATE),
                       ("copy", py7zr.FILTER_COPY), ("zstd", py7zr.FILTER_ZSTD)):  # fmt: skip
        yield OddArchive(
            f"{name}.7z", seven_zipped(THREE, filters=[{"id": kind}]), three, may_refuse=True
        )
    yield OddArchive("secret.7z", seven_zipped(THREE, password="secret"), error=REFUSED)
    wide = files("写真/テスト.png", "Größe.jpg")
    yield OddArchive("unicode.7z", seven_zipped(wide), tuple(wide.items()))
    yield OddArchive("nothing.7z", seven_zipped({}), may_refuse=True)
    for name, head in (("a.rar", b"Rar!\x1a\x07\x01\0"), ("a.lz", b"LZIP\1"),
                       ("a.cab", b"MSCF\0\0\0\0"), ("a.z", b"\x1f\x9d\x90")):  # fmt: skip
        yield OddArchive(name, head + bytes(600), error=REFUSED)
