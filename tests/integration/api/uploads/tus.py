"""A tus client by hand: one request each, and nothing that hides what came back."""

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from werkzeug.test import TestResponse

from tests.integration.api.callers import Caller

MIB = 1024 * 1024
# As much as one part of an upload has (api.uploads.intake).
PART = 8 * MIB
OFFSET_TYPE = "application/offset+octet-stream"


def encoded(**told: str) -> str:
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in told.items()
    )


def checksum(content: bytes, name: str = "sha1") -> str:
    return f"{name} {base64.b64encode(hashlib.new(name, content).digest()).decode()}"


class Tus:
    """Uploads of one caller."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def call(self, method: str, path: str, headers: dict[str, Any], **more: Any) -> TestResponse:
        told = {"Tus-Resumable": "1.0.0"} | {
            name.replace("_", "-"): str(value) for name, value in headers.items()
        }
        return self.caller.open(method, path, headers=told, **more)

    def post(self, length: Any, body: bytes = b"", **headers: Any) -> TestResponse:
        told = {"Upload_Length": length, "Upload_Metadata": encoded(filename="photos.zip")}
        if body:
            told["Content_Type"] = OFFSET_TYPE
        return self.call("POST", "/v1/uploads", told | headers, data=body)

    def create(self, length: int, **told: str) -> str:
        answer = self.post(length, Upload_Metadata=encoded(**{"filename": "photos.zip"} | told))
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def patch(self, path: str, offset: int, body: bytes, **headers: Any) -> TestResponse:
        told = {"Upload_Offset": offset, "Content_Type": OFFSET_TYPE}
        return self.call("PATCH", path, told | headers, data=body)

    def head(self, path: str) -> TestResponse:
        return self.call("HEAD", path, {})

    def offset(self, path: str) -> int:
        answer = self.head(path)
        assert answer.status_code == 200
        return int(answer.headers["Upload-Offset"])

    def delete(self, path: str) -> TestResponse:
        return self.call("DELETE", path, {})

    def send(self, path: str, pieces: Iterable[bytes]) -> TestResponse:
        """Bring pieces, one request each; gives the last answer."""
        offset = self.offset(path)
        for piece in pieces:
            answer = self.patch(path, offset, piece)
            assert answer.status_code == 204, answer.text
            offset += len(piece)
            assert answer.headers["Upload-Offset"] == str(offset)
        return answer
