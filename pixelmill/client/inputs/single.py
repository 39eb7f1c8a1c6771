"""The `input` object of a single prediction."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelmill.client.inputs.pictures import is_picture, numbered
from pixelmill.client.inputs.planning import PathLike, Picture, is_url
from pixelmill.client.records import File
from pixelmill.wire.errors import InvalidInput


def predict_body(source: PathLike | Picture | File | Mapping[str, Any]) -> Mapping[str, Any]:
    """Give `{url}`, `{file_id}` or `{data}` for one image, its bytes in base64."""
    if isinstance(source, Mapping):
        return source
    if isinstance(source, File):
        return {"file_id": source.id}
    if is_picture(source):
        (made,) = numbered([source])
        return {"data": base64.b64encode(made.make()).decode("ascii")}
    name = os.fspath(source)  # type: ignore[arg-type]  # what else is left
    if is_url(name):
        return {"url": name}
    try:
        return {"data": base64.b64encode(Path(name).read_bytes()).decode("ascii")}
    except OSError as err:
        raise InvalidInput(f"{name} cannot be read: {err.strerror or err}.") from err
