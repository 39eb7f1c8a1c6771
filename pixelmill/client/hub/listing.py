"""What a repository of the hub holds, and which of it is fetched.

Settings, the model's card, and weights as safetensors, in one file or in parts. All that is known
before anything is fetched is told here: the commit, and each file's size and digest.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pixelmill.client.hub.library import Hub
from pixelmill.client.hub.references import Reference
from pixelmill.client.hub.refusals import in_plain_words
from pixelmill.wire.errors import InvalidInput, UnexpectedAnswer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
CARD = "README.md"
# What a folder's reader looks into (pixelmill/client/hugging_face).
_SETTINGS = (
    CONFIG,
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "processor_config.json",
    CARD,
)
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
_PART = re.compile(r"model-\d{5}-of-\d{5}\.safetensors", re.ASCII)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".msgpack", ".h5", ".pkl")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_SETTINGS_BYTES, _MOST_TOKENIZER_BYTES = 4 * 2**20, 64 * 2**20
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit: its size in bytes, and its SHA-256 or, of a small one, git's own SHA-1.

    `git_oid` is the SHA-1 of "blob ", the size, a zero byte and the content.
    """

    name: str
    size: int
    sha256: str | None
    git_oid: str | None


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model as the hub lists it: the files of it that are fetched, at one commit."""

    repository: str
    commit: str
    files: tuple[HubFile, ...]
    license: str | None

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def source(self) -> str:
        """Where the model is from, to the commit."""
        return f"Hugging Face: {self.repository}@{self.commit}"


def find(hub: Hub, of: Reference, *, reads_texts: bool = False) -> HubModel:
    """Ask the hub what a repository holds; of one that is to read texts its tokenizer too.

    Raises InvalidInput for one that is missing, closed, without safetensors or of odd files.
    """
    with in_plain_words(hub, of):
        info = hub.api.model_info(
            of.repository, revision=of.revision, files_metadata=True, timeout=_PATIENCE_S
        )
    if not isinstance(info.sha, str) or not _COMMIT.fullmatch(info.sha):
        raise UnexpectedAnswer(f"{hub.endpoint} names no commit of {of}; is HF_ENDPOINT right?")
    listed = {each.rfilename: each for each in info.siblings or ()}
    _check_names(of, listed)
    chosen = tuple(
        _file(of, listed[name]) for name in _chosen(of, listed, _TOKENIZER if reads_texts else ())
    )
    return HubModel(of.repository, info.sha, chosen, _license(info.tags))


def _check_names(of: Reference, names: Iterable[str]) -> None:
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or not name.isprintable():
            raise InvalidInput(
                f"{of} lists the file {name!r}, which would lie outside of its folder: nothing of "
                "it was fetched."
            )


def _chosen(of: Reference, listed: Mapping[str, Any], more: Sequence[str]) -> list[str]:
    """Name the files to fetch; raises InvalidInput where what is needed is not there."""
    if CONFIG not in listed:
        raise InvalidInput(f"{of} has no {CONFIG}, which says what network it is.")
    settings = [name for name in (*_SETTINGS, *more) if name in listed]
    if WEIGHTS in listed:
        return [*settings, WEIGHTS]
    parts = sorted(name for name in listed if _PART.fullmatch(name))
    if INDEX in listed and parts:
        return [*settings, INDEX, *parts]
    pickles = [name for name in listed if name.endswith(_PICKLES)]
    if pickles:
        raise InvalidInput(
            f"{of} has its weights as pickles alone ({pickles[0]}), which can run code when they "
            f"are read: look for a revision of it with {WEIGHTS} (such as @refs/pr/1), or for "
            "another repository."
        )
    raise InvalidInput(f"{of} has no {WEIGHTS}.")


def _file(of: Reference, told: Any) -> HubFile:
    """Read what the hub says of a file; raises InvalidInput where it cannot be held to it."""
    name, is_large = told.rfilename, told.lfs is not None
    size = told.lfs.size if is_large else told.size
    sha256, oid = told.lfs.sha256 if is_large else None, None if is_large else told.blob_id
    is_known = _SHA256.fullmatch(sha256 or "") or _COMMIT.fullmatch(oid or "")
    if not isinstance(size, int) or size < 0 or not is_known:
        raise InvalidInput(f"The hub tells no size or digest of {name} of {of}: it is not fetched.")
    is_weights = name == WEIGHTS or _PART.fullmatch(name)
    most = _MOST_TOKENIZER_BYTES if name in _TOKENIZER else _MOST_SETTINGS_BYTES
    if not is_weights and size > most:
        raise InvalidInput(f"{name} of {of} has {size:,} bytes; at most {most:,} are read.")
    return HubFile(name, size, sha256, oid)


def _license(tags: Any) -> str | None:
    told = (each for each in tags or () if isinstance(each, str) and each.startswith("license:"))
    return next((each.removeprefix("license:") for each in told), None)
