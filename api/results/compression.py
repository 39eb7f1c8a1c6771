"""Answers compressed where the caller asks for it (Accept-Encoding), as they are written."""

from collections.abc import Iterator, Mapping

from flask import Response, request
from werkzeug.datastructures import Headers

from jobs.forms.packing import ENCODERS

# HTTP/1.0, which a default nginx speaks to us, ends a stream that broke like one that is whole.
ROWS = "Pixelmill-Rows"


def compressed_answer(
    content: Iterator[bytes], headers: Mapping[str, str], media_type: str
) -> Response:
    """Give an answer of the pieces of `content`, in the encoding that the caller likes best."""
    encoding = _best_encoding()
    sent = Headers(headers)
    sent["Vary"] = "Accept-Encoding"
    if encoding is not None:
        sent["Content-Encoding"] = encoding
        content = ENCODERS[encoding](content)
    return Response(content, headers=sent, content_type=media_type)


def _best_encoding() -> str | None:
    """Give the encoding with the highest quality; of equal ones the first of `ENCODERS`."""
    asked = request.accept_encodings
    best = max(ENCODERS, key=lambda name: float(asked.quality(name)))
    # That of no encoding counts only where it is named: `*` stands for what is not.
    plain = next((float(quality) for name, quality in asked if name == "identity"), 0.0)
    quality = float(asked.quality(best))
    return best if quality > 0 and quality >= plain else None
