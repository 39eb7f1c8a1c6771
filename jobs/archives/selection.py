"""Which files of an archive become items, by their names alone: the tables of what does not."""

# Files and folders that an operating system leaves behind, in small letters.
_SYSTEM_FILES = frozenset(
    {
        ".ds_store",
        ".localized",
        ".directory",
        ".volumeicon.icns",
        "icon\u240d",  # Finder's "Icon\r", as it is shown
        "desktop.ini",
        "thumbs.db",
        "ehthumbs.db",
    }
)
_SYSTEM_FOLDERS = frozenset(
    {
        "__MACOSX",
        "@eaDir",  # Synology
        ".Spotlight-V100",
        ".Trashes",
        ".fseventsd",
        "$RECYCLE.BIN",
        "System Volume Information",
    }
)
_FORK = "._"  # what macOS keeps beside a file on a drive that knows no resource forks

# Suffixes of what is plainly no picture or film. A suffix that is not here is no proof: photos
# come with none, and with wrong ones, and what they are is seen when they are decoded.
_NOT_MEDIA_SUFFIXES = frozenset(
    {
        *("txt", "md", "rst", "rtf", "log", "pdf", "doc", "docx", "odt", "tex"),  # texts
        *("htm", "html", "css", "js", "php"),  # pages
        *("json", "jsonl", "ndjson", "xml", "yaml", "yml", "toml", "ini", "cfg", "conf"),  # data
        *("csv", "tsv", "xls", "xlsx", "ods", "parquet", "sqlite", "db"),  # tables
        *("cls", "npy", "npz", "pth", "pt", "pkl", "pickle", "safetensors", "onnx"),  # sets
        *("py", "ipynb", "sh", "bat", "ps1", "exe", "dll", "so"),  # programs
        *("md5", "sha1", "sha256", "sfv", "asc", "sig"),  # checksums
        *("srt", "vtt", "xmp", "aae"),  # beside films and photos
    }
)
_NOT_MEDIA_NAMES = frozenset(
    {"license", "licence", "readme", "changelog", "copying", "authors", "notice", "makefile"}
    | {".gitignore", ".gitattributes", ".gitkeep", "md5sums", "sha256sums", "checksums"}
)


def is_system_file(name: str) -> bool:
    """Whether a shown name is one that an operating system left behind: no file of the user's."""
    folders, _, last = name.rpartition("/")
    if last.startswith(_FORK) or last.lower() in _SYSTEM_FILES:
        return True
    return bool(folders) and not _SYSTEM_FOLDERS.isdisjoint(folders.split("/"))


def is_not_media(name: str) -> bool:
    """Whether a shown name says that a file is no picture and no film."""
    last = name.rpartition("/")[2].lower()
    return last.rpartition(".")[2] in _NOT_MEDIA_SUFFIXES or last in _NOT_MEDIA_NAMES
