"""How a version's proof is told, and how one without could be had."""

from collections.abc import Mapping
from typing import Any

from pixelmill.client.registering.checking import can_be_asked, library_of

_UNPROVEN = "it was held against nothing"


def proof_text(proof: Mapping[str, Any]) -> str:
    """Write a proof in one line: against whom, on how many pictures, and the worst differences."""
    of = " and ".join(f"{name} {version}".strip() for name, version in proof["against"].items())
    figures = ", ".join(
        f"confidences within {each['worst']:.2g}"
        if each["measure"] == "confidence"
        else f"{each['measure']} {each['worst']:.4f}"
        for each in proof["differences"]
    )
    if not figures:
        count = proof["samples"]
        return f"not proven: neither it nor {of or 'the check'} found anything in {count} pictures"
    verdict = "" if proof["holds"] else "differs: "
    return f"{verdict}{of or 'the check'} on {proof['samples']} pictures: {figures}"


def proven_text(proof: Mapping[str, Any]) -> str:
    """Say what came of a version's check, and what to do where it proves nothing."""
    if proof["holds"]:
        return f"it answers as {proof_text(proof)}"
    if proof["differences"]:
        return proof_text(proof)
    return f"{proof_text(proof)}; give pictures that show something (--check PICTURES)"


def unproven_text(raw: Mapping[str, Any]) -> str:
    """Say of a version, as the server shows it, that nobody has checked it, and what would."""
    if not can_be_asked(raw):
        return f"{_UNPROVEN}: there is no check for {raw.get('task') or 'it'} here"
    if library_of(raw) is not None:
        return f"{_UNPROVEN}; --check PICTURES does so"
    if raw.get("architecture") == "onnx":
        return f"{_UNPROVEN}; --check PICTURES with --expected FILE, its author's answers, does so"
    return f"{_UNPROVEN}: no library knows {raw.get('architecture')}"
