"""What the hub refuses and how a connection breaks, in one line each.

The library's own messages have several lines, and addresses that are signed; none of them is shown.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pixelmill.client.hub.library import Hub
from pixelmill.client.hub.references import Reference
from pixelmill.wire.errors import ConnectionFailed, InvalidInput, PixelmillError, UnexpectedAnswer

_RESUME = "pull again: files that came whole are kept"


@contextmanager
def in_plain_words(hub: Hub, of: Reference) -> Iterator[None]:
    """Turn what the library raises into InvalidInput, ConnectionFailed or UnexpectedAnswer."""
    try:
        yield
    except PixelmillError:
        raise
    except Exception as err:
        told = _told(err, hub, of)
        if told is None:
            raise
        raise told from err


def _told(err: BaseException, hub: Hub, of: Reference) -> PixelmillError | None:
    import httpx2
    from huggingface_hub import errors as theirs

    if isinstance(err, theirs.LocalEntryNotFoundError) and err.__cause__ is not None:
        return _told(err.__cause__, hub, of)
    if isinstance(err, theirs.HfHubHTTPError):
        return _refused(err, hub, of)
    if isinstance(err, theirs.HFValidationError):
        return InvalidInput(f"{of} is no name that a repository of the hub can have.")
    if isinstance(err, theirs.XetDownloadError | httpx2.HTTPError | TimeoutError | RuntimeError):
        said = (str(err) or type(err).__name__).splitlines()[0]
        return ConnectionFailed(f"the connection to {hub.endpoint} broke ({said}); {_RESUME}.")
    if isinstance(err, theirs.FileMetadataError | KeyError | TypeError | ValueError):
        return UnexpectedAnswer(
            f"{hub.endpoint} does not answer as the Hugging Face hub does; is HF_ENDPOINT right?"
        )
    if isinstance(err, OSError) and err.errno is not None:
        return InvalidInput(
            f"{err.filename or hub.cache} cannot be written: {err.strerror}; set HF_HOME to a "
            "folder where files of the hub may be kept."
        )
    if isinstance(err, OSError):
        return ConnectionFailed(f"{hub.endpoint} ended a file too early; {_RESUME}.")
    return None


def _refused(err: BaseException, hub: Hub, of: Reference) -> PixelmillError:
    from huggingface_hub import errors as theirs

    status: int = getattr(getattr(err, "response", None), "status_code", 0)
    if isinstance(err, theirs.GatedRepoError):
        token = "that of your token" if hub.has_token else "whose token is in HF_TOKEN"
        return InvalidInput(
            f"{of} is gated: accept its terms at {hub.endpoint}/{of.repository} with the account "
            f"{token}."
        )
    if isinstance(err, theirs.RepositoryNotFoundError):
        private = "your token may not read it" if hub.has_token else "HF_TOKEN is not set"
        return InvalidInput(
            f"{of} is not to be found at {hub.endpoint}: there is no such repository, or it is "
            f"private and {private}."
        )
    if isinstance(err, theirs.RevisionNotFoundError):
        return InvalidInput(
            f"{of.repository} has no revision {of.revision!r}; give a branch, a tag or a commit of "
            "it."
        )
    if isinstance(err, theirs.EntryNotFoundError):
        return InvalidInput(f"{of} lacks a file that it lists; pull again.")
    if status == 401:
        return InvalidInput(
            f"{hub.endpoint} does not take the token (401): set HF_TOKEN to one that is valid, or "
            "unset it."
        )
    if status == 403:
        return InvalidInput(
            f"{hub.endpoint} forbids to read {of} (403): the token has no right to it, or the "
            "repository is closed."
        )
    if status == 429 or status >= 500:
        return ConnectionFailed(f"{hub.endpoint} cannot answer just now ({status}); {_RESUME}.")
    return InvalidInput(f"{hub.endpoint} refuses {of} with status {status}.")
