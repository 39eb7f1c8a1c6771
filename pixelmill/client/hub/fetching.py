"""A model's files, brought here by the library and held to the digests that the hub told.

The library keeps what has come whole in its cache, asks for the rest of a file whose connection
broke, and says that a file is right when its size is. The digest is looked at here, of cached files
too.
"""

import hashlib
import shutil
from pathlib import Path

from pixelmill.client.hub.library import Hub
from pixelmill.client.hub.listing import HubFile, HubModel
from pixelmill.client.hub.references import Reference
from pixelmill.client.hub.refusals import in_plain_words
from pixelmill.wire.errors import InvalidInput

_BLOCK = 2**20


def fetch(hub: Hub, of: Reference, model: HubModel, folder: Path) -> None:
    """Put a model's files into a folder, by links where those are to be had.

    Raises InvalidInput where the disk is too small, or a file is not what the hub said;
    ConnectionFailed where the connection broke for good.
    """
    check_room(_missing(hub, model), hub.cache, "free some, or set HF_HOME to a folder elsewhere")
    for file in model.files:
        with in_plain_words(hub, of):
            got = Path(
                hub.api.hf_hub_download(
                    of.repository, file.name, revision=model.commit, cache_dir=hub.cache
                )
            )
        _check(got, file, of)
        _place(got, folder / file.name)


def check_room(needed: int, where: Path, advice: str) -> None:
    """Refuse what does not fit onto the disk of a folder, which need not be there yet."""
    there = next(each for each in (where, *where.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise InvalidInput(
            f"{needed:,} bytes are needed in {where}, where {free:,} are free: {advice}."
        )


def _missing(hub: Hub, model: HubModel) -> int:
    """Count the bytes that are not in the cache yet."""
    from huggingface_hub import try_to_load_from_cache

    kept = {
        file.name: try_to_load_from_cache(
            model.repository, file.name, cache_dir=hub.cache, revision=model.commit
        )
        for file in model.files
    }
    return sum(file.size for file in model.files if not isinstance(kept[file.name], str))


def _check(got: Path, file: HubFile, of: Reference) -> None:
    """Hold a file to its size and digest; one that is not it is removed from the cache."""
    size = got.stat().st_size
    expected = file.sha256 or file.git_oid
    if size == file.size and _digest(got, file) == expected:
        return
    for path in (got.resolve(), got):
        path.unlink(missing_ok=True)
    raise InvalidInput(
        f"{file.name} of {of} came with other bytes than the hub says ({size:,} instead of "
        f"{file.size:,}, or another digest than {expected}); it was thrown away: pull again."
    )


def _digest(got: Path, file: HubFile) -> str:
    if file.sha256 is not None:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with got.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _place(got: Path, target: Path) -> None:
    try:
        target.symlink_to(got.resolve())
    except OSError:  # where nobody may make links
        shutil.copyfile(got, target)
