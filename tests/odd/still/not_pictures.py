"""What people send that is no picture, with the word that the refusal must say."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import wave
import zipfile
from collections.abc import Iterator

import imagecodecs
from backports import zstd
from PIL import Image

from tests.odd.still.pngs import png
from tests.odd.still.scene import SCENE, OddPicture

REFUSED = "unsupported_media"


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        data = png(SCENE, "rgb")
        member = tarfile.TarInfo("a.png")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", png(SCENE, "rgb"))
    return buffer.getvalue()


def _by_pillow(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SCENE).save(buffer, kind)
    return buffer.getvalue()


def _wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(4000))
    return buffer.getvalue()


def _box(brand: bytes) -> bytes:
    return struct.pack(">I4s4sI4s", 24, b"ftyp", brand, 0, brand) + b"isom" + bytes(400)


def not_pictures() -> Iterator[OddPicture]:
    """Give what is no picture that is read, with a lower-case word of its refusal."""
    tar = _tar()
    for name, data, says in (
        ("a.tar", tar, "tar"),
        ("a.tar.gz", gzip.compress(tar), "gzip"),
        ("a.tar.bz2", bz2.compress(tar), "bzip2"),
        ("a.tar.xz", lzma.compress(tar), "xz"),
        ("a.tar.zst", zstd.compress(tar), "zst"),
        ("a.tar.lz4", imagecodecs.lz4f_encode(tar), "lz4"),
        ("a.zip", _zip(), "zip"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(200), "7"),
        ("a.rar", b"Rar!\x1a\x07\x01\0" + bytes(200), "rar"),
        ("a.ico", _by_pillow("ICO"), "ico"),
        ("a.pdf", _by_pillow("PDF"), "pdf"),
        ("a.jp2", _by_pillow("JPEG2000"), "jpeg 2000"),
        ("a.dcm", bytes(128) + b"DICM" + bytes(400), "dicom"),
        ("a.psd", b"8BPS\0\1" + bytes(400), "photoshop"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "svg"),
        ("a.html", b"<!DOCTYPE html><p>Not found", "html"),
        ("a.json", b'{"error": "not found"}', "json"),
        ("a.txt", b"Not found, says the server.", "text"),
        ("a.cr3", _box(b"crx "), "raw"),
        ("a.mp4", _box(b"isom"), "video"),
        ("a.mov", _box(b"qt  "), "video"),
        ("a.webm", b"\x1aE\xdf\xa3" + bytes(400), "video"),
        ("a.flv", b"FLV\1\5\0\0\0\x09" + bytes(400), "flv"),
        ("a.wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(400), "wmv"),
        ("a.avi", b"RIFF\x90\1\0\0AVI LIST" + bytes(400), "avi"),
        ("a.wav", _wav(), "sound"),
        ("a.exe", b"MZ" + bytes(400), "program"),
        ("a.so", b"\x7fELF" + bytes(400), "program"),
        ("a.parquet", b"PAR1" + bytes(400), "parquet"),
        ("a.exr", b"v/1\1" + bytes(400), "openexr"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201" + bytes(400), "raw"),
        ("a.rw2", b"IIU\0\x18\0\0\0" + bytes(400), "raw"),
        ("a.orf", b"IIRO\x08\0\0\0" + bytes(400), "raw"),
        ("noise.bin", bytes(range(1, 256)), "unknown"),
    ):  # fmt: skip
        yield OddPicture(name, data, error=REFUSED, says=says)
    yield OddPicture("empty.png", b"", error="image_decode_failed", says="empty")
