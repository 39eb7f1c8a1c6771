"""How a stranger's file is quoted: on one line, and shortened."""

import re

_LONGEST = 60
_LONGEST_REASON = 300
# What onnxruntime puts before the sentence that says what is wrong.
_HEAD = re.compile(r"^\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")
_PLACE = re.compile(r"/\S+\.(?:cc|h):\d+ [^)]*\)(?: const)? ")


def shown(text: str | bytes) -> str:
    """Quote a name of a stranger's file, shortened and without a line's end."""
    text = as_text(text)
    return repr(text[:_LONGEST] + "…" if len(text) > _LONGEST else text)


def as_text(value: str | bytes) -> str:
    """Read a name; protobuf gives one that is no UTF-8 as bytes."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def reason(err: BaseException) -> str:
    """Say in one line what a library found wrong, without places in its own source."""
    text = " ".join(str(err)[: 10 * _LONGEST_REASON].split()) or type(err).__name__
    text = _PLACE.sub("", _HEAD.sub("", text)).rstrip(". ")
    return text[:_LONGEST_REASON] + "…" if len(text) > _LONGEST_REASON else text
