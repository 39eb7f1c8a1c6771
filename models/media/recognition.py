"""What people send instead of a picture, by name: so that a refusal says what was seen."""

from models.media.stills.brands import brands_of
from models.media.stills.tiff.raw import camera_raw

# Order matters: the first match wins.
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"PK\x07\x08", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"\x04\x22\x4d\x18", "an LZ4 archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"FLV\x01", "an FLV video"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMV or ASF video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"OggS", "an Ogg video or sound file"),
    (b"ID3", "an MP3 sound file"),
    (b"fLaC", "a FLAC sound file"),
    (b"#EXTM3U", "a playlist"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"II\xbc", "a JPEG XR picture"),
    (b"8BPS", "a Photoshop document"),
    (b"8BPB", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"v/1\x01", "an OpenEXR picture"),
    (b"#?RADIANCE", "a Radiance HDR picture"),
    (b"\x00\x00\x01\x00", "an ICO picture"),
    (b"\x00\x00\x02\x00", "a CUR picture"),
    (b"icns", "an ICNS picture"),
    (b"qoif", "a QOI picture"),
    (b"BPG\xfb", "a BPG picture"),
    (b"DDS ", "a DDS picture"),
    (b"SIMPLE  =", "a FITS picture"),
    (b"\x0a\x05\x01", "a PCX picture"),
    *(
        (b"P" + digit, "a PNM picture")
        for digit in (b"1\n", b"2\n", b"3\n", b"4\n", b"5\n", b"6\n")
    ),
    (b"P7\n", "a PAM picture"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"PAR1", "a Parquet file"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x80", "a Python pickle"),
    (b"\xef\xbb\xbf<", "HTML, SVG or other XML text"),
    (b"<", "HTML, SVG or other XML text"),
    (b"{", "JSON text"),
    (b"[", "JSON text"),
    (b"version https://git-lfs", "a pointer of Git LFS instead of the file"),
    (b"data:", "a data URL"),
)

# Camera raw that is no TIFF, or not quite: Fujifilm, Olympus, Panasonic, Sigma, Minolta, Canon.
_CAMERA_RAW = (
    b"FUJIFILMCCD-RAW",
    *(b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb", b"\x00MRM"),
    b"II\x1a\x00\x00\x00HEAP",
)
_BRANDS = {
    b"jp2 ": "a JPEG 2000 picture",
    b"jpx ": "a JPEG 2000 picture",
    b"qt  ": "a QuickTime video",
    b"M4A ": "an MPEG-4 sound file",
    b"M4V ": "an MPEG-4 video",
    b"3gp4": "a 3GP video",
    b"3gp5": "a 3GP video",
}
_RIFFS = {b"AVI ": "an AVI video", b"WAVE": "a WAV sound file"}
_TS_PACKET = 188


def check_is_no_raw(data: bytes) -> None:
    """Refuse camera raw in containers of its own; raises UnsupportedMedia."""
    if data.startswith(_CAMERA_RAW) or b"crx " in brands_of(data):
        raise camera_raw()


def describe(data: bytes) -> str:
    """Describe bytes that are no accepted picture, with their article."""
    brands = brands_of(data)
    if brands:
        return _BRANDS.get(brands[0], "an MP4 or QuickTime video")
    if data[:4] == b"RIFF":
        return _RIFFS.get(data[8:12], "an AVI video or a sound file")
    if data[257:262] == b"ustar":
        return "a tar archive"
    if data[128:132] == b"DICM":
        return "a DICOM picture"
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "an MP4 or QuickTime video"
    if data[: 3 * _TS_PACKET : _TS_PACKET] == b"GGG" or data[4:580:192] == b"GGG":
        return "an MPEG transport stream"
    for magic, what in _MAGICS:
        if data.startswith(magic):
            return what
    if not data.strip(b"\0"):
        return "nothing but zeros"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data[:64]):
        return "plain text"
    return "unknown binary data"
