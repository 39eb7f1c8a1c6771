"""Words for people: what to do about items that failed, and that a job stands still."""

import time
from collections.abc import Sequence

from api.page.rows import JobRow
from jobs.overview.standing import Standing

# How long a lease lives beyond its worker, roughly: what a quiet minute may be.
_QUIET_S = 60.0

REMEDIES = {
    "image_decode_failed": "The file is damaged or cut off. Export it again, and submit it anew.",
    "video_decode_failed": "The film is damaged or cut off. Export it again, and submit it anew.",
    "unsupported_media": "This is no picture or film that is read here. Convert it to JPEG or PNG.",
    "image_too_large": "Scale the picture down, or have the operator raise the limit.",
    "video_too_large": "Cut the film into shorter ones, or have the operator raise the limit.",
    "corrupt_archive": "The archive is damaged at this place. Pack it again.",
    "unsupported_archive": "Pack the archive again, without a password and by a usual method.",
    "archive_too_large": "Make the file smaller, or pack it by itself.",
    "decoder_timeout": "Decoding took too long. Save the file anew, in a plain form.",
    "decoder_memory": "Decoding took too much memory. Scale the picture down.",
    "decoder_crashed": "A decoder ended at this file, and nothing else did. Export it again.",
    "decoder_fault": "A decoder gave less than it promised. Save the file anew, in a plain form.",
    "bad_input": "The item cannot be used. Export it again, and submit it anew.",
    "input_missing": "The input was deleted before the item ran. Upload it, and submit it anew.",
    "input_gone": "The object is not in its bucket any more. Put it back, and submit it anew.",
    "input_changed": "The object was changed after it was listed. Submit it anew.",
    "url_not_allowed": "This address may not be called from here. Upload the file instead.",
    "url_fetch_failed": "The server of this address did not give the file. Look at it, and retry.",
    "url_timeout": "The server of this address took too long. Retry, or upload the file.",
    "url_too_large": "What this address gives is over the limit. Upload a smaller file.",
    "bucket_denied": "The bucket refuses these credentials. Look at the connection, and retry.",
    "bucket_not_allowed": "An operator has to allow this folder of the bucket first.",
    "bucket_unreachable": "The bucket did not answer. Retry when it does.",
    "connection_gone": "The connection that opens the bucket is gone. Store it again, and retry.",
    "out_of_memory": "The device had too little memory even for this item alone. Scale it down.",
    "out_of_disk": "The worker's disk was full. Retry; tell the operator if it comes again.",
    "worker_crashed": "This item ended the process twice. Tell the operator its name.",
    "inference_failed": "The network failed at this item. Retry once; then look at its version.",
    "extension_failed": "The operator's own module failed at this item. Tell the operator.",
    "model_unusable": "The version could not be loaded. Run the items on another version.",
    "internal_error": "This is a fault of the server. Retry; tell the operator if it comes again.",
}


def remedy(code: str, *, retryable: bool) -> str:
    """Say what to do about items that failed for a reason."""
    if code in REMEDIES:
        return REMEDIES[code]
    if retryable:
        return "This may pass: retry the failed items."
    return "Mend these items, and submit them in a new job."


def why_quiet(row: JobRow, standing: Standing) -> str | None:
    """Say that a job which is being run has not moved for long; None when it has."""
    moved_at = row.view.last_progress_at or row.view.in_progress_at or row.view.created_at
    quiet_s = time.time() - moved_at
    if quiet_s < _QUIET_S:
        return None
    tries = f", after {standing.failed_tries} failed tries" if standing.failed_tries else ""
    return (
        f"Nothing was finished for {round(quiet_s / 60)} min{tries}. Large shards take a while; a "
        "worker that is gone gives its shards back within a minute."
    )


def setback_of(standing: Standing, silent: Sequence[tuple[str, float]]) -> str | None:
    """Say what went wrong with a job that goes on; None where nothing did.

    `silent` are workers that run its shards and the seconds since they were last heard of.
    """
    told = [
        f"The worker {node}, which runs a part of it, was last heard of {quiet_s:.0f} s ago."
        for node, quiet_s in silent
    ]
    tries = standing.failed_tries
    if tries:
        text = "1 try of a shard" if tries == 1 else f"{tries} tries of shards"
        told.append(f"{text} came to no end: a worker was lost, or met an error.")
    if not told:
        return None
    return " ".join([*told, "Nothing is lost by it: what was not finished is run again."])
