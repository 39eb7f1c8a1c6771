"""Odd tars, by Python's tarfile, by GNU tar and by hand."""

import io
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.odd.packed.archives import THREE, OddArchive, content, files

_FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
CORRUPT = "corrupt_archive"


def tarred(held: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, **info: object) -> bytes:
    """Pack files with tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in held.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for field, value in info.items():
                setattr(member, field, value)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def entry(name: str, kind: bytes, target: str = "", data: bytes = b"") -> bytes:
    """Give one header, and its data, without an end mark."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(data)
    return member.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


END = bytes(1024)
_SPARSE_FORMS = {
    "gnu": ("--format=gnu",),
    "posix": ("--format=posix",),
    "posix-0.1": ("--format=posix", "--sparse-version=0.1"),
    "posix-0.0": ("--format=posix", "--sparse-version=0.0"),
}


def gnu_tar(folder: Path, *arguments: str) -> None:
    """Run GNU tar in a folder."""
    environ = {**os.environ, "LC_ALL": "C"}
    subprocess.run(["tar", *arguments], cwd=folder, check=True, env=environ, timeout=30)


def tars() -> Iterator[OddArchive]:
    """Give every odd tar."""
    yield from _formats()
    yield from _links()
    yield from _names()
    yield from _ends()
    yield from _by_gnu_tar()
    yield from _skipped()


def _formats() -> Iterator[OddArchive]:
    three = tuple(THREE.items())
    for name, form in _FORMATS.items():
        yield OddArchive(f"{name}.tar", tarred(THREE, form), three)
    old = bytearray(tarred(THREE, tarfile.USTAR_FORMAT))
    for at in _header_places(old):
        old[at + 257 : at + 265] = bytes(8)
        old[at + 156] = 0
        _reseal(old, at)
    yield OddArchive("v7.tar", bytes(old), three)
    negative = tarred(THREE, mtime=-5, uid=2**40)
    yield OddArchive("negative-time.tar", negative, three)
    contiguous = tarred(THREE, type=b"7")
    yield OddArchive("contiguous.tar", contiguous, three)
    extended = tarred(THREE, pax_headers={"comment": "x" * 3000, "SCHILY.xattr.user.a": "b"})
    yield OddArchive("extended-attributes.tar", extended, three)
    yield OddArchive("empty.tar", tarred({}), may_refuse=True)
    hollow = {"hollow.png": b"", "one.png": content("one.png")}
    yield OddArchive("empty-file.tar", tarred(hollow), tuple(hollow.items()))


def _header_places(data: bytearray) -> list[int]:
    with tarfile.open(fileobj=io.BytesIO(bytes(data))) as archive:
        return [member.offset for member in archive.getmembers()]


def _reseal(data: bytearray, at: int) -> None:
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])


def _links() -> Iterator[OddArchive]:
    data = content("one.png")
    one = entry("one.png", b"0", data=data)
    hard = one + entry("hard.png", b"1", "one.png") + END
    yield OddArchive("hard-link.tar", hard, (("one.png", data), ("hard.png", data)))
    dotted = entry("./one.png", b"0", data=data) + entry("./hard.png", b"1", "one.png") + END
    yield OddArchive("hard-link-dotted.tar", dotted, ((None, data), (None, data)))
    chain = one + entry("b.png", b"1", "one.png") + entry("c.png", b"1", "b.png") + END
    yield OddArchive(
        "hard-link-chain.tar", chain, (("one.png", data), ("b.png", data), ("c.png", data))
    )
    dangling = one + entry("hard.png", b"1", "missing.png") + END
    yield OddArchive("hard-link-dangling.tar", dangling, (("one.png", data),), ("hard.png",))
    symbolic = one + entry("soft.png", b"2", "one.png") + END
    yield OddArchive("symlink.tar", symbolic, (("one.png", data),), ("soft.png",))
    outside = one + entry("soft.png", b"2", "/etc/passwd") + END
    yield OddArchive("symlink-outside.tar", outside, (("one.png", data),), ("soft.png",))
    devices = entry("null", b"3") + entry("pipe", b"6") + one + END
    yield OddArchive("devices.tar", devices, (("one.png", data),), ("null", "pipe"))
    folder = entry("folder/", b"5") + one + END
    yield OddArchive("folder.tar", folder, (("one.png", data),))


