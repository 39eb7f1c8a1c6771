"""What goes wrong with a bucket; each sentence is for its tenant and names no secret."""

from typing import Literal

BucketCode = Literal[
    "bucket_not_allowed",
    "bucket_denied",
    "bucket_full",
    "bucket_gone",
    "bucket_unreachable",
    "connection_gone",
    "input_changed",
    "input_gone",
]


class BucketError(Exception):
    """A bucket was refused, does not answer, or lacks an object.

    What a store or its library said is never part of the message: answers of stores quote keys and
    what was signed.
    """

    def __init__(self, code: BucketCode, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code: BucketCode = code
        self.retryable = retryable


def object_gone(location: object) -> BucketError:
    """Make the error for an object that was deleted since it was listed."""
    return BucketError("input_gone", f"{location} is not there any more.")


def no_file(location: object) -> BucketError:
    """Make the error for what lies where a file should, or for a way that leads over a link."""
    return BucketError(
        "input_gone",
        f"{location} is no file: links, pipes and devices are not read, and no link is followed.",
    )


def object_changed(location: object) -> BucketError:
    """Make the error for an object that is not the one which was listed."""
    return BucketError(
        "input_changed",
        f"{location} has changed since the job's items were listed. Submit it again.",
    )


def denied(location: object) -> BucketError:
    """Make the error for credentials that do not open an object or a bucket."""
    return BucketError(
        "bucket_denied",
        f"The store refuses to give {location}. Check the credentials and what they may read.",
    )


def takes_nothing(location: object) -> BucketError:
    """Make the error for credentials, or rights of a folder, that do not let results be written."""
    return BucketError(
        "bucket_denied",
        f"The store refuses to take {location}. Check the credentials and what they may write.",
    )


def bucket_gone(location: object) -> BucketError:
    """Make the error for results whose bucket or folder is not there."""
    return BucketError(
        "bucket_gone", f"{location} cannot be written: there is no such bucket or folder."
    )


def bucket_full(location: object) -> BucketError:
    """Make the error for a disk, or an account, without room for results."""
    return BucketError("bucket_full", f"{location} cannot be written: there is no room for it.")


def no_folder(location: object) -> BucketError:
    """Make the error for a way that leads over a link, or over a file."""
    return BucketError(
        "bucket_denied",
        f"{location} cannot be written: no link is followed, and what lies in its way is no "
        "folder.",
    )


def unreachable(location: object) -> BucketError:
    """Make the error for a store that does not answer; the same call may succeed later."""
    return BucketError(
        "bucket_unreachable",
        f"The store of {location} could not be reached, or broke off. Try again later.",
        retryable=True,
    )


def endless(location: object, seconds: float) -> BucketError:
    """Make the error for a listing in which no keys come, whatever its store answers."""
    return BucketError(
        "bucket_unreachable",
        f"The store of {location} gave no further keys within {seconds:.0f} s. Name a folder that "
        "is listed faster, or a manifest.",
        retryable=True,
    )


def not_allowed(message: str) -> BucketError:
    """Make the error for what the operator has not allowed."""
    return BucketError("bucket_not_allowed", message)
