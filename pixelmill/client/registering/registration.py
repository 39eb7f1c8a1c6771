"""The call that registers a version: a form of the record, the check and the weights."""

import hashlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelmill.client.records import Model
from pixelmill.client.registering.checking import (
    Samples,
    asked_library,
    can_ask,
    expected_answers,
    library_of,
    passed_over,
)
from pixelmill.client.registering.pushing import Pushed
from pixelmill.wire.errors import InvalidInput
from pixelmill.wire.safetensors_stream import Joined
from pixelmill.wire.tarstream import file_size, read_blocks
from pixelmill.wire.transport import Call

log = logging.getLogger(__name__)

_NEW_LINE = b"\r\n"

# Is told in words what is done next, where that may take a while.
OnStep = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Held:
    """What a version is to be held against, None for nothing; and why nobody could be asked."""

    check: Mapping[str, Any] | None = None
    unasked: str = ""

    def tell_unasked(self, model: Model) -> None:
        """Say why a version that was taken is held against nothing; of a refused one nothing."""
        if self.unasked and model.state != "refused":
            log.warning("%s is not checked: %s", model.id, self.unasked)


def check_of(
    what: Pushed, check: Samples | bool | None, expected: Path | str | None, on_step: OnStep
) -> Held:
    """Give what a version is to be held against."""
    samples = None if isinstance(check, bool) else check
    if expected is not None:
        if samples is None:
            raise InvalidInput("`expected` needs the pictures that it is of; give them as `check`.")
        return Held(expected_answers(samples, expected))
    if check is False or (check is None and not can_ask(what.record)):
        return Held()
    if (library := library_of(what.record)) is not None:
        on_step(f"asking {library} for its own answers, for up to half a minute")
    if samples is not None and (others := passed_over(samples)):
        log.warning("not checked with %s: no JPEG, PNG, WebP, BMP, GIF or TIFF", ", ".join(others))
    try:
        return Held(asked_library(what.weights, what.folder, what.record, samples))
    except InvalidInput as err:
        if check is not None:
            raise
        # Nobody has asked for it, and it may be the network that is at fault: its card shows it.
        return Held(unasked=str(err))


def refuse_unless_made(model: Model, check: str) -> None:
    """Refuse to take a version for checked that was there before; raises InvalidInput."""
    digest = f"sha256:{hashlib.sha256(check.encode()).hexdigest()}"
    if model.state == "ready" and (model.proof or {}).get("check") != digest:
        raise InvalidInput(
            f"{model.id} was there already, with these weights and this record, and was not held "
            "against this check: push it under another name to have it checked."
        )


def sending(weights: Path | Joined) -> str:
    """Say what is sent, and how much."""
    return f"sending {_size_of(weights) / 1e6:,.1f} MB; then a worker tries it out"


def push_call(path: str, weights: Path | Joined, parts: Mapping[str, str], wait: float) -> Call:
    """Give the registration as a form whose weights are read while they are sent."""
    size = _size_of(weights)
    boundary = uuid.uuid4().hex
    head = _NEW_LINE.join(
        [
            *(
                line
                for name, value in parts.items()
                for line in (
                    f"--{boundary}".encode(),
                    f'Content-Disposition: form-data; name="{name}"'.encode(),
                    b"",
                    value.encode(),
                )
            ),
            f"--{boundary}".encode(),
            b'Content-Disposition: form-data; name="weights"; filename="weights"',
            b"Content-Type: application/octet-stream",
            b"",
            b"",
        ]
    )
    foot = f"\r\n--{boundary}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield head
        yield from weights.blocks() if isinstance(weights, Joined) else read_blocks(weights, size)
        yield foot

    return Call(
        "POST",
        path,
        body=body,
        headers={
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + size + len(foot)),
        },
        # Equal weights and record give the version that they have.
        repeatable=True,
        hold_s=wait,
    )


def _size_of(weights: Path | Joined) -> int:
    return weights.size if isinstance(weights, Joined) else file_size(weights)