def _names() -> Iterator[OddArchive]:
    long = "/".join(["a-long-folder-name-of-thirty"] * 9) + "/picture.png"
    for form in ("gnu", "pax"):
        held = files(long, "two.png")
        yield OddArchive(f"long-name-{form}.tar", tarred(held, _FORMATS[form]), tuple(held.items()))
    prefix = "p" * 120 + "/picture.png"
    held = files(prefix)
    yield OddArchive("ustar-prefix.tar", tarred(held, tarfile.USTAR_FORMAT), tuple(held.items()))
    wide = files("写真/テスト.png", "Übung/Größe.jpg", "emoji-🎈.png", "한국어.png")
    for name, form in _FORMATS.items():
        yield OddArchive(f"unicode-{name}.tar", tarred(wide, form), tuple(wide.items()))
    held = files("a.png")
    latin = tarred(held).replace(b"a.png\0\0\0\0", b"gr\xfc\xdf.png"[:8].ljust(9, b"\0"), 1)
    latin = bytearray(latin)
    _reseal(latin, 0)
    yield OddArchive("latin-1.tar", bytes(latin), ((None, held["a.png"]),))
    dots = files("../../up.png", "/absolute.png", "a\\b.png")
    yield OddArchive(
        "unsafe-names.tar", tarred(dots), tuple((None, data) for data in dots.values())
    )
    twice = entry("a.png", b"0", data=b"first") + entry("a.png", b"0", data=b"second") + END
    yield OddArchive("same-name.tar", twice, (("a.png", b"second"),), ("a.png",))


def _ends() -> Iterator[OddArchive]:
    three = tuple(THREE.items())
    whole = tarred(THREE)
    yield OddArchive("padded.tar", whole + bytes(50 * 512), three)
    bare = b"".join(entry(name, b"0", data=data) for name, data in THREE.items())
    yield OddArchive("one-block-end.tar", bare + bytes(512), three)
    yield OddArchive("no-end.tar", bare, three, may_refuse=True)
    more = files("four.png", "five.png")
    joined = whole + tarred(more)
    yield OddArchive("joined.tar", joined, three + tuple(more.items()), may_refuse=True)
    yield OddArchive("cut-in-data.tar", bare[:-400], error=CORRUPT)
    yield OddArchive("cut-in-header.tar", bare[: -len(bare) // 2 // 512 * 512 + 100], error="")
    broken = bytearray(whole)
    second = _header_places(broken)[1]
    broken[second] ^= 0xFF
    yield OddArchive("broken-header.tar", bytes(broken), error=CORRUPT)
    size = bytearray(whole)
    size[124:135] = b"77777777777"
    _reseal(size, 0)
    yield OddArchive("false-size.tar", bytes(size), error=CORRUPT)


def _by_gnu_tar() -> Iterator[OddArchive]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in THREE.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        os.link(folder / "one.png", folder / "zz-hard.png")
        names = [*THREE, "zz-hard.png"]
        held = (*THREE.items(), ("zz-hard.png", THREE["one.png"]))
        for form in ("v7", "oldgnu", "gnu", "ustar", "posix"):
            gnu_tar(folder, "-cf", "out.tar", f"--format={form}", *names)
            yield OddArchive(f"by-gnu-tar-{form}.tar", (folder / "out.tar").read_bytes(), held)
        newer = content("newer")
        (folder / "one.png").write_bytes(newer)
        gnu_tar(folder, "-cf", "out.tar", "one.png", "folder/two.jpg")
        (folder / "one.png").write_bytes(newer[::-1])
        gnu_tar(folder, "-rf", "out.tar", "one.png")
        yield OddArchive(
            "updated.tar", (folder / "out.tar").read_bytes(),
            (("folder/two.jpg", THREE["folder/two.jpg"]), ("one.png", newer[::-1])), ("one.png",),
        )  # fmt: skip
        yield from _sparse(folder)


def _sparse(folder: Path) -> Iterator[OddArchive]:
    """Files with holes, in the ways that GNU tar has had to tell of them."""
    maps = {"hole-first": [(300_000, 900)], "hole-last": [(0, 900)],
            "many-holes": [(at * 40_960, 500) for at in range(40)], "nothing": []}  # fmt: skip
    for name, pieces in maps.items():
        path = folder / f"{name}.bmp"
        with path.open("wb") as file:
            for at, length in pieces:
                file.seek(at)
                file.write(content(f"{name}{at}", length))
            file.truncate(1_700_000)
        for told, form in _SPARSE_FORMS.items():
            gnu_tar(folder, "-Scf", "out.tar", *form, path.name)
            held = ((path.name, path.read_bytes()),)
            yield OddArchive(f"sparse-{name}-{told}.tar", (folder / "out.tar").read_bytes(), held)


def _skipped() -> Iterator[OddArchive]:
    odd = files("a.png", "._a.png", ".DS_Store", "__MACOSX/b.png", "@eaDir/c.png", "Thumbs.db",
                "d.png")  # fmt: skip
    kept = tuple((name, odd[name]) for name in ("a.png", "d.png"))
    left_out = tuple(name for name in odd if name not in ("a.png", "d.png"))
    yield OddArchive("left-behind.tar", tarred(odd), kept, left_out)
    samples = {"1.jpg": content("1"), "1.cls": b"7", "1.json": b'{"caption": "a"}',
               "2.jpg": content("2"), "2.txt": b"two"}  # fmt: skip
    pictures = tuple((name, samples[name]) for name in ("1.jpg", "2.jpg"))
    sidecars = ("1.cls", "1.json", "2.txt")
    yield OddArchive("webdataset.tar", tarred(samples), pictures, sidecars)
